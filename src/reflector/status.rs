//! The status of a reflector, for people: names and reasons, never a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::copy_rules::index::Index;

/// How many sources and refused places are named: a cluster may have thousands.
const NAMED: usize = 50;

/// Copies by annotation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReflectorStatus {
    /// Whether it works, or another replica does.
    pub ready: bool,
    /// The same in words.
    pub text: String,
    /// Whether this replica works.
    pub leads: bool,
    /// How many copies somebody asks for.
    pub wanted: usize,
    /// How many there are.
    pub copies: usize,
    /// Jobs that wait or are under way.
    pub queued: usize,
    /// Deletions that wait for a person.
    pub held: usize,
    /// How many sources there are.
    pub source_count: usize,
    /// The first sources in order.
    pub sources: Vec<CopiedStatus>,
    /// Places where something that was asked for is not done, by reason.
    pub refusals: BTreeMap<String, usize>,
    /// The first such places in order.
    pub refused: Vec<RefusedStatus>,
}

/// A source of copies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CopiedStatus {
    /// `secret` or `configmap`.
    pub kind: String,
    /// Namespace and name.
    pub name: String,
    /// Number of our copies of this source.
    pub copies: usize,
}

/// A place where something that was asked for is not done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RefusedStatus {
    /// `secret` or `configmap`.
    pub kind: String,
    /// Namespace and name.
    pub name: String,
    /// The reason as one word, as in its Event.
    pub reason: String,
    /// The reason as a sentence.
    pub text: String,
}

/// Sources and places that a status names.
#[derive(Debug, Default)]
pub(super) struct NamedObjects {
    pub(super) source_count: usize,
    pub(super) sources: Vec<CopiedStatus>,
    pub(super) refused: Vec<RefusedStatus>,
}

impl NamedObjects {
    pub(super) fn from_index(index: &Index) -> Self {
        let sources = index.first_sources(NAMED).into_iter();
        let refused = index.first_refused(NAMED).into_iter();
        Self {
            source_count: index.sources(),
            sources: sources
                .map(|(kind, at, copies)| CopiedStatus {
                    kind: kind.to_string(),
                    name: at.to_string(),
                    copies,
                })
                .collect(),
            refused: refused
                .map(|(kind, at, refusal)| RefusedStatus {
                    kind: kind.to_string(),
                    name: at.to_string(),
                    reason: refusal.word().to_owned(),
                    text: refusal.to_string(),
                })
                .collect(),
        }
    }
}
