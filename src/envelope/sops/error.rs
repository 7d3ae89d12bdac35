//! Why a SOPS file does not open: a place and a word, never a value, and never the checksum that we
//! computed.

use crate::base::failure::{Class, Fault};
use crate::envelope::age::{AgeError, identities_word};
use crate::format::SyntaxError;

use super::limits::{MAX_CLEAR, MAX_KEY_BYTES, MAX_RECIPIENTS};

/// What is wrong with a SOPS file, or with the keys for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SopsError {
    /// No metadata, so nothing says that it is encrypted.
    #[error("not a SOPS file: it has no `sops` metadata")]
    NotSops,
    /// The text is not in its format.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The top of a document is no mapping, or a binary file has no `data`.
    #[error("sops: it is not laid out as SOPS lays out {0}")]
    Layout(&'static str),
    /// A field of the metadata is absent or wrong.
    #[error("sops: the metadata field `{0}` is absent or malformed")]
    Metadata(&'static str),
    /// More than one rule says what is encrypted.
    #[error("sops: the metadata has more than one rule for what is encrypted")]
    Rules,
    /// A pattern that cannot be compiled in bounds.
    #[error("sops: the pattern in `{0}` is not understood")]
    Pattern(&'static str),
    /// More recipients or more bytes of keys than the limits allow.
    #[error(
        "sops: it has more than {MAX_RECIPIENTS} recipients, or more than {} KiB of keys",
        MAX_KEY_BYTES / 1024
    )]
    TooManyKeys,
    /// The file has no age key, and Vault could not help.
    #[error("sops: no age key group usable: it needs {needs}")]
    ForeignKeys {
        /// The kinds of keys that it names.
        needs: String,
    },
    /// No identity fits.
    #[error(
        "sops: no identity matched: it is encrypted to {recipients}; {tried} {} tried",
        identities_word(*.tried)
    )]
    NoMatch {
        /// The recipients, as the file names them.
        recipients: String,
        /// How many identities there were.
        tried: usize,
    },
    /// Too few key groups opened.
    #[error(
        "sops: no age key group usable: {opened} of its {groups} key groups open, and it takes \
         {threshold}"
    )]
    Threshold {
        /// How many groups opened.
        opened: usize,
        /// How many groups the file has.
        groups: usize,
        /// How many groups must open.
        threshold: usize,
    },
    /// The age file that holds the data key is damaged.
    #[error("sops: its encrypted data key is damaged")]
    Key(#[source] AgeError),
    /// A data key or share of another length, or shares that do not fit together.
    #[error("sops: its data key is malformed")]
    DataKey,
    /// An encrypted value is not in SOPS' form.
    #[error("sops: the value at `{path}` is not an encrypted value")]
    Form {
        /// Keys from the top, never a value.
        path: String,
    },
    /// An encrypted value is damaged, or was moved from another place.
    #[error("sops: the value at `{path}` was changed: its authentication failed")]
    Value {
        /// Keys from the top, never a value.
        path: String,
    },
    /// The value opened, but does not have the form of its type.
    #[error("sops: the value at `{path}` is not of the type it names")]
    Type {
        /// Keys from the top, never a value.
        path: String,
    },
    /// The checksum is absent.
    #[error("sops: it has no checksum (`mac`)")]
    NoMac,
    /// The checksum is damaged or differs.
    #[error("sops: its checksum (`mac`) does not fit: it was changed after it was encrypted")]
    Mac,
    /// More clear values outside the checksum than can be listed one by one.
    #[error(
        "sops: more than {MAX_CLEAR} values are not covered by the checksum (`mac_only_encrypted`)"
    )]
    TooManyClear,
    /// A clear value that the checksum does not cover.
    #[error(
        "sops: the value at `{path}` is neither encrypted nor covered by the checksum \
         (`mac_only_encrypted`)"
    )]
    Unauthenticated {
        /// Keys from the top, never a value.
        path: String,
    },
}

impl SopsError {
    /// Whether the given keys did not yield the data key: other keys may.
    pub fn lacks_a_key(&self) -> bool {
        matches!(
            self,
            Self::Key(_) | Self::ForeignKeys { .. } | Self::NoMatch { .. } | Self::Threshold { .. }
        )
    }

    /// Whether the error says that the file was changed: only a key of the file can tell that.
    pub fn says_changed(&self) -> bool {
        match self {
            Self::Key(_)
            | Self::DataKey
            | Self::Form { .. }
            | Self::Value { .. }
            | Self::Type { .. }
            | Self::NoMac
            | Self::Mac => true,
            Self::NotSops
            | Self::Syntax(_)
            | Self::Layout(_)
            | Self::Metadata(_)
            | Self::Rules
            | Self::Pattern(_)
            | Self::TooManyKeys
            | Self::TooManyClear
            | Self::ForeignKeys { .. }
            | Self::NoMatch { .. }
            | Self::Threshold { .. }
            | Self::Unauthenticated { .. } => false,
        }
    }
}

impl Fault for SopsError {
    fn class(&self) -> Class {
        match self {
            Self::Syntax(error) => error.class(),
            Self::TooManyKeys
            | Self::Pattern(_)
            | Self::TooManyClear
            | Self::Unauthenticated { .. } => Class::Refused,
            Self::NotSops
            | Self::Layout(_)
            | Self::Metadata(_)
            | Self::Rules
            | Self::Key(_)
            | Self::DataKey
            | Self::Form { .. }
            | Self::Value { .. }
            | Self::Type { .. }
            | Self::NoMac
            | Self::Mac => Class::Corrupt,
            Self::ForeignKeys { .. } | Self::NoMatch { .. } | Self::Threshold { .. } => {
                Class::Undecryptable
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Syntax(error) => return error.hint(),
            Self::NotSops => "encrypt it with `sops encrypt`, or check its `format`",
            Self::ForeignKeys { .. } => {
                "add an age recipient with `sops rotate --add-age`; keyferry opens SOPS files \
                 with age keys and by Vault's transit engine"
            }
            Self::NoMatch { .. } | Self::Threshold { .. } => {
                "add the identity of one of these recipients under keys.age, or run `sops \
                 updatekeys` with yours"
            }
            Self::Unauthenticated { .. } => {
                "encrypt it again without mac_only_encrypted, or set `allowUnauthenticated: true`"
            }
            Self::TooManyClear => "encrypt it again without mac_only_encrypted",
            Self::Form { .. } | Self::Value { .. } | Self::NoMac | Self::Mac | Self::Key(_) => {
                "restore the file, such as with `git checkout FILE`; change it only with `sops \
                 edit`"
            }
            Self::Layout(_) => "check its `format`",
            Self::Metadata(_)
            | Self::Rules
            | Self::Pattern(_)
            | Self::TooManyKeys
            | Self::DataKey
            | Self::Type { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
