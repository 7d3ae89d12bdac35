//! One encrypted value: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, three fields of Base64 and a
//! type.
//!
//! The place of a value is its additional data, so a value that was moved does not open. Nothing
//! protects the type itself: another type gives another spelling or none, and then the checksum of
//! the whole file differs.

use crate::base::wiped::WipedBytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyferry_fast::gcm::Aes256Gcm;

use crate::base::coding::number;
use crate::base::material::{Node, SecretBytes};
use crate::format::time::Time;

/// How every encrypted value begins.
const PREFIX: &str = "ENC[AES256_GCM,data:";

/// Whether a value begins as encrypted ones do.
pub(super) fn is_sealed(text: &[u8]) -> bool {
    text.starts_with(PREFIX.as_bytes())
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeafKind {
    Text,
    Int,
    Float,
    Bool,
    Time,
    Comment,
}

/// Why a value does not open. The caller, which knows the place, makes an error of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ValueFlaw {
    Form,
    Authentication,
    Type,
}

/// The cipher of the data key, prepared once.
pub(super) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key))
    }

    /// Opens a value that stands at a place.
    pub(super) fn open(
        &self,
        text: &[u8],
        place: &str,
    ) -> Result<(LeafKind, SecretBytes), ValueFlaw> {
        let parts = Parts::split(text).ok_or(ValueFlaw::Form)?;
        let mut iv = [0; 32];
        let mut tag = [0; 16];
        fixed(parts.iv, &mut iv).ok_or(ValueFlaw::Form)?;
        fixed(parts.tag, &mut tag).ok_or(ValueFlaw::Form)?;
        // Sized for the longest result, so that no unwiped copy is left behind.
        let mut data = WipedBytes::with_capacity(parts.data.len() / 4 * 3 + 3);
        STANDARD
            .decode_vec(parts.data, data.reserved())
            .map_err(|_| ValueFlaw::Form)?;
        self.0
            .decrypt(&iv, place.as_bytes(), &mut data, &tag)
            .map_err(|_| ValueFlaw::Authentication)?;
        Ok((parts.kind, SecretBytes::from(data)))
    }
}

/// Decodes exactly `N` bytes.
fn fixed<const N: usize>(text: &str, into: &mut [u8; N]) -> Option<()> {
    // The decoder wants room for one group more than fits.
    let mut room = [0; 48];
    let decoded = STANDARD.decode_slice(text, &mut room).ok()?;
    (decoded == N).then(|| into.copy_from_slice(&room[..N]))
}

struct Parts<'a> {
    data: &'a str,
    iv: &'a str,
    tag: &'a str,
    kind: LeafKind,
}

impl<'a> Parts<'a> {
    fn split(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let inner = text.strip_prefix(PREFIX)?.strip_suffix(']')?;
        // From the end, because the data may be long. A comma in it is no Base64.
        let mut fields = inner.rsplitn(4, ',');
        let kind = match fields.next()?.strip_prefix("type:")? {
            // `bytes` is a type as well, but SOPS writes none and fails on one.
            "str" => LeafKind::Text,
            "int" => LeafKind::Int,
            "float" => LeafKind::Float,
            "bool" => LeafKind::Bool,
            "time" => LeafKind::Time,
            "comment" => LeafKind::Comment,
            _ => return None,
        };
        let tag = fields.next()?.strip_prefix("tag:")?;
        let iv = fields.next()?.strip_prefix("iv:")?;
        let data = fields.next()?;
        (!data.is_empty()).then_some(Self {
            data,
            iv,
            tag,
            kind,
        })
    }
}

/// The node of an opened value and the bytes that the checksum covers, where those differ from the
/// node's own.
pub(super) fn typed(
    kind: LeafKind,
    bytes: SecretBytes,
    spell: fn(f64) -> String,
) -> Option<(Node, Option<SecretBytes>)> {
    if kind == LeafKind::Text {
        return Some((Node::Text(bytes), None));
    }
    let text = bytes.expose_str()?;
    match kind {
        LeafKind::Int => {
            let number: i64 = text.parse().ok()?;
            Some((Node::Number(number.to_string().into()), None))
        }
        LeafKind::Float => {
            let number: f64 = text.parse().ok()?;
            let decimal = SecretBytes::from(number::decimal(number));
            if number.is_finite() {
                return Some((Node::Number(spell(number).into()), Some(decimal)));
            }
            // A number that is too large is not read as infinity. Only YAML has a spelling for
            // infinity.
            let named = text
                .bytes()
                .any(|byte| byte.is_ascii_alphabetic() && byte | 32 != b'e');
            let spelt = Node::Number(number::in_yaml(number).into());
            named.then_some((spelt, Some(decimal)))
        }
        LeafKind::Bool => {
            let value = match text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
                "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
                _ => return None,
            };
            Some((Node::Bool(value), None))
        }
        LeafKind::Time => Some((Node::Time(Time::rfc3339(text)?.precise().into()), None)),
        LeafKind::Text | LeafKind::Comment => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_gcm::AesGcm;
    use aes_gcm::aead::generic_array::GenericArray;
    use aes_gcm::aead::{AeadInPlace, KeyInit};
    use aes_gcm::aes::Aes256;
    use aes_gcm::aes::cipher::consts::U32;

    const IV: [u8; 32] = [9; 32];

    fn sealed(text: &str, place: &str, kind: &str) -> String {
        let mut data = text.as_bytes().to_vec();
        let cipher = AesGcm::<Aes256, U32>::new(GenericArray::from_slice(&[7; 32]));
        let nonce = GenericArray::from_slice(&IV);
        let tag = cipher
            .encrypt_in_place_detached(nonce, place.as_bytes(), &mut data)
            .unwrap();
        let [data, iv, tag] = [&data[..], &IV, &tag].map(|bytes| STANDARD.encode(bytes));
        format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:{kind}]")
    }

    fn seen(text: &str, place: &str) -> Result<(LeafKind, SecretBytes), ValueFlaw> {
        Cipher::new(&[7; 32]).open(text.as_bytes(), place)
    }

    #[test]
    fn a_value_opens_at_its_place_only() {
        let value = sealed("hunter2", "a:b:", "str");
        assert_eq!(
            seen(&value, "a:b:"),
            Ok((LeafKind::Text, SecretBytes::from("hunter2")))
        );
        assert_eq!(seen(&value, "a:c:"), Err(ValueFlaw::Authentication));
        let other = value.replace("data:", "data:AAAA");
        assert_eq!(seen(&other, "a:b:"), Err(ValueFlaw::Authentication));
    }

    #[test]
    fn another_form_is_none() {
        let value = sealed("hunter2", "a:", "str");
        let iv = STANDARD.encode(IV);
        for text in [
            "",
            "hunter2",
            "ENC[AES256_GCM,data:",
            "ENC[AES256_GCM,data:]",
            "ENC[AES256_GCM,data:,iv:,tag:,type:str]",
            &value[..value.len() - 1],
            &format!("{value} "),
            &value.replace("type:str", "type:int]"),
            &value.replace("type:str", "type:other"),
            &value.replace("AES256_GCM", "AES128_GCM"),
            &value.replace(&iv, ""),
            &value.replace(&iv, &STANDARD.encode([9; 12])),
            &value.replace(&iv, &STANDARD.encode([9; 48])),
            &value.replace(&iv, &STANDARD.encode([9; 300])),
            &value.replace(",tag:", ",tag:A"),
            &value.replace("data:", "data:*"),
            &value.replace("data:", "data:AAAA,"),
            &value.replace("data:", "data:,"),
        ] {
            assert_eq!(seen(text, "a:"), Err(ValueFlaw::Form), "{text}");
        }
    }

    #[test]
    fn types_are_spelt_as_the_file_and_as_the_checksum_want_it() {
        let number = |text: &str| Node::Number(SecretBytes::from(text));
        for (kind, text, expected) in [
            (LeafKind::Text, "x", Some((Node::text("x"), None))),
            (
                LeafKind::Int,
                "-9007199254740993",
                Some((number("-9007199254740993"), None)),
            ),
            (LeafKind::Int, "007", Some((number("7"), None))),
            (LeafKind::Int, "9223372036854775808", None),
            (LeafKind::Int, "1_0", None),
            (
                LeafKind::Float,
                "1000000",
                Some((number("1e+06"), Some("1000000"))),
            ),
            (LeafKind::Float, "1.5", Some((number("1.5"), Some("1.5")))),
            (
                LeafKind::Float,
                "+Inf",
                Some((number(".inf"), Some("+Inf"))),
            ),
            (LeafKind::Float, "NaN", Some((number(".nan"), Some("NaN")))),
            (LeafKind::Float, "1e999", None),
            (LeafKind::Float, "x", None),
            (LeafKind::Bool, "True", Some((Node::Bool(true), None))),
            (LeafKind::Bool, "f", Some((Node::Bool(false), None))),
            (LeafKind::Bool, "yes", None),
            (
                LeafKind::Time,
                "2024-01-02T00:00:00Z",
                Some((Node::Time("2024-01-02T00:00:00Z".into()), None)),
            ),
            (LeafKind::Time, "2024-01-02", None),
        ] {
            let expected = expected.map(|(node, covered)| (node, covered.map(SecretBytes::from)));
            let seen = typed(kind, SecretBytes::from(text), number::in_yaml);
            assert_eq!(seen, expected, "{text}");
        }
    }
}
