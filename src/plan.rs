//! What is to be done, decided without doing it: pure, so that a table tests it and `keyferry plan` only prints it.
//!
//! Invariant: a [`Plan`] can be shown. It holds names, keys, sizes and reasons; values are only inside its artifacts.

use std::collections::BTreeMap;
use std::fmt;

use crate::artifact::{
    Artifact, Desired, FileArtifact, FileBody, FileSetArtifact, PullSecretLink, SecretArtifact,
    Wanted,
};
use crate::material::SecretBytes;
use crate::observed::{FileSetState, FileState, Observed, SecretState};
use crate::report::{Class, Failure};

/// Everything one pass will do.
#[derive(Debug)]
pub struct Plan {
    /// In the order of the configuration.
    pub deliveries: Vec<DeliveryPlan>,
}

/// What one delivery needs.
#[derive(Debug)]
pub struct DeliveryPlan {
    /// Its name.
    pub delivery: String,
    /// One step per target, or why nothing of it is known.
    pub steps: Result<Vec<Step>, Failure>,
}

/// What happens at one target.
#[derive(Debug)]
pub struct Step {
    /// What is to exist there.
    pub artifact: Artifact,
    /// What will be done.
    pub action: Action,
    /// Its keys, and what becomes of each.
    pub keys: Vec<KeyChange>,
}

/// What will be done at one target, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it is as it should be.
    Keep,
    /// It is made.
    Create,
    /// It is changed.
    Update(Reason),
    /// It is deleted with a precondition and made anew.
    Recreate {
        /// Why an update is impossible.
        reason: Reason,
        /// The only object that may be deleted.
        uid: String,
    },
    /// Nothing: it must not be touched.
    Refuse(Failure),
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
    /// It stands without our mark and may be taken over.
    Adopt,
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
            Self::Adopt => f.write_str("adopted: it had no owner mark"),
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

/// Decides what each artifact needs, given what stands at its place (one entry per artifact, in order).
pub fn plan(_desired: Desired, _observed: Vec<Vec<Observed>>) -> Plan {
    todo!("lead")
}
