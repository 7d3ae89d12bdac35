//! What an age file tells before any key is tried: its recipients, and whether it exceeds a limit.
//!
//! The limits are checked here because the `age` crate has none: it reads a header that does not
//! end up to the end of the file, and again from the start at each line.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use super::error::AgeError;
use super::limits::{MAX_HEADER, MAX_STANZAS};

/// Kind of stanzas that are for no recipient. Some tools add them so that readers keep skipping
/// kinds that they do not know.
pub(super) const GREASE: &str = "grease";

const MAGIC: &[u8] = b"age-encryption.org/";
const ARMOR_BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const BODY_LINE: usize = 64;
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const NONCE: usize = 16;

/// The binary form of a file that may be armored.
pub(super) fn without_armor(bytes: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, AgeError> {
    if bytes.starts_with(MAGIC) {
        return Ok(Cow::Borrowed(bytes));
    }
    let armored = bytes.trim_ascii_start();
    if !armored.starts_with(ARMOR_BEGIN) {
        return Err(AgeError::NotAge);
    }
    // 64 characters and at most two line ends stand for 48 bytes.
    if bytes.len() / 66 * 48 > sealed_size(limit) + MAX_HEADER {
        return Err(AgeError::TooLarge { limit });
    }
    let mut binary = Vec::with_capacity(bytes.len() / 4 * 3);
    ::age::armor::ArmoredReader::new(armored)
        .read_to_end(&mut binary)
        .map_err(|_| AgeError::MalformedArmor)?;
    Ok(Cow::Owned(binary))
}

/// Size of a payload of this many bytes once it is encrypted.
fn sealed_size(payload: usize) -> usize {
    NONCE + payload + (payload / CHUNK + 1) * TAG
}

/// A recipient of an age file, as far as the file tells: it does not name age's own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgeRecipient {
    /// `X25519`, `mlkem768x25519`, `ssh-ed25519`, `ssh-rsa`, `scrypt` (a passphrase) or something
    /// else.
    pub kind: String,
    /// The short hash of an SSH key.
    pub tag: Option<String>,
}

impl AgeRecipient {
    /// Whether we support identities of this kind.
    pub fn is_supported(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "X25519" | "mlkem768x25519" | "ssh-ed25519" | "ssh-rsa" | "scrypt"
        )
    }
}

/// Facts that a header tells without a key.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) recipients: Vec<AgeRecipient>,
    /// At least as many bytes as the plaintext will have.
    pub(super) payload_bytes: usize,
}

impl Survey {
    /// Whether only a passphrase opens the file.
    pub(super) fn wants_passphrase(&self) -> bool {
        self.recipients.iter().any(|one| one.kind == "scrypt")
    }

    /// Kinds and counts, for messages: `2 × X25519, 1 × ssh-rsa`.
    pub(super) fn counted(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for one in &self.recipients {
            *counts.entry(&one.kind).or_default() += 1;
        }
        let parts: Vec<String> = counts
            .iter()
            .map(|(kind, count)| format!("{count} × {kind}"))
            .collect();
        parts.join(", ")
    }
}

/// Looks through a header without understanding its stanzas.
///
/// The shape of a stanza is checked too: the `age` crate still accepts files from before the
/// standard, in which a body may lack its last line.
pub(super) fn survey(binary: &[u8], limit: usize) -> Result<Survey, AgeError> {
    if !binary.starts_with(MAGIC) {
        return Err(AgeError::MalformedHeader);
    }
    let within = &binary[..binary.len().min(MAX_HEADER)];
    let mut recipients = Vec::new();
    let mut read = 0;
    let mut in_body = false;
    for line in within.split_inclusive(|byte| *byte == b'\n') {
        read += line.len();
        if in_body {
            // A body ends with its first line that is not full.
            in_body = line.len() > BODY_LINE;
        } else if let Some(stanza) = line.strip_prefix(b"-> ") {
            recipients.push(recipient(stanza));
            in_body = true;
        } else if line.starts_with(b"---") && line.ends_with(b"\n") {
            let payload_bytes = binary.len() - read;
            return match payload_bytes > sealed_size(limit) {
                true => Err(AgeError::TooLarge { limit }),
                false => Ok(Survey {
                    recipients,
                    payload_bytes,
                }),
            };
        } else if read > line.len() {
            break;
        }
        if recipients.len() > MAX_STANZAS {
            return Err(AgeError::HeaderTooLarge);
        }
    }
    Err(if read >= MAX_HEADER {
        AgeError::HeaderTooLarge
    } else {
        AgeError::MalformedHeader
    })
}

/// The kind of a stanza and, for an SSH key, its short hash: age names no other keys.
fn recipient(stanza: &[u8]) -> AgeRecipient {
    let mut words = stanza.split(|byte| byte.is_ascii_whitespace()).peekable();
    if words.peek().is_some_and(|kind| kind.ends_with(b"-grease")) {
        return AgeRecipient {
            kind: GREASE.to_owned(),
            tag: None,
        };
    }
    let kind = words.next().and_then(plain);
    let tag = words.next().and_then(plain);
    let is_ssh = kind.as_ref().is_some_and(|kind| kind.starts_with("ssh-"));
    AgeRecipient {
        kind: kind.unwrap_or_else(|| "an unknown kind".to_owned()),
        tag: tag.filter(|_| is_ssh),
    }
}

/// The word may hold anything, so a message repeats only a plain and short word.
fn plain(word: &[u8]) -> Option<String> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./+".contains(byte);
    let fits = (1..=32).contains(&word.len()) && word.iter().all(is_plain);
    fits.then(|| String::from_utf8_lossy(word).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &[u8], expected: Result<&str, AgeError>) {
        let seen = survey(file, 1000).map(|survey| survey.counted());
        assert_eq!(seen, expected.map(str::to_owned));
    }

    #[test]
    fn kinds_are_counted_and_strange_names_are_not_repeated() {
        check(
            b"age-encryption.org/v1\n-> X25519 a\nbody\n-> ssh-rsa x\nbody\n-> X25519 \
                b\nbody\n--- mac\n",
            Ok("2 \u{d7} X25519, 1 \u{d7} ssh-rsa"),
        );
        check(
            b"age-encryption.org/v1\n-> \x1b[2J\nbody\n--- mac\n",
            Ok("1 \u{d7} an unknown kind"),
        );
    }

    #[test]
    fn limits_are_decided_before_anything_else() {
        let mut many = b"age-encryption.org/v1\n".to_vec();
        many.extend(b"-> X25519 a\nbody\n".repeat(MAX_STANZAS + 1));
        check(&many, Err(AgeError::HeaderTooLarge));

        let mut endless = b"age-encryption.org/v1\n-> X25519 ".to_vec();
        endless.resize(100 * 1024 * 1024, b'a');
        check(&endless, Err(AgeError::HeaderTooLarge));

        let mut large = b"age-encryption.org/v1\n-> X25519 a\nbody\n--- mac\n".to_vec();
        large.resize(large.len() + 1000 + 32, 0);
        check(&large, Ok("1 \u{d7} X25519"));
        large.push(0);
        check(&large, Err(AgeError::TooLarge { limit: 1000 }));
    }

    #[test]
    fn what_is_not_age_is_said_to_be_none() {
        for plain in [
            &b""[..],
            b"\n plain",
            b"password: hunter2",
            b"-----BEGIN AGE",
        ] {
            assert_eq!(without_armor(plain, 10).unwrap_err(), AgeError::NotAge);
        }
        check(b"", Err(AgeError::MalformedHeader));
        check(b"age-encryption.org/v1\n", Err(AgeError::MalformedHeader));
        check(
            b"age-encryption.org/v1\n-> X25519 a",
            Err(AgeError::MalformedHeader),
        );
        check(
            b"age-encryption.org/v1\nx\n--- mac\n",
            Err(AgeError::MalformedHeader),
        );
    }
}
