//! Why an age file does not open, or why a key file gives no identities. No error quotes either
//! file.

use crate::base::failure::{Class, Fault};

use super::limits::{MAX_HEADER, MAX_PAYLOAD, MAX_STANZAS};
use super::passphrase::MAX_LOG_N;

/// What is wrong with an age file or with the keys for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// The file begins neither as the binary nor as the armored form.
    #[error("not an age file")]
    NotAge,
    /// The text around the file is damaged.
    #[error("age: the armor is malformed")]
    MalformedArmor,
    /// The header cannot be read.
    #[error("age: the header is malformed")]
    MalformedHeader,
    /// The header exceeds `MAX_HEADER` or `MAX_STANZAS`.
    #[error(
        "age: the header is larger than {} KiB or has more than {MAX_STANZAS} recipients",
        MAX_HEADER / 1024
    )]
    HeaderTooLarge,
    /// The payload is larger than the limit of what is held in memory.
    #[error("age: the file is larger than {} MiB", .limit / (1024 * 1024))]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A key fitted, but the header was changed after age wrote it.
    #[error("age: the header was changed: its authentication failed")]
    HeaderMac,
    /// A chunk is damaged, missing or superfluous.
    #[error("age: the payload is damaged or cut short; nothing of it was used")]
    MalformedPayload,
    /// No key fitted.
    #[error(
        "age: no identity matched: it is encrypted to {recipients}; {tried} {} tried",
        identities_word(*.tried)
    )]
    NoMatch {
        /// Kinds and counts; X25519 recipients are anonymous in an age file.
        recipients: String,
        /// How many identities there were.
        tried: usize,
    },
    /// A passphrase is needed and none was configured.
    #[error("age: it is encrypted with a passphrase, and none was configured")]
    PassphraseNotOffered,
    /// The passphrase asks for more scrypt work than `MAX_LOG_N`: an attacker may have set the
    /// price.
    #[error(
        "age: its passphrase asks for 2^{log_n} rounds of scrypt; at most 2^{MAX_LOG_N} are done"
    )]
    TooMuchWork {
        /// Base-2 logarithm of the rounds that the file asks for.
        log_n: u8,
    },
    /// A line of a key file is no identity.
    #[error("line {line} of the key file {problem}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What the line holds instead.
        problem: IdentityProblem,
    },
    /// A key file as a whole is no list of identities.
    #[error("the key file {0}")]
    KeyFile(IdentityProblem),
}

/// What a key file or a line of it is instead of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityProblem {
    /// A text of no known kind.
    #[error("is not an age identity")]
    Junk,
    /// Right beginning, wrong checksum or length.
    #[error("is a damaged age identity")]
    Damaged,
    /// The public half.
    #[error("is a recipient, the public half of a key")]
    Recipient,
    /// A plugin's handle.
    #[error("is a plugin identity; keyferry runs no programs to open a file")]
    Plugin,
    /// No identity in the file.
    #[error("holds no identity")]
    Empty,
    /// The identity file is itself an age file.
    #[error("is itself encrypted with age")]
    EncryptedIdentities,
    /// An SSH key that is encrypted with a passphrase.
    #[error("is an SSH key protected by a passphrase")]
    EncryptedSsh,
    /// An SSH key as PKCS#1, PKCS#8 or in PuTTY's format.
    #[error("is a private key, but not in OpenSSH's own format")]
    ForeignSsh,
    /// An OpenSSH key that is cut off or damaged.
    #[error("is a damaged OpenSSH key")]
    DamagedSsh,
    /// An SSH key of another type: ECDSA, DSA, a hardware key.
    #[error("is an SSH key of a type age does not use; it uses ssh-ed25519 and ssh-rsa")]
    SshType,
    /// An RSA key that is too small, too large or inconsistent.
    #[error("is an RSA key that cannot be used: 2048 to 8192 bits are")]
    SshRsa,
    /// Not text.
    #[error("is not text")]
    NotText,
}

impl AgeError {
    /// Whether the error says that the file was changed: only a key of the file can tell that.
    pub fn says_changed(&self) -> bool {
        match self {
            Self::HeaderMac | Self::MalformedPayload => true,
            Self::NotAge
            | Self::MalformedArmor
            | Self::MalformedHeader
            | Self::HeaderTooLarge
            | Self::TooLarge { .. }
            | Self::NoMatch { .. }
            | Self::PassphraseNotOffered
            | Self::TooMuchWork { .. }
            | Self::Line { .. }
            | Self::KeyFile(_) => false,
        }
    }
}

impl Fault for AgeError {
    fn class(&self) -> Class {
        match self {
            Self::NotAge
            | Self::MalformedArmor
            | Self::MalformedHeader
            | Self::HeaderTooLarge
            | Self::HeaderMac
            | Self::MalformedPayload
            | Self::TooMuchWork { .. } => Class::Corrupt,
            Self::NoMatch { .. } | Self::PassphraseNotOffered => Class::Undecryptable,
            Self::TooLarge { .. } => Class::Refused,
            Self::Line { problem, .. } | Self::KeyFile(problem) => problem.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoMatch { .. } => {
                "add the identity of one of these recipients under keys.age, or encrypt the file \
                 again to yours"
            }
            Self::PassphraseNotOffered => "give keys.age a {passphraseFile: FILE}",
            Self::TooMuchWork { .. } => "encrypt it again to a recipient instead of a passphrase",
            Self::HeaderMac | Self::MalformedPayload | Self::MalformedArmor => {
                "restore the file, such as with `git checkout FILE`, or encrypt it again"
            }
            Self::TooLarge { .. } => {
                return Some(format!(
                    "secrets are read whole into memory: up to {} MiB",
                    MAX_PAYLOAD / (1024 * 1024)
                ));
            }
            Self::Line { problem, .. } | Self::KeyFile(problem) => problem.hint()?,
            Self::NotAge => {
                "encrypt it with `age`; a file of `sops` or `kubeseal` is named by `sops:` or \
                 `sealed:`"
            }
            Self::MalformedHeader | Self::HeaderTooLarge => {
                "restore the file, such as with `git checkout FILE`, or encrypt it again"
            }
        };
        Some(hint.to_owned())
    }
}

impl IdentityProblem {
    fn class(self) -> Class {
        match self {
            Self::Plugin | Self::EncryptedIdentities | Self::EncryptedSsh => Class::Refused,
            Self::Junk
            | Self::Damaged
            | Self::Recipient
            | Self::Empty
            | Self::ForeignSsh
            | Self::DamagedSsh
            | Self::SshType
            | Self::SshRsa
            | Self::NotText => Class::Corrupt,
        }
    }

    fn hint(self) -> Option<&'static str> {
        match self {
            Self::Junk | Self::Damaged | Self::Recipient | Self::Empty | Self::NotText => {
                Some("identities are lines AGE-SECRET-KEY-1… as age-keygen writes them")
            }
            Self::Plugin => Some("encrypt to a native age recipient as well"),
            Self::EncryptedIdentities => {
                Some("give its passphrase beside it: `{file: FILE, passphraseFile: FILE}`")
            }
            Self::EncryptedSsh => {
                Some("make an unencrypted copy with `ssh-keygen -p`, or use an age identity")
            }
            Self::ForeignSsh => {
                Some("convert it with `ssh-keygen -p -f FILE`, which writes OpenSSH's format")
            }
            Self::DamagedSsh | Self::SshType | Self::SshRsa => None,
        }
    }
}

/// `1 identity was`, `2 identities were`.
pub(in crate::envelope) fn identities_word(count: usize) -> &'static str {
    if count == 1 {
        "identity was"
    } else {
        "identities were"
    }
}
