//! Opens age files (binary or armored) with the identities at hand.
//!
//! The `age` crate parses, checks the header and decrypts the payload; the limits before it, the
//! identities it lacks (SSH keys without the `rsa` crate, hybrid post-quantum keys) and all words
//! for a person are ours.
//!
//! Architecture invariant: no program is ever run for a key, so plugin identities are refused, and
//! not one byte of a payload leaves before its last chunk was authentic.

mod error;
mod header;
mod hybrid;
mod identity;
mod openssh;
mod passphrase;
mod ssh_ed25519;
mod ssh_rsa;

use std::cell::Cell;
use std::io::Read;

use ::age::DecryptError;
use age_core::format::{FileKey, Stanza};
use zeroize::Zeroizing;

use crate::base::material::SecretBytes;

pub(in crate::envelope) use error::identities_word;
pub use error::{AgeError, IdentityProblem};
pub use identity::{Identity, encrypted_identities, identities};
pub(in crate::envelope) use ssh_ed25519::short_hash;

/// What a payload may measure unless the caller says otherwise.
pub const MAX_PAYLOAD: usize = 16 * 1024 * 1024;

/// The payload of an age file and the key that opened it.
#[derive(Debug)]
pub struct OpenedAge {
    /// All of it, and all of it authentic.
    pub plaintext: SecretBytes,
    /// The recipient of the identity that opened it.
    pub by: String,
}

/// Someone an age file is encrypted to, as far as the file tells: keys of age's own are anonymous
/// in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgeRecipient {
    /// `X25519`, `mlkem768x25519`, `ssh-ed25519`, `ssh-rsa`, `scrypt` (a passphrase) or something
    /// else.
    pub kind: String,
    /// The short hash of an SSH key.
    pub tag: Option<String>,
}

impl AgeRecipient {
    /// Whether an identity for it can be used here.
    pub fn is_supported(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "X25519" | "mlkem768x25519" | "ssh-ed25519" | "ssh-rsa" | "scrypt"
        )
    }
}

/// The recipients of a file, without any key.
pub fn recipients(bytes: &[u8]) -> Result<Vec<AgeRecipient>, AgeError> {
    let binary = header::without_armor(bytes, MAX_PAYLOAD)?;
    let survey = header::survey(&binary, MAX_PAYLOAD)?;
    let recipients = survey.recipients.into_iter();
    Ok(recipients
        .filter(|one| one.kind != header::GREASE)
        .collect())
}

/// Opens a file with the first of these identities that fits.
pub fn open(bytes: &[u8], keys: &[Identity]) -> Result<OpenedAge, AgeError> {
    open_up_to(MAX_PAYLOAD, bytes, keys)
}

/// The same with another limit on the payload.
pub fn open_up_to(limit: usize, bytes: &[u8], keys: &[Identity]) -> Result<OpenedAge, AgeError> {
    let binary = header::without_armor(bytes, limit)?;
    let survey = header::survey(&binary, limit)?;
    if survey.wants_passphrase() && !keys.iter().any(Identity::is_passphrase) {
        return Err(AgeError::PassphraseNotOffered);
    }

    let ring = Ring {
        keys,
        opened: Cell::new(None),
    };
    let decryptor =
        ::age::Decryptor::new_buffered(&binary[..]).map_err(|_| AgeError::MalformedHeader)?;
    let mut payload = decryptor
        .decrypt(std::iter::once(&ring as &dyn ::age::Identity))
        .map_err(|error| refusal(error, &survey, keys))?;

    // Sized once: growing would leave unwiped copies of the plaintext behind.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(survey.payload_bytes));
    payload
        .read_to_end(&mut plaintext)
        .map_err(|_| AgeError::MalformedPayload)?;
    Ok(OpenedAge {
        plaintext: SecretBytes::from(plaintext),
        by: ring.opener(),
    })
}

/// All identities as one, so that the one that fitted can be told.
struct Ring<'a> {
    keys: &'a [Identity],
    opened: Cell<Option<usize>>,
}

impl Ring<'_> {
    fn opener(&self) -> String {
        self.opened
            .get()
            .and_then(|index| self.keys.get(index))
            .map(|key| key.recipient().to_owned())
            .unwrap_or_default()
    }
}

impl ::age::Identity for Ring<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        self.keys.iter().enumerate().find_map(|(index, key)| {
            let answer = key.unwrap_stanzas(stanzas)?;
            self.opened.set(Some(index));
            Some(answer)
        })
    }
}

/// Our words for what the `age` crate says: its own texts are made for a terminal in the user's
/// language.
fn refusal(error: DecryptError, survey: &header::Survey, keys: &[Identity]) -> AgeError {
    match error {
        DecryptError::NoMatchingKeys
        | DecryptError::DecryptionFailed
        | DecryptError::KeyDecryptionFailed => AgeError::NoMatch {
            recipients: survey.counted(),
            tried: keys.len(),
        },
        DecryptError::InvalidMac => AgeError::HeaderMac,
        DecryptError::ExcessiveWork { required, .. } => AgeError::TooMuchWork { log_n: required },
        DecryptError::Io(_) => AgeError::MalformedPayload,
        // The enum may grow: whatever comes is met before the payload.
        DecryptError::InvalidHeader | DecryptError::UnknownFormat | _ => AgeError::MalformedHeader,
    }
}
