//! A buffer for text that holds values: when it grows, the outgrown copy is wiped, and so is the rest when it is dropped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::material::SecretBytes;

/// Bytes being written. A plain `Vec` would leave its old allocations behind, unwiped, each time it grows.
#[derive(Default)]
pub(super) struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    /// For so many bytes; more can follow.
    pub(super) fn of(size: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(size)))
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let roomy = needed.max(self.0.capacity() * 2).max(64);
            let mut larger = Zeroizing::new(Vec::with_capacity(roomy));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.push(text.as_bytes());
    }

    pub(super) fn char(&mut self, character: char) {
        self.text(character.encode_utf8(&mut [0; 4]));
    }

    /// Two digits.
    pub(super) fn hex(&mut self, byte: u8, digits: &[u8; 16]) {
        self.push(&[
            digits[usize::from(byte >> 4)],
            digits[usize::from(byte & 15)],
        ]);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_secret(self) -> SecretBytes {
        SecretBytes::from(self.0)
    }

    /// What was written, as text: every caller of `push` and `hex` pushed ASCII.
    pub(super) fn into_string(mut self) -> Zeroizing<String> {
        let bytes = std::mem::take(&mut *self.0);
        Zeroizing::new(String::from_utf8(bytes).expect("only text was written"))
    }
}

/// Standard base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> Zeroizing<String> {
    let size = bytes.len().div_ceil(3) * 4;
    let mut encoded = Zeroizing::new(vec![0; size]);
    let written = STANDARD
        .encode_slice(bytes, &mut encoded)
        .expect("four characters for each three bytes begun");
    encoded.truncate(written);
    let bytes = std::mem::take(&mut *encoded);
    Zeroizing::new(String::from_utf8(bytes).expect("base64 is ASCII"))
}

/// The bytes that standard base64 stands for; line breaks between its characters are skipped.
pub(super) fn base64_decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut packed = Zeroizing::new(Vec::with_capacity(text.len()));
    packed.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
    let mut decoded = Zeroizing::new(vec![0; packed.len()]);
    let written = STANDARD.decode_slice(&*packed, &mut decoded).ok()?;
    decoded.truncate(written);
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_keeps_every_byte() {
        let mut buffer = Wiped::default();
        for number in 0..1000_u32 {
            buffer.text(&number.to_string());
        }
        let expected: String = (0..1000_u32).map(|number| number.to_string()).collect();
        assert_eq!(buffer.into_string().as_str(), expected);
    }

    #[test]
    fn base64_is_the_standard_one_and_is_read_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xfb\xff", "+/8="),
        ] {
            assert_eq!(base64(bytes).as_str(), text);
            assert_eq!(
                base64_decode(text.as_bytes()).expect("valid").as_slice(),
                bytes
            );
        }
        assert_eq!(
            base64_decode(b"Zm9\nv\n").expect("valid").as_slice(),
            b"foo"
        );
        assert!(base64_decode(b"Zg=").is_none());
        assert!(base64_decode(b"Z!==").is_none());
    }
}
