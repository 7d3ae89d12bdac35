//! What the annotations of one object say, whichever controller's words they are.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::metadata::Notes;
use super::pattern::budget::{Budget, Cost, Limit};
use super::pattern::{Matching, PatternList, Syntax};
use super::place::{ObjectPlace, ResourceVersion, Uid};
use super::scope::{NamespaceScope, Target};
use super::selector::Selector;

/// Whose annotations are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Dialect {
    /// reflector.v1.k8s.emberstack.com/…
    Emberstack,
    /// replicator.v1.mittwald.de/…
    Mittwald,
}

/// What an object is to us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ask {
    /// Nothing: it says nothing that we understand.
    #[default]
    Nothing,
    /// It may be copied: its annotations say to where.
    Offer,
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
    /// What its patterns cost.
    pub cost: Cost,
    /// Its namespace had no room for its patterns; they are read again when the object is seen
    /// again.
    pub crowded: bool,
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
pub struct Reach(Vec<NamespaceScope>);

impl Reach {
    /// Those in all of these.
    pub fn within(scopes: impl IntoIterator<Item = NamespaceScope>) -> Self {
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

/// Reads the lists and selectors of one source, in one dialect. What cannot be read becomes a
/// remark, and freezes the offer.
#[derive(Debug)]
pub struct Reader<'a> {
    notes: &'a Notes,
    prefix: &'static str,
    budget: &'a mut Budget,
    offer: &'a mut Offer,
}

impl<'a> Reader<'a> {
    /// Of annotations that begin with `prefix`, for an offer.
    pub fn new(
        notes: &'a Notes,
        prefix: &'static str,
        budget: &'a mut Budget,
        offer: &'a mut Offer,
    ) -> Self {
        Self {
            notes,
            prefix,
            budget,
            offer,
        }
    }

    /// Something that the author of an annotation should know.
    pub fn remark(&mut self, key: &str, what: impl fmt::Display) {
        let short = key.strip_prefix(self.prefix).unwrap_or(key);
        self.offer.remarks.push(format!("{short}: {what}"));
    }

    /// A way that the offer has in this dialect.
    pub fn way(&mut self, way: Way) {
        self.offer.ways.push(way);
    }

    /// A list of names; nothing where it is not there, or cannot be read.
    pub fn list(&mut self, key: &str, syntax: Syntax, matching: Matching) -> Option<PatternList> {
        let text = self.notes.read(key)?;
        let list = PatternList::parse(text, syntax, matching, self.budget);
        list.map_err(|error| self.freeze(key, &error, error.limit()))
            .ok()
    }

    /// A selector; nothing where it is not there, or cannot be read.
    pub fn selector(&mut self, key: &str) -> Option<Selector> {
        let text = self.notes.read(key)?;
        if let Err(limit) = self.budget.spend(Selector::cost(text)) {
            self.freeze(key, &limit, Some(limit));
            return None;
        }
        let selector = Selector::parse(text);
        selector
            .map_err(|error| self.freeze(key, &error, None))
            .ok()
    }

    fn freeze(&mut self, key: &str, why: &dyn fmt::Display, limit: Option<Limit>) {
        self.remark(key, why);
        self.offer.frozen = true;
        self.offer.crowded |= limit == Some(Limit::Namespace);
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
}

/// An object that is, or wants to be, a copy of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Whose words it says so in.
    pub dialect: Dialect,
    /// Of which; nothing where it does not name one (a copy made by mittwald's replicator).
    pub source: Option<ObjectPlace>,
    /// `metadata.uid` of the source, where we wrote it.
    pub source_uid: Uid,
    /// The version of the source that it says to hold.
    pub holds: ResourceVersion,
}
