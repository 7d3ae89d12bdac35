//! The `scrypt` stanza: a file encrypted with a passphrase.
//!
//! The `age` crate's code is not used: it measures the speed of the machine first (a tenth of a
//! second or more) and derives its limit from the result. Here the limit is a constant, the same on
//! every machine.

use ::age::DecryptError;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::aead_decrypt;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::base::material::SecretBytes;

/// The most work that a file may ask for: 2^18 rounds take 256 MiB and about a second. `age -p`
/// writes this value.
pub(super) const MAX_LOG_N: u8 = 18;

const LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
const SALT: usize = 16;

/// `None` when the stanza is of another kind or the passphrase is wrong.
pub(super) fn unwrap_stanza(
    passphrase: &SecretBytes,
    stanza: &Stanza,
) -> Option<Result<FileKey, DecryptError>> {
    if stanza.tag != "scrypt" {
        return None;
    }
    let Some((salt, log_n)) = arguments(stanza) else {
        return Some(Err(DecryptError::InvalidHeader));
    };
    if log_n > MAX_LOG_N {
        return Some(Err(DecryptError::ExcessiveWork {
            required: log_n,
            target: MAX_LOG_N,
        }));
    }
    let key = stretch(passphrase, &salt, log_n)?;
    let opened = Zeroizing::new(aead_decrypt(&key, FILE_KEY_BYTES, &stanza.body).ok()?);
    Some(Ok(FileKey::init_with_mut(|file_key| {
        file_key.copy_from_slice(&opened);
    })))
}

/// Salt and work of a stanza in its only allowed spelling.
fn arguments(stanza: &Stanza) -> Option<([u8; SALT], u8)> {
    let [salt, work] = stanza.args.as_slice() else {
        return None;
    };
    let salt = STANDARD_NO_PAD.decode(salt).ok()?.try_into().ok()?;
    let canonical = work.bytes().all(|byte| byte.is_ascii_digit()) && !work.starts_with('0');
    let log_n: u8 = work.parse().ok().filter(|_| canonical)?;
    (log_n < 64 && stanza.body.len() == FILE_KEY_BYTES + 16).then_some((salt, log_n))
}

fn stretch(passphrase: &SecretBytes, salt: &[u8], log_n: u8) -> Option<Zeroizing<[u8; 32]>> {
    let params = scrypt::Params::new(log_n, 8, 1, 32).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(
        passphrase.expose(),
        &[LABEL, salt].concat(),
        &params,
        &mut key[..],
    )
    .ok()?;
    Some(key)
}
