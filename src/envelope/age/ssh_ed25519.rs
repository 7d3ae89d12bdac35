//! `ssh-ed25519` recipients: the signing key becomes an X25519 key, tweaked by the key as SSH
//! writes it.
//!
//! The rule is age's own (`agessh`, label below); no other program uses the key that results.

use ::age::DecryptError;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{aead_decrypt, hkdf};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256, Sha512};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

pub(super) const TAG: &str = "ssh-ed25519";
const LABEL: &[u8] = b"age-encryption.org/v1/ssh-ed25519";

/// A converted key and its public half as SSH writes it.
pub(super) struct Ed25519Key {
    curve: StaticSecret,
    wire: Vec<u8>,
}

impl Ed25519Key {
    /// `seed` is RFC 8032's private key, `wire` the public key in SSH's encoding.
    pub(super) fn new(seed: &[u8; 32], wire: &[u8]) -> Self {
        let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(seed)));
        let mut scalar = Zeroizing::new([0; 32]);
        scalar.copy_from_slice(&hash[..32]);
        Self {
            curve: StaticSecret::from(*scalar),
            wire: wire.to_vec(),
        }
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
        let share = match stanza.args.as_slice() {
            [tag, _] if *tag != short_hash(&self.wire) => return None,
            [_, share] => STANDARD_NO_PAD.decode(share).ok(),
            _ => None,
        };
        let share: Option<[u8; 32]> = share.and_then(|share| share.try_into().ok());
        let (Some(share), true) = (share, stanza.body.len() == FILE_KEY_BYTES + 16) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        Some(
            self.unwrap(&share, &stanza.body)
                .ok_or(DecryptError::InvalidHeader),
        )
    }

    fn unwrap(&self, share: &[u8; 32], body: &[u8]) -> Option<FileKey> {
        let shared = self.curve.diffie_hellman(&PublicKey::from(*share));
        if !shared.was_contributory() {
            return None;
        }
        let tweak = StaticSecret::from(hkdf(&self.wire, LABEL, &[]));
        let tweaked = tweak.diffie_hellman(&PublicKey::from(shared.to_bytes()));
        let ours = PublicKey::from(&self.curve);
        let salt = [share.as_slice(), ours.as_bytes()].concat();
        let key = Zeroizing::new(hkdf(&salt, LABEL, tweaked.as_bytes()));
        let opened = Zeroizing::new(aead_decrypt(&key, FILE_KEY_BYTES, body).ok()?);
        Some(FileKey::init_with_mut(|file_key| {
            file_key.copy_from_slice(&opened);
        }))
    }
}

/// How an SSH stanza names its key: four bytes of a hash of the public half.
pub(in crate::envelope) fn short_hash(wire: &[u8]) -> String {
    STANDARD_NO_PAD.encode(&Sha256::digest(wire)[..4])
}
