//! Known facts of one kind of object: sources, and the objects in the places of copies.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use super::super::annotations::{Dialect, Offer};
use super::super::metadata::{DataOwners, Fingerprint};
use super::super::pattern::budget::Cost;
use super::super::place::{ObjectPlace, ResourceVersion, Uid};
use super::super::reason::CopyRefusal;
use super::super::signature::Verdict;
use super::{Content, Digest};

/// An object that may be copied.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) uid: Uid,
    pub(super) version: ResourceVersion,
    pub(super) created: Box<str>,
    /// Fingerprint of its annotations: equal annotations are not parsed again.
    pub(super) said: Fingerprint,
    pub(super) offer: Offer,
    /// Its content at the last read, which may be of an older version.
    pub(super) content: Option<Content>,
    /// Places that cannot be decided before this source is read.
    pub(super) waiting: Vec<ObjectPlace>,
    pub(super) seen: u32,
}

/// An object that is a copy or wants to be one. There may be a hundred thousand of them, so only
/// shared names are on the heap.
#[derive(Debug, Clone)]
pub(super) struct CopyObject {
    pub(super) uid: Uid,
    pub(super) version: ResourceVersion,
    pub(super) from: Option<ObjectPlace>,
    pub(super) source_uid: Uid,
    /// The version of the source that its marks name.
    pub(super) holds: ResourceVersion,
    /// Its real content, where we know it.
    pub(super) digest: Option<Digest>,
    /// The owners of its data now.
    pub(super) guard: DataOwners,
    /// The owners of its data when its content was last known.
    pub(super) proven: Option<DataOwners>,
    pub(super) dialect: Dialect,
    /// It belongs to somebody who asks for it to be filled.
    pub(super) mirror: bool,
    pub(super) marked: bool,
    /// Whether it is certain that we made it.
    pub(super) verdict: Verdict,
    pub(super) declines: bool,
    pub(super) ending: bool,
    pub(super) seen: u32,
}

impl CopyObject {
    /// Whether we made it and nobody asks for it to be filled: only then it counts as ours and may
    /// be deleted.
    pub(super) fn is_ours(&self) -> bool {
        !self.mirror && self.marked && self.verdict == Verdict::Signed
    }

    /// Whether it records this very version of a source: the API server gives each version once.
    pub(super) fn is_made_from(&self, source: &Source) -> bool {
        self.holds.is_known() && self.holds == source.version
    }
}

#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) sources: HashMap<ObjectPlace, Source>,
    /// Namespaces that have a source of a name.
    by_name: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// By namespace, then name: a whole namespace can be removed at once, and a walk can stop and
    /// go on.
    standing: BTreeMap<Arc<str>, BTreeMap<Arc<str>, CopyObject>>,
    /// Copies and mirrors of a source.
    followers: HashMap<ObjectPlace, BTreeSet<ObjectPlace>>,
    pub(super) refused: HashMap<ObjectPlace, CopyRefusal>,
    /// Places that belong to another source, each with the sources that were told so.
    pub(super) rivals: HashSet<(ObjectPlace, ObjectPlace)>,
    /// Copies that somebody deleted.
    pub(super) lost: HashSet<ObjectPlace>,
    pub(super) generation: u32,
    pub(super) listed: bool,
    copies: usize,
    /// Number of our copies of each source.
    given: HashMap<ObjectPlace, usize>,
    mirrors: usize,
    /// Cost of the patterns of all sources in a namespace.
    costs: HashMap<Arc<str>, Cost>,
}

impl Objects {
    pub(super) fn cost(&self, namespace: &str) -> Cost {
        self.costs.get(namespace).copied().unwrap_or_default()
    }

    pub(super) fn standing(&self, place: &ObjectPlace) -> Option<&CopyObject> {
        self.standing.get(&place.namespace)?.get(&place.name)
    }

    pub(super) fn standing_mut(&mut self, place: &ObjectPlace) -> Option<&mut CopyObject> {
        self.standing
            .get_mut(&place.namespace)?
            .get_mut(&place.name)
    }

    pub(super) fn place_standing(&mut self, place: ObjectPlace, standing: CopyObject) {
        self.remove_standing(&place);
        if let Some(from) = &standing.from {
            self.followers
                .entry(from.clone())
                .or_default()
                .insert(place.clone());
        }
        if standing.is_ours() {
            self.copies += 1;
            if let Some(from) = &standing.from {
                *self.given.entry(from.clone()).or_default() += 1;
            }
        }
        self.mirrors += usize::from(standing.mirror);
        self.standing
            .entry(place.namespace)
            .or_default()
            .insert(place.name, standing);
    }

    pub(super) fn remove_standing(&mut self, place: &ObjectPlace) -> Option<CopyObject> {
        let inside = self.standing.get_mut(&place.namespace)?;
        let gone = inside.remove(&place.name)?;
        if inside.is_empty() {
            self.standing.remove(&place.namespace);
        }
        self.unfollow(place, &gone);
        Some(gone)
    }

    fn unfollow(&mut self, place: &ObjectPlace, gone: &CopyObject) {
        self.copies -= usize::from(gone.is_ours());
        self.mirrors -= usize::from(gone.mirror);
        let Some(from) = &gone.from else { return };
        if gone.is_ours()
            && let Some(count) = self.given.get_mut(from)
        {
            *count -= 1;
            if *count == 0 {
                self.given.remove(from);
            }
        }
        if let Some(followers) = self.followers.get_mut(from) {
            followers.remove(place);
            if followers.is_empty() {
                self.followers.remove(from);
            }
        }
    }

    /// Removes all objects of a namespace that is gone.
    pub(super) fn remove_namespace(&mut self, namespace: &Arc<str>) {
        for (name, gone) in self.standing.remove(namespace).unwrap_or_default() {
            let place = ObjectPlace {
                namespace: Arc::clone(namespace),
                name,
            };
            self.unfollow(&place, &gone);
        }
        self.refused
            .retain(|place, _| place.namespace != *namespace);
        self.lost.retain(|place| place.namespace != *namespace);
        self.rivals
            .retain(|(place, _)| place.namespace != *namespace);
    }

    /// Names of copies and mirrors in a namespace.
    pub(super) fn names_in(&self, namespace: &str) -> impl Iterator<Item = &Arc<str>> {
        self.standing
            .get(namespace)
            .into_iter()
            .flat_map(BTreeMap::keys)
    }

    /// Copies and mirrors, in order.
    pub(super) fn all_standing(&self) -> impl Iterator<Item = (ObjectPlace, &CopyObject)> {
        self.standing.iter().flat_map(|(namespace, inside)| {
            inside.iter().map(|(name, standing)| {
                let (namespace, name) = (Arc::clone(namespace), Arc::clone(name));
                (ObjectPlace { namespace, name }, standing)
            })
        })
    }

    pub(super) fn followers(&self, source: &ObjectPlace) -> impl Iterator<Item = &ObjectPlace> {
        self.followers.get(source).into_iter().flatten()
    }

    pub(super) fn place_source(&mut self, place: &ObjectPlace, source: Source) {
        let namespaces = self.by_name.entry(Arc::clone(&place.name)).or_default();
        if !namespaces.contains(&place.namespace) {
            namespaces.push(Arc::clone(&place.namespace));
        }
        let costs = self.costs.entry(Arc::clone(&place.namespace)).or_default();
        *costs = costs.plus(source.offer.cost);
        self.sources.insert(place.clone(), source);
    }

    pub(super) fn remove_source(&mut self, place: &ObjectPlace) -> Option<Source> {
        let gone = self.sources.remove(place)?;
        let left = self.cost(&place.namespace).less(gone.offer.cost);
        if left == Cost::default() {
            self.costs.remove(&place.namespace);
        } else {
            self.costs.insert(Arc::clone(&place.namespace), left);
        }
        self.rivals.retain(|(_, rival)| rival != place);
        if let Some(namespaces) = self.by_name.get_mut(&place.name) {
            namespaces.retain(|namespace| *namespace != place.namespace);
            if namespaces.is_empty() {
                self.by_name.remove(&place.name);
            }
        }
        Some(gone)
    }

    /// Sources with this name in all namespaces.
    pub(super) fn of_name(&self, name: &Arc<str>) -> impl Iterator<Item = (ObjectPlace, &Source)> {
        let namespaces = self.by_name.get(name).into_iter().flatten();
        namespaces.filter_map(|namespace| {
            let place = ObjectPlace {
                namespace: Arc::clone(namespace),
                name: Arc::clone(name),
            };
            let source = self.sources.get(&place)?;
            Some((place, source))
        })
    }

    /// Names of all sources.
    pub(super) fn source_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    /// The copy or mirror that comes after a place, with its source. Objects whose marks are not
    /// proven are skipped.
    pub(super) fn after(&self, place: Option<&ObjectPlace>) -> Option<(ObjectPlace, ObjectPlace)> {
        let (from_namespace, mut from_name) = match place {
            Some(place) => (
                Bound::Included(&place.namespace),
                Bound::Excluded(&place.name),
            ),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        for (namespace, inside) in self
            .standing
            .range::<Arc<str>, _>((from_namespace, Bound::Unbounded))
        {
            if place.is_some_and(|place| place.namespace != *namespace) {
                from_name = Bound::Unbounded;
            }
            for (name, standing) in inside.range::<Arc<str>, _>((from_name, Bound::Unbounded)) {
                let is_compared = standing.mirror || standing.is_ours();
                let Some(source) = standing.from.clone().filter(|_| is_compared) else {
                    continue;
                };
                let namespace = Arc::clone(namespace);
                let name = Arc::clone(name);
                return Some((ObjectPlace { namespace, name }, source));
            }
        }
        None
    }

    /// Objects that the list of the current generation did not show.
    pub(super) fn unseen(&self, within: &dyn Fn(&str) -> bool) -> Vec<ObjectPlace> {
        let old = |seen: u32| seen != self.generation;
        let sources = self
            .sources
            .iter()
            .filter(|(place, source)| old(source.seen) && within(&place.namespace));
        let sources = sources.map(|(place, _)| place.clone());
        let standing = self
            .standing
            .iter()
            .filter(|(namespace, _)| within(namespace));
        let standing = standing.flat_map(|(namespace, inside)| {
            let inside = inside.iter().filter(|(_, standing)| old(standing.seen));
            inside.map(|(name, _)| ObjectPlace {
                namespace: Arc::clone(namespace),
                name: Arc::clone(name),
            })
        });
        sources.chain(standing).collect()
    }

    pub(super) fn copies(&self) -> usize {
        self.copies
    }

    /// Our copies of a source.
    pub(super) fn copies_of(&self, source: &ObjectPlace) -> usize {
        self.given.get(source).copied().unwrap_or_default()
    }

    /// Number of sources that have copies of ours, whether the sources exist or not.
    pub(super) fn given(&self) -> usize {
        self.given.len()
    }

    pub(super) fn mirrors(&self) -> usize {
        self.mirrors
    }
}
