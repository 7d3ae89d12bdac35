//! Copies: those that the configuration declares, and those that annotations ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::SecretRef;
use crate::reflect::glob::Glob;
use crate::reflect::index::Rules;
use crate::reflect::selector::Selector;

/// How long a watch may hear nothing by default. A server sends a bookmark about every minute: two
/// may be missed.
pub const SILENCE: Duration = Duration::from_secs(150);

/// Copies of one Secret in other namespaces.
#[derive(Debug, Clone)]
pub struct Reflect {
    /// Which namespaces, by name.
    pub namespaces: Vec<Glob>,
    /// And by label, where said.
    pub selector: Option<Selector>,
    /// Name of the copies, where it is not that of the Secret.
    pub rename: Option<String>,
    /// The only keys that are copied; all where it is empty.
    pub pick: Vec<String>,
    /// Labels of the copies.
    pub labels: BTreeMap<String, String>,
    /// Whether the Secret itself is written too.
    pub home: bool,
    /// Whether copies that are declared no more are deleted.
    pub prune: bool,
}

impl Reflect {
    /// The namespaces, where no cluster is needed to know them.
    pub fn named(&self) -> Option<Vec<&str>> {
        let plain = |glob: &Glob| !glob.as_str().contains(['*', '?']);
        let named = self.selector.is_none() && self.namespaces.iter().all(plain);
        named.then(|| self.namespaces.iter().map(Glob::as_str).collect())
    }
}

/// Copies by annotation.
#[derive(Debug, Clone)]
pub struct Reflector {
    /// What is copied where.
    pub rules: Rules,
    /// Labels of a source that its copies get.
    pub labels: Vec<Glob>,
    /// Annotations of a source that its copies get.
    pub annotations: Vec<Glob>,
    /// Writes under way at once.
    pub parallel: usize,
    /// How long a watch may hear nothing before its connection is given up.
    pub silence: Duration,
    /// The Lease that decides who of several replicas works.
    pub lease: SecretRef,
    /// The Secret that holds the keys of the marks.
    pub mark_key: SecretRef,
}
