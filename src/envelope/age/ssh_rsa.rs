//! `ssh-rsa` recipients: RSA-OAEP with SHA-256, in constant time, by aws-lc.
//!
//! The `rsa` crate is not used: its timing leak (RUSTSEC-2023-0071) has no fix. aws-lc takes PKCS#8
//! only, which holds two numbers that OpenSSH does not keep, so they are computed here.

use crate::base::wiped::WipedBytes;
use ::age::DecryptError;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::ssh_ed25519::short_hash;

pub(super) const TAG: &str = "ssh-rsa";
const LABEL: &[u8] = b"age-encryption.org/v1/ssh-rsa";

/// A private key and its public half as SSH writes it.
pub(super) struct RsaKey {
    private: OaepPrivateDecryptingKey,
    wire: Vec<u8>,
}

/// The numbers of an OpenSSH RSA key, big-endian.
pub(super) struct Numbers<'a> {
    pub(super) n: &'a [u8],
    pub(super) e: &'a [u8],
    pub(super) d: &'a [u8],
    pub(super) q_inverse: &'a [u8],
    pub(super) p: &'a [u8],
    pub(super) q: &'a [u8],
}

impl RsaKey {
    /// `None` when aws-lc finds the numbers inconsistent, too small or too large.
    pub(super) fn new(numbers: &Numbers<'_>, wire: &[u8]) -> Option<Self> {
        let pkcs8 = pkcs8(numbers)?;
        let private = PrivateDecryptingKey::from_pkcs8(&pkcs8).ok()?;
        Some(Self {
            private: OaepPrivateDecryptingKey::new(private).ok()?,
            wire: wire.to_vec(),
        })
    }

    /// As in `authorized_keys`, without the comment.
    pub(super) fn recipient(&self) -> String {
        format!("{TAG} {}", STANDARD.encode(&self.wire))
    }

    /// `None` when the stanza is of another kind or for another key.
    pub(super) fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != TAG {
            return None;
        }
        match stanza.args.as_slice() {
            [tag] if *tag == short_hash(&self.wire) => {}
            [_] => return None,
            _ => return Some(Err(DecryptError::InvalidHeader)),
        }
        Some(self.unwrap(&stanza.body).ok_or(DecryptError::InvalidHeader))
    }

    fn unwrap(&self, body: &[u8]) -> Option<FileKey> {
        let mut out = WipedBytes::from(vec![0; self.private.min_output_size()]);
        let opened = self
            .private
            .decrypt(&OAEP_SHA256_MGF1SHA256, body, &mut out, Some(LABEL))
            .ok()?;
        let opened: &[u8; FILE_KEY_BYTES] = (&*opened).try_into().ok()?;
        Some(FileKey::init_with_mut(|file_key| {
            file_key.copy_from_slice(opened);
        }))
    }
}

/// PKCS#8 around PKCS#1, as DER.
fn pkcs8(numbers: &Numbers<'_>) -> Option<WipedBytes> {
    let d_p = modulo_predecessor(numbers.d, numbers.p)?;
    let d_q = modulo_predecessor(numbers.d, numbers.q)?;
    let mut pkcs1 = WipedBytes::with_capacity(numbers.n.len() * 5 + 64);
    for number in [
        &[0],
        numbers.n,
        numbers.e,
        numbers.d,
        numbers.p,
        numbers.q,
        &d_p,
        &d_q,
        numbers.q_inverse,
    ] {
        integer(&mut pkcs1, number);
    }
    let mut body = WipedBytes::with_capacity(pkcs1.len() + 64);
    integer(&mut body, &[0]);
    // SEQUENCE { OBJECT IDENTIFIER rsaEncryption, NULL }
    body.write(b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00");
    body.write(&tagged(0x04, &tagged(0x30, &pkcs1)));
    Some(tagged(0x30, &body))
}

/// A DER element; no key is so long that its length needs more than two bytes.
fn tagged(tag: u8, content: &[u8]) -> WipedBytes {
    let mut out = WipedBytes::with_capacity(content.len() + 4);
    let [.., high, low] = content.len().to_be_bytes();
    out.byte(tag);
    match (high, low) {
        (0, 0..0x80) => out.byte(low),
        (0, _) => out.write(&[0x81, low]),
        _ => out.write(&[0x82, high, low]),
    }
    out.write(content);
    out
}

fn integer(out: &mut WipedBytes, number: &[u8]) {
    let start = number
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(number.len().saturating_sub(1));
    let number = &number[start..];
    let sign = number.first().is_none_or(|byte| *byte >= 0x80);
    let content = if sign {
        WipedBytes::from([&[0], number].concat())
    } else {
        WipedBytes::from(number.to_vec())
    };
    out.write(&tagged(0x02, &content));
}

/// `number mod (prime - 1)`, bit by bit and without a branch on the two numbers, which are secret.
fn modulo_predecessor(number: &[u8], prime: &[u8]) -> Option<WipedBytes> {
    // Primes are odd, so the predecessor differs in the last bit only.
    let (last, rest) = prime.split_last().filter(|(last, _)| **last & 1 == 1)?;
    let mut modulus = WipedBytes::from(vec![0_u8]);
    modulus.write(rest);
    modulus.byte(last & 0xfe);
    if modulus.iter().all(|byte| *byte == 0) {
        return None;
    }

    let mut remainder = WipedBytes::from(vec![0_u8; modulus.len()]);
    let mut reduced = WipedBytes::from(vec![0_u8; modulus.len()]);
    for bit in number
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1))
    {
        let mut carry = bit;
        for byte in remainder.iter_mut().rev() {
            let doubled = u16::from(*byte) << 1 | u16::from(carry);
            [carry, *byte] = doubled.to_be_bytes();
        }
        let mut borrow = 0;
        for ((out, byte), of) in reduced
            .iter_mut()
            .zip(remainder.iter())
            .zip(modulus.iter())
            .rev()
        {
            let difference = u16::from(*byte).wrapping_sub(u16::from(*of) + borrow);
            *out = difference as u8;
            borrow = difference >> 15;
        }
        let keep = 0_u8.wrapping_sub(borrow as u8);
        for (byte, reduced) in remainder.iter_mut().zip(reduced.iter()) {
            *byte = (*byte & keep) | (reduced & !keep);
        }
    }
    Some(remainder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: u64, prime: u32) {
        let got = modulo_predecessor(&number.to_be_bytes(), &prime.to_be_bytes()).unwrap();
        let got = got
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        assert_eq!(
            got,
            number % u64::from(prime - 1),
            "{number} mod {prime} - 1"
        );
    }

    #[test]
    fn the_missing_exponents_are_remainders() {
        for number in [
            0,
            1,
            2,
            3,
            255,
            256,
            65_537,
            1 << 40,
            u64::MAX - 1,
            u64::MAX,
        ] {
            for prime in [3, 5, 257, 65_537, 2_147_483_647, 4_294_967_291] {
                check(number, prime);
            }
        }
        assert!(modulo_predecessor(&[9], &[4]).is_none());
        assert!(modulo_predecessor(&[9], &[1]).is_none());
        assert!(modulo_predecessor(&[9], &[]).is_none());
    }

    #[test]
    fn numbers_are_written_as_der_wants_them() {
        let mut out = WipedBytes::default();
        for number in [&[0, 0x7f][..], &[0x80], &[0], &[]] {
            integer(&mut out, number);
        }
        assert_eq!(
            *out,
            *b"\x02\x01\x7f\x02\x02\x00\x80\x02\x01\x00\x02\x01\x00"
        );
        assert_eq!(tagged(4, &[1; 200])[..3], [4, 0x81, 200]);
        assert_eq!(tagged(4, &[1; 300])[..4], [4, 0x82, 1, 44]);
    }
}
