//! Base64 as Go reads and writes it, into memory that is wiped.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::material::SecretBytes;

/// Go's decoder, which wrote and reads all of these: line ends are skipped, and the last bits are not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Decodes base64 as Kubernetes does.
pub(crate) fn decode(text: &[u8]) -> Option<SecretBytes> {
    let joined: Zeroizing<Vec<u8>>;
    let text = if text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        let kept = text
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\r' | b'\n'));
        joined = Zeroizing::new(kept.collect());
        &joined
    } else {
        text
    };
    // The estimate is enough for all, so the vector never moves and leaves no copy behind.
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = BASE64.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(SecretBytes::from(bytes))
}

/// Encodes as base64, into memory that is wiped.
pub(crate) fn encode(bytes: &[u8]) -> SecretBytes {
    SecretBytes::from(BASE64.encode(bytes))
}
