//! What the annotations of one object say, in the words of either controller.

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

/// What an object is for us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ask {
    /// It has no annotation that we understand.
    #[default]
    Nothing,
    /// It may be copied; its annotations say where.
    Offer,
    /// Its owner wants it to be filled from another object.
    Mirror(Mirror),
    /// A controller made it.
    Copy(Mirror),
    /// The configuration declares it: it is never a source, and this module leaves it alone.
    Declared,
}

/// What a source allows and what it asks for.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// One for each dialect that the source uses.
    pub ways: Vec<Way>,
    /// What its author should know; in order, each once.
    pub remarks: Vec<String>,
    /// Part of it cannot be read: existing copies stay unchanged, and no new ones are made.
    pub frozen: bool,
    /// The cost of its patterns.
    pub cost: Cost,
    /// Its namespace had no room for its patterns; they are read again at the object's next event.
    pub crowded: bool,
}

/// What one dialect's annotations allow and ask for.
#[derive(Debug, Clone)]
pub struct Way {
    /// The dialect.
    pub dialect: Dialect,
    /// Namespaces whose objects may fill themselves from it.
    pub pull: Reach,
    /// Namespaces that get a copy.
    pub push: Reach,
}

/// Namespaces that are in all of these scopes; none if there is no scope.
#[derive(Debug, Clone, Default)]
pub struct Reach(Vec<NamespaceScope>);

impl Reach {
    /// The namespaces that are in all of these scopes.
    pub fn within(scopes: impl IntoIterator<Item = NamespaceScope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Whether a namespace belongs to it.
    pub fn covers(&self, target: Target<'_>) -> bool {
        !self.0.is_empty() && self.0.iter().all(|scope| scope.covers(target))
    }

    /// Whether no namespace can belong to it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads the lists and selectors of one source, in one dialect. An unreadable one becomes a remark
/// and freezes the offer.
#[derive(Debug)]
pub struct Reader<'a> {
    notes: &'a Notes,
    prefix: &'static str,
    budget: &'a mut Budget,
    offer: &'a mut Offer,
}

impl<'a> Reader<'a> {
    /// A reader of annotations that begin with `prefix`, which fills an offer.
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

    /// Adds a remark for the author of an annotation.
    pub fn remark(&mut self, key: &str, what: impl fmt::Display) {
        let short = key.strip_prefix(self.prefix).unwrap_or(key);
        self.offer.remarks.push(format!("{short}: {what}"));
    }

    /// Adds the way of this dialect to the offer.
    pub fn way(&mut self, way: Way) {
        self.offer.ways.push(way);
    }

    /// A list of names; nothing if the annotation is absent or unreadable.
    pub fn list(&mut self, key: &str, syntax: Syntax, matching: Matching) -> Option<PatternList> {
        let text = self.notes.read(key)?;
        let list = PatternList::parse(text, syntax, matching, self.budget);
        list.map_err(|error| self.freeze(key, &error, error.limit()))
            .ok()
    }

    /// A selector; nothing if the annotation is absent or unreadable.
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
    /// The dialect by which a namespace gets a copy.
    pub fn pushes_to(&self, target: Target<'_>) -> Option<Dialect> {
        let mut ways = self.ways.iter();
        ways.find(|way| way.push.covers(target))
            .map(|way| way.dialect)
    }

    /// Whether an object in this namespace may fill itself if it asks in this dialect.
    pub fn lets_pull(&self, dialect: Dialect, target: Target<'_>) -> bool {
        let mut ways = self.ways.iter();
        ways.any(|way| way.dialect == dialect && way.pull.covers(target))
    }
}

/// An object that is, or wants to be, a copy of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The dialect of its annotations.
    pub dialect: Dialect,
    /// Its source; nothing if it names none (a copy made by mittwald's replicator).
    pub source: Option<ObjectPlace>,
    /// `metadata.uid` of the source, where we wrote it.
    pub source_uid: Uid,
    /// The version of the source that its annotations name.
    pub holds: ResourceVersion,
}
