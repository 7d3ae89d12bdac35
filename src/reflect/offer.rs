//! What the annotations of one object say, whichever controller's words they are.

use super::place::{Place, Uid, Version};
use super::scope::{Scope, Target};

/// Whose words an annotation uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// emberstack's reflector.
    Emberstack,
    /// mittwald's replicator.
    Mittwald,
}

/// What an object is to us.
#[derive(Debug, Clone, Default)]
pub enum Ask {
    /// Nothing: it says nothing that we understand.
    #[default]
    Nothing,
    /// It may be copied.
    Offer(Offer),
    /// Its owner wants it to be filled from elsewhere.
    Mirror(Mirror),
    /// A controller made it.
    Copy(Mirror),
    /// The configuration declares it: never a source, and none of our business here.
    Declared,
}

/// Consent and request of a source.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// One per dialect that says anything.
    pub ways: Vec<Way>,
    /// What its author should know; in order, each once.
    pub remarks: Vec<String>,
    /// Part of it cannot be read: what is there stays as it is, and nothing new is made.
    pub frozen: bool,
}

/// What one dialect's annotations allow and ask for.
#[derive(Debug, Clone)]
pub struct Way {
    /// Whose.
    pub dialect: Dialect,
    /// Namespaces whose objects may fill themselves from it.
    pub pull: Reach,
    /// Namespaces that get a copy.
    pub push: Reach,
}

/// Namespaces that are in all of these scopes; none where there is no scope.
#[derive(Debug, Clone, Default)]
pub struct Reach(Vec<Scope>);

impl Reach {
    /// Those in all of these.
    pub fn within(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Whether a namespace is meant.
    pub fn covers(&self, target: Target<'_>) -> bool {
        !self.0.is_empty() && self.0.iter().all(|scope| scope.covers(target))
    }

    /// Whether no namespace can be meant.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Offer {
    /// By whose words a namespace gets a copy.
    pub fn pushes_to(&self, target: Target<'_>) -> Option<Dialect> {
        let mut ways = self.ways.iter();
        ways.find(|way| way.push.covers(target))
            .map(|way| way.dialect)
    }

    /// Whether an object in this namespace may fill itself, asking in this dialect's words.
    pub fn lets_pull(&self, dialect: Dialect, target: Target<'_>) -> bool {
        let mut ways = self.ways.iter();
        ways.any(|way| way.dialect == dialect && way.pull.covers(target))
    }

    /// Whether it ever gives anything to anyone.
    pub fn is_idle(&self) -> bool {
        self.ways
            .iter()
            .all(|way| way.pull.is_empty() && way.push.is_empty())
    }
}

/// An object that is, or wants to be, a copy of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Whose words it says so in.
    pub dialect: Dialect,
    /// Of which; nothing where it does not name one (a copy made by mittwald's replicator).
    pub source: Option<Place>,
    /// `metadata.uid` of the source, where we wrote it.
    pub source_uid: Uid,
    /// The version of the source that it says to hold.
    pub holds: Version,
}
