//! The namespaces that a source gives to: by name, by label, or both.

use super::pattern::PatternList;
use super::selector::{Labels, Selector};

/// The part of a namespace that a scope looks at.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels, or nothing if we may not read them.
    pub labels: Option<&'a Labels>,
}

/// The namespaces of one pair of annotations.
#[derive(Debug, Clone, Default)]
pub struct NamespaceScope {
    names: Names,
    selector: Option<Selector>,
    /// Whether the labels matter: then a namespace whose labels are unknown is not in the scope,
    /// whatever its name.
    asks_labels: bool,
}

#[derive(Debug, Clone, Default)]
enum Names {
    #[default]
    None,
    All,
    Listed(PatternList),
}

impl NamespaceScope {
    /// Every namespace.
    pub fn everything() -> Self {
        Self {
            names: Names::All,
            ..Self::default()
        }
    }

    /// By name only.
    pub fn named(list: PatternList) -> Self {
        Self {
            names: Names::Listed(list),
            ..Self::default()
        }
    }

    /// The same namespaces, and those with matching labels. Nothing means an unreadable selector:
    /// it selects no namespace.
    #[must_use]
    pub fn or_selected(mut self, selector: Option<Selector>) -> Self {
        self.selector = selector;
        self.asks_labels = true;
        self
    }

    /// Whether a namespace is in the scope.
    pub fn covers(&self, target: Target<'_>) -> bool {
        if self.asks_labels && target.labels.is_none() {
            return false;
        }
        let named = match &self.names {
            Names::None => false,
            Names::All => true,
            Names::Listed(list) => list.covers(target.name),
        };
        named
            || match (&self.selector, target.labels) {
                (Some(selector), Some(labels)) => selector.selects(labels),
                (None, _) | (_, None) => false,
            }
    }
}
