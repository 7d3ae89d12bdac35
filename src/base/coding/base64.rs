//! Base64 with padding, read and written in memory that is wiped.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::base::wiped::WipedBytes;

/// Like Go's decoder, which ignores the last bits.
const GO: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Standard base64.
pub(crate) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

/// Like [`encode`], appended to `out`.
pub(crate) fn push(out: &mut WipedBytes, bytes: &[u8]) {
    STANDARD
        .encode_slice(bytes, out.add_zeros(bytes.len().div_ceil(3) * 4))
        .expect("four characters for each three bytes begun");
}

/// The bytes that standard base64 stands for.
pub(crate) fn decode(text: &[u8]) -> Option<WipedBytes> {
    decode_by(&STANDARD, text)
}

/// Like [`decode`], with white space anywhere.
pub(crate) fn decode_spaced(text: &[u8]) -> Option<WipedBytes> {
    decode(&without(text, |byte| byte.is_ascii_whitespace()))
}

/// The bytes that Go, and with it Kubernetes, reads: line ends are skipped.
pub(crate) fn decode_as_go(text: &[u8]) -> Option<WipedBytes> {
    let is_end = |byte| matches!(byte, b'\r' | b'\n');
    match text.iter().any(|byte| is_end(*byte)) {
        true => decode_by(&GO, &without(text, is_end)),
        false => decode_by(&GO, text),
    }
}

fn without(text: &[u8], skipped: impl Fn(u8) -> bool) -> WipedBytes {
    let mut kept = WipedBytes::with_capacity(text.len());
    for byte in text.iter().filter(|byte| !skipped(**byte)) {
        kept.byte(*byte);
    }
    kept
}

fn decode_by(engine: &GeneralPurpose, text: &[u8]) -> Option<WipedBytes> {
    // The estimate is large enough, so the vector never moves and leaves no copy behind.
    let mut bytes = WipedBytes::from(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = engine.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standard_one_and_is_read_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xfb\xff", "+/8="),
        ] {
            assert_eq!(encode(bytes).as_str(), text);
            assert_eq!(*decode_spaced(text.as_bytes()).expect("valid"), *bytes);
        }
        assert_eq!(*decode_spaced(b"Zm9\nv\n").expect("valid"), *b"foo");
        assert!(decode_spaced(b"Zg=").is_none());
        assert!(decode_spaced(b"Z!==").is_none());
    }

    #[test]
    fn base64_is_gos() {
        let rows: [(&str, Option<&[u8]>); 9] = [
            ("", Some(b"")),
            ("YQ==", Some(b"a")),
            ("YQ", None),
            ("YR==", Some(b"a")),
            ("Y\nQ=\r\n=", Some(b"a")),
            ("YQ= =", None),
            ("-_==", None),
            ("+/==", Some(&[0xfb])),
            ("YQ==YQ==", None),
        ];
        for (text, bytes) in rows {
            let decoded = decode_as_go(text.as_bytes());
            assert_eq!(decoded.as_deref(), bytes, "{text:?}");
        }
        assert_eq!(encode(&[0xfb]).as_str(), "+w==");
    }
}
