//! Encrypted Kubernetes manifests, applied as what they say they are.

use super::{Location, Source};
use crate::base::artifact::Conflict;

/// Encrypted manifests of one kind. Namespaces come from here only: what the files say beside
/// values is not protected.
#[derive(Debug)]
pub struct ManifestSet {
    /// What marks the objects, where `prune` is to know them again.
    pub name: Option<String>,
    /// One source per file that the pattern finds, in order of names; at least one.
    pub files: Vec<Source>,
    /// Namespaces that manifests may name; empty: only our own.
    pub namespaces: Vec<String>,
    /// Delete what carries the name and is no longer described.
    pub prune: bool,
    /// What may be done about an object in the way.
    pub conflict: Conflict,
    /// Where it was written.
    pub at: Location,
}

impl ManifestSet {
    /// How reports call one of its files; the folder is in every failure.
    pub fn label(&self, file: &Source) -> String {
        let file = file.to_string();
        let file = file.rsplit('/').next().unwrap_or_default();
        match &self.name {
            Some(name) => format!("manifests {name}: {file}"),
            None => format!("manifests: {file}"),
        }
    }

    /// The name whose objects are pruned, where they are.
    pub fn pruned(&self) -> Option<&str> {
        self.name.as_deref().filter(|_| self.prune)
    }
}
