//! Figures of the index: for metrics, and for a person who asks how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::brake::{Census, Source};
use super::super::place::Kind;
use super::Index;
use super::objects::Objects;

/// What the brake counts in.
pub(super) struct Count<'a>(pub(super) &'a [Objects; 2]);

impl Census for Count<'_> {
    fn copies(&self, (kind, place): &Source) -> usize {
        self.0[*kind as usize].copies_of(place)
    }

    fn sources(&self) -> usize {
        self.0.iter().map(Objects::given).sum()
    }
}

/// Figures.
impl Index {
    /// Our copies, mirrors included.
    pub fn copies(&self) -> usize {
        self.kinds.iter().map(Objects::copies).sum()
    }

    /// Places where something is refused, by reason.
    pub fn refusals(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for refusal in self
            .kinds
            .iter()
            .flat_map(|objects| objects.refused.values())
        {
            *counts.entry(refusal.word()).or_default() += 1;
        }
        counts
    }

    /// How many jobs wait or are under way.
    pub fn queued(&self) -> usize {
        self.queue.len() + self.brake.waiting() + self.cleared.len()
    }

    /// Deletions that wait for a person.
    pub fn held(&self) -> usize {
        self.brake.held()
    }

    /// Changes whenever [`Index::wanted`] may have changed.
    pub fn wishes(&self) -> u64 {
        self.wishes
    }

    /// Copies that somebody asks for. A walk over sources and namespaces: not for every event.
    pub fn wanted(&self) -> usize {
        let namespaces: Vec<&Arc<str>> = self.namespaces.keys().collect();
        let of = |kind: Kind| -> usize {
            let objects = self.objects(kind);
            let pushed = objects.sources.iter().map(|(place, source)| {
                let wants = |namespace: &&&Arc<str>| {
                    ***namespace != place.namespace
                        && self.rules.targets.covers(namespace)
                        && self.target(namespace).is_some_and(|(known, target)| {
                            !known.ending && source.offer.pushes_to(target).is_some()
                        })
                };
                namespaces.iter().filter(wants).count()
            });
            pushed.sum::<usize>() + objects.mirrors()
        };
        Kind::ALL.into_iter().map(of).sum()
    }
}
