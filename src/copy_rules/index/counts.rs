//! Numbers of the index: for metrics, and for people who ask for the status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::deletion_brake::{CopyCounts, Source};
use super::super::place::{CopiedKind, ObjectPlace};
use super::super::reason::CopyRefusal;
use super::Index;
use super::objects::Objects;

/// The numbers that the brake needs.
pub(super) struct Count<'a>(pub(super) &'a [Objects; 2]);

impl CopyCounts for Count<'_> {
    fn copies(&self, (kind, place): &Source) -> usize {
        self.0[*kind as usize].copies_of(place)
    }

    fn sources(&self) -> usize {
        self.0.iter().map(Objects::given).sum()
    }
}

impl Index {
    /// Number of our copies, without mirrors.
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

    /// How many sources there are.
    pub fn sources(&self) -> usize {
        let kinds = self.kinds.iter();
        kinds.map(|objects| objects.sources.len()).sum()
    }

    /// The first sources in order, each with the number of our copies.
    pub fn first_sources(&self, most: usize) -> Vec<(CopiedKind, ObjectPlace, usize)> {
        let of = |kind: CopiedKind| self.objects(kind).sources.keys().map(move |at| (kind, at));
        let found = first(CopiedKind::ALL.into_iter().flat_map(of), most).into_iter();
        found
            .map(|(kind, at)| (kind, at.clone(), self.objects(kind).copies_of(at)))
            .collect()
    }

    /// The first places in order at which something is refused, and why.
    pub fn first_refused(&self, most: usize) -> Vec<(CopiedKind, ObjectPlace, &CopyRefusal)> {
        let of = |kind: CopiedKind| self.objects(kind).refused.keys().map(move |at| (kind, at));
        let found = first(CopiedKind::ALL.into_iter().flat_map(of), most).into_iter();
        found
            .filter_map(|(kind, at)| {
                let refusal = self.objects(kind).refused.get(at)?;
                Some((kind, at.clone(), refusal))
            })
            .collect()
    }

    /// How many jobs wait or are under way.
    pub fn queued(&self) -> usize {
        self.queue.len() + self.brake.waiting() + self.cleared.len()
    }

    /// Number of deletions that wait for a person.
    pub fn held(&self) -> usize {
        self.brake.held()
    }

    /// A number that changes whenever [`Index::wanted`] may have changed.
    pub fn wishes(&self) -> u64 {
        self.wishes
    }

    /// Number of copies that somebody asks for. It walks over all sources and namespaces, so do not
    /// call it for every event.
    pub fn wanted(&self) -> usize {
        let namespaces: Vec<&Arc<str>> = self.namespaces.keys().collect();
        let of = |kind: CopiedKind| -> usize {
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
        CopiedKind::ALL.into_iter().map(of).sum()
    }
}

/// The lowest of many values, without sorting all of them.
fn first<T: Ord>(all: impl Iterator<Item = T>, most: usize) -> BTreeSet<T> {
    let mut found = BTreeSet::new();
    for one in all {
        if found.len() < most || found.last().is_some_and(|last| one < *last) {
            found.insert(one);
        }
        if found.len() > most {
            found.pop_last();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_many_are_the_lowest_in_order() {
        for (most, want) in [
            (0, vec![]),
            (2, vec![1, 2]),
            (3, vec![1, 2, 5]),
            (9, vec![1, 2, 5, 7]),
        ] {
            let found = first([5, 1, 7, 2].into_iter(), most);
            assert_eq!(found.into_iter().collect::<Vec<_>>(), want, "{most}");
        }
    }
}
