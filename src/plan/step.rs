//! One step of a plan: a target, and what is done at it.

use std::borrow::Cow;

use super::action::{Action, Change, KeyChange, Reason};
use super::decide;
use crate::base::artifact::Artifact;
use crate::base::observed::Basis;

/// What happens at one target.
#[derive(Debug)]
pub struct Step {
    /// What is to exist there.
    pub artifact: Artifact,
    /// What will be done.
    pub action: Action,
    /// The object of the cluster that this was decided on; nothing where there is none.
    pub basis: Option<Basis>,
    /// Its keys, and what becomes of each: [`Step::keys`] gives them.
    pub(super) keys: StepKeys,
    /// What else the action does to what stands: replaces a file, takes a Secret over, keeps the
    /// keys of others in it.
    pub notes: Vec<String>,
}

/// What becomes of the keys of a step.
#[derive(Debug)]
pub(super) enum StepKeys {
    /// All of them are new. They are read from the artifact only when somebody asks for them.
    New,
    /// These change, or stay.
    Changes(Vec<KeyChange>),
}

impl Step {
    /// The keys of the target, and what becomes of each.
    pub fn keys(&self) -> Cow<'_, [KeyChange]> {
        match &self.keys {
            StepKeys::New => Cow::Owned(decide::added(&self.artifact)),
            StepKeys::Changes(changes) => Cow::Borrowed(changes),
        }
    }

    /// The keys that do not stay the same.
    pub fn changes(&self) -> Vec<KeyChange> {
        let mut changes = self.keys().into_owned();
        changes.retain(|key| key.change != Change::Same);
        changes
    }

    /// The names of the keys that do not stay the same.
    pub fn changed_keys(&self) -> impl Iterator<Item = String> {
        self.changes().into_iter().map(|key| key.key)
    }

    /// A reason, and what else the action does.
    pub fn because(&self, reason: &Reason) -> String {
        let notes = self.notes.iter().map(String::as_str);
        let parts: Vec<String> = std::iter::once(reason.to_string())
            .chain(notes.map(str::to_owned))
            .collect();
        parts.join("; ")
    }
}
