//! Opens age files (binary or armored) with the identities at hand.
//!
//! The `age` crate parses, checks the header and decrypts the payload. Our own code has the limits
//! before that, the identities that the crate lacks (SSH keys without the `rsa` crate, hybrid
//! post-quantum keys) and all messages.
//!
//! Architecture invariant: no program is ever run for a key, so plugin identities are refused; and
//! no byte of a payload is returned before its last chunk was verified.

mod error;
mod header;
mod hybrid;
mod identity;
mod limits;
mod openssh;
mod passphrase;
mod ssh_ed25519;
mod ssh_rsa;

use std::cell::Cell;
use std::io::Read;

use crate::base::wiped::WipedBytes;
use ::age::DecryptError;
use age_core::format::{FileKey, Stanza};

use crate::base::material::SecretBytes;
use limits::MAX_PAYLOAD;

pub(in crate::envelope) use error::identities_word;
pub use error::{AgeError, IdentityProblem};
pub use header::AgeRecipient;
pub use identity::{Identity, encrypted_identities, identities};
pub(in crate::envelope) use ssh_ed25519::short_hash;

/// The payload of an age file and the key that opened it.
#[derive(Debug)]
pub struct OpenedAge {
    /// The whole payload, authenticated.
    pub plaintext: SecretBytes,
    /// The recipient of the identity that opened it.
    pub by: String,
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

/// Like [`open`], with another limit on the payload.
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
    let mut plaintext = WipedBytes::with_capacity(survey.payload_bytes);
    payload
        .read_to_end(plaintext.reserved())
        .map_err(|_| AgeError::MalformedPayload)?;
    Ok(OpenedAge {
        plaintext: SecretBytes::from(plaintext),
        by: ring.opener(),
    })
}

/// All identities as one, which remembers the identity that fitted.
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

/// Our error for an error of the `age` crate, whose texts are translated into the user's language.
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
        // The enum may grow. Every variant is an error of the header: the payload is not read yet.
        DecryptError::InvalidHeader | DecryptError::UnknownFormat | _ => AgeError::MalformedHeader,
    }
}
