//! What is done at one target, why, and what becomes of its keys.

use std::fmt;

use crate::base::artifact::Owner;
use crate::base::failure::Failure;

/// What will be done at one target, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it is as it should be.
    Keep,
    /// It is made.
    Create,
    /// It is changed.
    Update(Reason),
    /// It is deleted, if it is still the object that was seen, and made again: an update is
    /// impossible.
    Recreate(Reason),
    /// It is deleted, if it is still exactly what was seen.
    Delete,
    /// Nothing: it must not be touched.
    Refuse(Failure),
    /// Nothing yet: it would be changed, and its window is shut.
    Wait,
}

impl Action {
    /// Whether it writes.
    pub fn is_change(&self) -> bool {
        match self {
            Self::Create | Self::Update(_) | Self::Recreate(_) | Self::Delete => true,
            Self::Keep | Self::Refuse(_) | Self::Wait => false,
        }
    }

    /// Why it must not be touched, if so.
    pub fn refusal(&self) -> Option<&Failure> {
        match self {
            Self::Refuse(failure) => Some(failure),
            Self::Keep
            | Self::Create
            | Self::Update(_)
            | Self::Recreate(_)
            | Self::Delete
            | Self::Wait => None,
        }
    }

    /// The word for it in plans, reports and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Create => "create",
            Self::Update(_) => "update",
            Self::Recreate(_) => "recreate",
            Self::Delete => "delete",
            Self::Refuse(_) => "refuse",
            Self::Wait => "wait",
        }
    }
}

/// Why something is changed: the same word in plan, log and test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Some value differs.
    Content,
    /// Mode or owner differ.
    Access,
    /// Labels or annotations differ.
    Metadata,
    /// A killed run left something, or a link is missing.
    Damage(String),
    /// It stands with another mark than ours and may be taken over.
    Adopt {
        /// Whose it was.
        from: Owner,
    },
    /// Its annotations name another delivery or other sources.
    Provenance,
    /// The type cannot be changed.
    Type {
        /// The type that is there.
        from: String,
    },
    /// It is immutable.
    Immutable,
    /// The ServiceAccount does not name the Secret.
    NotLinked,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content => f.write_str("content differs"),
            Self::Access => f.write_str("mode or owner differ"),
            Self::Metadata => f.write_str("labels or annotations differ"),
            Self::Damage(what) => write!(f, "{what}"),
            Self::Adopt { from } => match from {
                Owner::Stranger => f.write_str("adopted: it had no owner mark"),
                Owner::Unnamed => f.write_str("taken over: its owner mark had no name"),
                Owner::Configuration(name) => write!(f, "adopted from configuration `{name}`"),
                Owner::Reflector => f.write_str("adopted: it was a copy of the reflector"),
            },
            Self::Provenance => f.write_str("it named another delivery or other sources"),
            Self::Type { from } => write!(f, "type was {from}"),
            Self::Immutable => f.write_str("it is immutable"),
            Self::NotLinked => f.write_str("not in imagePullSecrets"),
        }
    }
}

/// One key of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// Its name.
    pub key: String,
    /// Bytes it will have; nothing when it goes.
    pub size: Option<usize>,
    /// What becomes of it.
    pub change: Change,
}

/// What becomes of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// Its value differs.
    Changed,
    /// It goes.
    Removed,
    /// It stays.
    Same,
}
