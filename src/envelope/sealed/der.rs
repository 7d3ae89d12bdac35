//! The parts of DER and PEM that private keys need. No unwiped copy of a key is left in memory.

use zeroize::Zeroizing;

use crate::base::wiped::WipedBytes;

use crate::base::coding::base64;

/// One block between its BEGIN and END lines.
pub(super) struct Pem {
    /// The label of its BEGIN line, such as `RSA PRIVATE KEY`.
    pub(super) label: String,
    /// The bytes; `None` when the text is no base64 or the block does not end.
    pub(super) der: Option<WipedBytes>,
    /// Whether the bytes are encrypted with a passphrase (`Proc-Type: 4,ENCRYPTED`).
    pub(super) encrypted: bool,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Whether a line begins a PEM block. In a YAML file such a line is indented, and does not count.
pub(super) fn is_pem(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(BEGIN))
}

/// All blocks of a text. Text around them is ignored.
pub(super) fn pem_blocks(text: &str) -> Vec<Pem> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_suffix(DASHES))
        else {
            continue;
        };
        // Large enough for all base64 that can follow, so the buffer never moves and leaves no
        // copy.
        let mut body = Zeroizing::new(String::with_capacity(text.len()));
        let mut encrypted = label.starts_with("ENCRYPTED");
        let mut ended = false;
        for line in lines.by_ref() {
            if line.starts_with(END) {
                ended = true;
                break;
            }
            if line.contains(':') {
                encrypted |= line.contains("ENCRYPTED");
            } else {
                body.push_str(line);
            }
        }
        let der = if ended && !encrypted {
            base64::decode(body.as_bytes())
        } else {
            None
        };
        blocks.push(Pem {
            label: label.to_owned(),
            der,
            encrypted,
        });
    }
    blocks
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// `SEQUENCE { rsaEncryption, NULL }`.
const RSA_ENCRYPTION: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

/// PKCS#8 around a PKCS#1 key: the only form that the crypto library reads.
pub(super) fn pkcs8_of_pkcs1(pkcs1: &[u8]) -> WipedBytes {
    let inner = header(OCTET_STRING, pkcs1.len());
    let version = [INTEGER, 1, 0];
    let length = version.len() + RSA_ENCRYPTION.len() + inner.len() + pkcs1.len();
    let outer = header(SEQUENCE, length);
    let mut all = WipedBytes::with_capacity(outer.len() + length);
    for part in [&outer, &version[..], &RSA_ENCRYPTION, &inner, pkcs1] {
        all.write(part);
    }
    all
}

fn header(tag: u8, length: usize) -> Vec<u8> {
    let mut header = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..=127) => header.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
            let significant = &bytes[first..];
            // At most eight bytes of length: the count fits below the high bit.
            header.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
            header.extend_from_slice(significant);
        }
    }
    header
}

/// Modulus and exponent of a `SubjectPublicKeyInfo`, as DER writes them: a zero byte precedes a set
/// high bit.
pub(super) fn modulus_and_exponent(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut info, _) = element(info, SEQUENCE)?;
    (_, info) = element(info, SEQUENCE)?;
    let (bits, _) = element(info, BIT_STRING)?;
    let (unused, key) = bits.split_first()?;
    let (key, _) = element(key, SEQUENCE)?;
    let (modulus, rest) = element(key, INTEGER)?;
    let (exponent, _) = element(rest, INTEGER)?;
    (*unused == 0).then_some((modulus, exponent))
}

/// The content of a PKCS#8 document.
pub(super) enum Pkcs8 {
    /// An RSA key, with the bits of its modulus.
    Rsa(usize),
    /// A key of another kind.
    Other,
}

/// Reads only the parts of a PKCS#8 document that tell why it is no usable key.
pub(super) fn look_into(pkcs8: &[u8]) -> Option<Pkcs8> {
    let (info, _) = element(pkcs8, SEQUENCE)?;
    let (_, info) = element(info, INTEGER)?;
    let (algorithm, info) = element(info, SEQUENCE)?;
    if algorithm != &RSA_ENCRYPTION[2..] {
        return Some(Pkcs8::Other);
    }
    let (key, _) = element(info, OCTET_STRING)?;
    let (key, _) = element(key, SEQUENCE)?;
    let (_, key) = element(key, INTEGER)?;
    let (modulus, _) = element(key, INTEGER)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros)?;
    Some(Pkcs8::Rsa(
        (modulus.len() - zeros) * 8 - first.leading_zeros() as usize,
    ))
}

/// The content of the first element, which must have this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if length > 127 {
        let (digits, after) = rest.split_at_checked(length & 0x7f)?;
        // Nothing here is longer than 64 KiB.
        length = match *digits {
            [low] => usize::from(low),
            [high, low] => usize::from(u16::from_be_bytes([high, low])),
            _ => return None,
        };
        rest = after;
    }
    let parts = rest.split_at_checked(length)?;
    (*found == tag).then_some(parts)
}
