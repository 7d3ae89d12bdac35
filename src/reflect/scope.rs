//! Which namespaces a source speaks of: by name, by label, or both.

use super::pattern::PatternList;
use super::selector::{Labels, Selector};

/// A namespace as far as scopes go.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels, or nothing where they may not be read.
    pub labels: Option<&'a Labels>,
}

/// Namespaces, as one pair of annotations says.
#[derive(Debug, Clone, Default)]
pub struct NamespaceScope {
    names: Names,
    selector: Option<Selector>,
    /// Whether labels decide anything: then a namespace whose labels are unknown is not in it,
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

    /// The same, and namespaces with such labels too. Nothing means a selector that cannot be read:
    /// it selects none.
    #[must_use]
    pub fn or_selected(mut self, selector: Option<Selector>) -> Self {
        self.selector = selector;
        self.asks_labels = true;
        self
    }

    /// Whether a namespace is in it.
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
