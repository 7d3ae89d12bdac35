//! Data of a source: a tree whose leaves are secret, and how long the data is valid.
//!
//! Invariant: a value enters a [`SecretBytes`] as soon as it is decoded and leaves it only through
//! [`SecretBytes::expose`], so a review can search for this name. There is no `Display`, no
//! `Serialize` and no `Clone` here, and `Debug` shows neither a value nor its length.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::base::wiped::WipedBytes;

use crate::base::counters;
use crate::base::failure::{Class, Fault};

/// Environment variables that hold a secret of ours: never read, and never handed to a child.
pub const SECRET_VARIABLES: [&str; 6] = [
    "VAULT_TOKEN",
    "BAO_TOKEN",
    "SOPS_AGE_KEY",
    "SOPS_AGE_KEY_CMD",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "KEYFERRY_TOKEN",
];

/// Owned bytes of a secret, wiped when dropped.
#[derive(Default)]
pub struct SecretBytes(WipedBytes);

impl SecretBytes {
    /// The bytes themselves. Reviews search for this name.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text; `None` when they are not UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// A copy. `Clone` is absent, so that each copy is a decision.
    pub fn duplicate(&self) -> Self {
        Self::from(self.0.to_vec())
    }

    /// How many bytes: shown in plans, never in a log.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes without white space at both ends: tokens and keys are read from files that end in
    /// a newline.
    pub fn trimmed(&self) -> Self {
        Self::from(self.0.trim_ascii())
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(WipedBytes::from(bytes))
    }
}

impl From<WipedBytes> for SecretBytes {
    fn from(bytes: WipedBytes) -> Self {
        counters::HELD.grow(bytes.len());
        Self(bytes)
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        counters::HELD.shrink(self.0.len());
    }
}

impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&str> for SecretBytes {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<Zeroizing<String>> for SecretBytes {
    fn from(mut text: Zeroizing<String>) -> Self {
        Self::from(std::mem::take(&mut *text))
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

/// Compares in constant time for equal lengths.
impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Zeroize for SecretBytes {
    fn zeroize(&mut self) {
        counters::HELD.shrink(self.0.len());
        self.0.zeroize();
    }
}

/// A document as its source holds it: order kept, numbers as they are spelt, every leaf secret.
#[derive(Debug, PartialEq, Eq)]
pub enum Node {
    /// JSON or YAML `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number in its own spelling: `2^53 + 1` stays exact. Infinities and NaN are spelt as in
    /// YAML.
    Number(SecretBytes),
    /// A point in time as RFC 3339 spells it. Only YAML has times that are no text.
    Time(SecretBytes),
    /// Text, or bytes that are not UTF-8.
    Text(SecretBytes),
    /// An ordered list.
    List(Vec<Node>),
    /// An ordered mapping; keys are unique.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Bytes of all its leaves.
    pub fn weight(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 0,
            Self::Number(bytes) | Self::Time(bytes) | Self::Text(bytes) => bytes.len(),
            Self::List(items) => items.iter().map(Self::weight).sum(),
            Self::Map(entries) => entries.iter().map(|(_, node)| node.weight()).sum(),
        }
    }

    /// About how many bytes it takes in a document of JSON or YAML.
    pub fn written_size(&self) -> usize {
        /// Quotes, a comma, and the white space around an entry.
        const AROUND: usize = 12;
        AROUND
            + match self {
                Self::List(items) => items.iter().map(Self::written_size).sum(),
                Self::Map(entries) => entries
                    .iter()
                    .map(|(key, node)| key.len() + node.written_size())
                    .sum(),
                Self::Null | Self::Bool(_) | Self::Number(_) | Self::Time(_) | Self::Text(_) => {
                    self.weight()
                }
            }
    }

    /// A text leaf.
    pub fn text(text: impl Into<SecretBytes>) -> Self {
        Self::Text(text.into())
    }

    /// One entry of a mapping; `None` where the node is no mapping, or has no such entry.
    pub fn entry(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                let mut entries = entries.iter();
                entries.find_map(|(key, node)| (key == name).then_some(node))
            }
            Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Time(_)
            | Self::Text(_)
            | Self::List(_) => None,
        }
    }

    /// A copy of the whole tree. `Clone` is absent, so that each copy is a decision.
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Null => Self::Null,
            Self::Bool(value) => Self::Bool(*value),
            Self::Number(text) => Self::Number(text.duplicate()),
            Self::Time(text) => Self::Time(text.duplicate()),
            Self::Text(text) => Self::Text(text.duplicate()),
            Self::List(items) => Self::List(items.iter().map(Self::duplicate).collect()),
            Self::Map(entries) => Self::Map(
                entries
                    .iter()
                    .map(|(key, node)| (key.clone(), node.duplicate()))
                    .collect(),
            ),
        }
    }

    /// The bytes of a leaf as a field carries them; `None` for `null`, lists and mappings.
    pub fn leaf(&self) -> Option<SecretBytes> {
        match self {
            Self::Bool(true) => Some(SecretBytes::from("true")),
            Self::Bool(false) => Some(SecretBytes::from("false")),
            Self::Number(text) | Self::Time(text) | Self::Text(text) => Some(text.duplicate()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// Data that one source gave in one pass.
#[derive(Debug)]
pub struct Material {
    /// Usually one; a YAML file may hold several.
    pub documents: Vec<Node>,
    /// Name that the source gives this state of the data (`7` in KV v2), for the report.
    pub version: Option<String>,
    /// When that version was made, where the source tells: after a deletion, versions count from 1
    /// again.
    pub made: Option<String>,
    /// Leaves that nothing protects from change.
    pub unverified: Unverified,
    /// Seconds until the source itself changes the data, as for a static role in Vault.
    pub rotates_in: Option<u64>,
    /// Whether a key `<<` is YAML's merge key: its value belongs to the mapping around it.
    pub merge_keys: bool,
    /// The lease with which the data ends: the token that fetched the data must then stay valid.
    pub lease: Option<Lease>,
}

impl Material {
    /// Data without version or lease.
    pub fn unversioned(document: Node) -> Self {
        Self::of_documents(vec![document])
    }

    /// Like [`Self::unversioned`], for any number of documents.
    pub fn of_documents(documents: Vec<Node>) -> Self {
        Self {
            documents,
            version: None,
            made: None,
            unverified: Unverified::default(),
            rotates_in: None,
            merge_keys: false,
            lease: None,
        }
    }
}

/// Leaves of a document that anybody could have changed. A caller that needs such a leaf refuses
/// it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unverified(Vec<Vec<String>>);

impl Unverified {
    /// These leaves: keys and indexes from the top; of several documents, the document's number
    /// first.
    pub fn leaves(places: Vec<Vec<String>>) -> Self {
        Self(places)
    }

    /// Refuses a place that is one of these leaves or holds one; the empty place holds everything.
    pub fn check(&self, place: &[&str]) -> Result<(), UnverifiedError> {
        let below = |leaf: &&Vec<String>| {
            leaf.len() >= place.len() && leaf.iter().zip(place).all(|(step, of)| step == of)
        };
        self.0.iter().find(below).map_or(Ok(()), |leaf| {
            Err(UnverifiedError {
                path: leaf.join(".").escape_debug().to_string(),
            })
        })
    }
}

/// A value that anybody could have changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the value at `{path}` is neither encrypted nor covered by the file's checksum \
     (`mac_only_encrypted`)"
)]
pub struct UnverifiedError {
    path: String,
}

impl Fault for UnverifiedError {
    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(
            "`pick` encrypted values only, encrypt it again without mac_only_encrypted, or set \
            `allowUnauthenticated: true`"
                .to_owned(),
        )
    }
}

/// How long leased data stays good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The provider's name of the lease.
    pub id: String,
    /// Validity in seconds, from the answer on.
    pub seconds: u64,
    /// Whether the provider lets it be prolonged.
    pub renewable: bool,
}
