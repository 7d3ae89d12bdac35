//! Places that belong to a source although nothing of it stands there: the source that had a place
//! first keeps it until a person decides otherwise.
//!
//! The marks of an existing copy name the owner of its place. When the copy is deleted, its place
//! is noted here, and so is the place of a deleted source. The notes survive a restart as an
//! annotation of the Lease: they are written before the copies are deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::super::deletion_brake::Source;
use super::super::place::{CopiedKind, ObjectPlace};
use super::Index;
use super::objects::CopyObject;

/// An object may have 256 KiB of annotations.
const MOST: usize = 192 << 10;

/// How long after a change or a failure the notes are written, if no deletion waits for them.
const PAUSE: Duration = Duration::from_secs(5);

/// A copy has the name of its source, so a namespace is enough to name the owner of a place.
type Owners = BTreeMap<Arc<str>, BTreeSet<Arc<str>>>;

#[derive(Debug, Default)]
pub(super) struct Reserved {
    by_name: BTreeMap<(CopiedKind, Arc<str>), Owners>,
    /// Length of the text in bytes.
    size: usize,
    change: u64,
    saved: u64,
    under_way: bool,
    /// Since when there are changes that are not written.
    since: Option<Duration>,
    not_before: Duration,
}

impl Reserved {
    /// The namespace of the source that owns this place.
    pub(super) fn owner(&self, kind: CopiedKind, place: &ObjectPlace) -> Option<&Arc<str>> {
        let owners = self.by_name.get(&(kind, Arc::clone(&place.name)))?;
        let mut owners = owners.iter();
        let owner = owners.find(|(_, places)| places.contains(&place.namespace));
        owner.map(|(owner, _)| owner)
    }

    /// Whether a source with this name and namespace owns any place.
    pub(super) fn has_any(&self, kind: CopiedKind, source: &ObjectPlace) -> bool {
        let owners = self.by_name.get(&(kind, Arc::clone(&source.name)));
        owners.is_some_and(|owners| owners.contains_key(&source.namespace))
    }

    /// The place now belongs to the source with the same name in this namespace.
    pub(super) fn reserve(&mut self, kind: CopiedKind, place: &ObjectPlace, owner: &Arc<str>) {
        if self.owner(kind, place) == Some(owner) {
            return;
        }
        self.free(kind, place);
        let owners = self
            .by_name
            .entry((kind, Arc::clone(&place.name)))
            .or_default();
        if !owners.contains_key(owner) {
            self.size += head(kind, owner, &place.name);
        }
        let places = owners.entry(Arc::clone(owner)).or_default();
        places.insert(Arc::clone(&place.namespace));
        self.size += place.namespace.len() + 1;
        self.change += 1;
        while self.size > MOST && self.forget_one() {}
    }

    /// The note goes: the place belongs to nobody, or the object there names its owner.
    pub(super) fn free(&mut self, kind: CopiedKind, place: &ObjectPlace) {
        let Some(owner) = self.owner(kind, place).cloned() else {
            return;
        };
        let key = (kind, Arc::clone(&place.name));
        let Some(owners) = self.by_name.get_mut(&key) else {
            return;
        };
        if let Some(places) = owners.get_mut(&owner) {
            places.remove(&place.namespace);
            self.size -= place.namespace.len() + 1;
            self.change += 1;
            if places.is_empty() {
                owners.remove(&owner);
                self.size -= head(kind, &owner, &place.name);
            }
        }
        if owners.is_empty() {
            self.by_name.remove(&key);
        }
    }

    /// Forgets the places in a namespace that is gone.
    pub(super) fn free_namespace(&mut self, namespace: &Arc<str>) {
        let inside = self.by_name.iter().filter(|(_, owners)| {
            let mut places = owners.values();
            places.any(|places| places.contains(namespace))
        });
        let inside: Vec<(CopiedKind, Arc<str>)> = inside.map(|(key, _)| key.clone()).collect();
        for (kind, name) in inside {
            let namespace = Arc::clone(namespace);
            self.free(kind, &ObjectPlace { namespace, name });
        }
    }

    /// Forgets one place of the namespace that has most, so that the many notes of one namespace do
    /// not displace those of others.
    fn forget_one(&mut self) -> bool {
        let mut counts: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for (owner, places) in self.by_name.values().flatten() {
            *counts.entry(owner).or_default() += places.len();
        }
        let Some(owner) = counts.into_iter().max_by_key(|(_, count)| *count) else {
            return false;
        };
        let owner = Arc::clone(owner.0);
        let found = self.by_name.iter().find_map(|((kind, name), owners)| {
            let namespace = Arc::clone(owners.get(&owner)?.first()?);
            let name = Arc::clone(name);
            Some((*kind, ObjectPlace { namespace, name }))
        });
        if let Some((kind, place)) = &found {
            self.free(*kind, place);
        }
        found.is_some()
    }

    /// `secret/a/x=b,c;configmap/a/y=b`: places `b/x` and `c/x` of the Secret `a/x`.
    fn text(&self) -> String {
        let mut text = String::with_capacity(self.size);
        for ((kind, name), owners) in &self.by_name {
            for (owner, places) in owners {
                let places: Vec<&str> = places.iter().map(AsRef::as_ref).collect();
                let _ = write!(text, "{kind}/{owner}/{name}={};", places.join(","));
            }
        }
        text
    }

    /// Takes in a text that was written before; unreadable parts are ignored.
    pub(super) fn read(&mut self, text: &str, name_of: &mut dyn FnMut(&str) -> Arc<str>) {
        for part in text.split(';') {
            let Some((source, places)) = part.split_once('=') else {
                continue;
            };
            let mut words = source.splitn(3, '/');
            let kind = words.next().and_then(CopiedKind::parse);
            let (Some(kind), Some(owner), Some(name)) = (kind, words.next(), words.next()) else {
                continue;
            };
            let (owner, name) = (name_of(owner), name_of(name));
            for namespace in places.split(',').filter(|place| !place.is_empty()) {
                let place = ObjectPlace {
                    namespace: name_of(namespace),
                    name: Arc::clone(&name),
                };
                self.reserve(kind, &place, &owner);
            }
        }
        self.saved = self.change;
    }

    /// How often the notes have changed.
    pub(super) fn change(&self) -> u64 {
        self.change
    }

    /// Whether the notes were written in this state or a later one.
    pub(super) fn has_saved(&self, change: u64) -> bool {
        self.saved >= change
    }

    /// When the notes should be written: at once, if a deletion waits for them.
    pub(super) fn due(&mut self, urgent: bool, now: Duration) -> Option<Duration> {
        if self.has_saved(self.change) || self.under_way {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let due = if urgent { since } else { since + PAUSE };
        Some(due.max(self.not_before))
    }

    /// The notes are being written: gives the number of their state, and the text.
    pub(super) fn begin_write(&mut self) -> (u64, String) {
        (self.under_way, self.since) = (true, None);
        (self.change, self.text())
    }

    /// The attempt to write this state has ended; `good`: with success.
    pub(super) fn end_write(&mut self, change: u64, good: bool, now: Duration) {
        self.under_way = false;
        match good {
            true => self.saved = change,
            false => self.not_before = now + PAUSE,
        }
    }
}

impl Index {
    /// From now on a source owns all places that it gives to, also those that others had first.
    pub(super) fn give(&mut self, (kind, source): &Source) {
        let Some(facts) = self.objects(*kind).sources.get(source) else {
            return;
        };
        let asked = self.namespaces.keys().filter(|namespace| {
            let target = self.target(namespace);
            let gives = target.and_then(|(_, target)| facts.offer.pushes_to(target));
            **namespace != source.namespace && !facts.offer.frozen && gives.is_some()
        });
        let places = asked.map(|namespace| ObjectPlace {
            namespace: Arc::clone(namespace),
            name: Arc::clone(&source.name),
        });
        for place in places.collect::<Vec<_>>() {
            let owner = self.owner(*kind, &place);
            if owner.is_some_and(|owner| owner != *source) {
                self.reserved.reserve(*kind, &place, &source.namespace);
                self.dirty(*kind, place);
            }
        }
    }

    /// Takes in the notes of the process before this one; call it before anything is listed.
    pub fn recall(&mut self, text: &str) {
        let mut reserved = std::mem::take(&mut self.reserved);
        reserved.read(text, &mut |name| self.name(name));
        self.reserved = reserved;
    }

    /// The place of a copy that no longer exists stays with its source.
    pub(super) fn reserve(&mut self, kind: CopiedKind, place: &ObjectPlace, copy: &CopyObject) {
        let from = copy.from.as_ref().filter(|_| copy.is_ours());
        if let Some(from) = from.filter(|from| from.name == place.name)
            && self.reserved.owner(kind, place).is_none()
        {
            self.reserved.reserve(kind, place, &from.namespace);
        }
    }

    /// A copy at the place names its owner, so no note is needed.
    pub(super) fn says_itself(&mut self, kind: CopiedKind, place: &ObjectPlace, copy: &CopyObject) {
        let from = copy.from.as_ref().filter(|_| copy.is_ours());
        let owner = self.reserved.owner(kind, place);
        if from.is_some_and(|from| owner == Some(&from.namespace)) {
            self.reserved.free(kind, place);
        }
    }

    /// The brake lets a copy go; the place stays with its source.
    pub(super) fn clear(&mut self, kind: CopiedKind, place: ObjectPlace) {
        if let Some(copy) = self.objects(kind).standing(&place).cloned() {
            self.reserve(kind, &place, &copy);
        }
        let change = self.reserved.change();
        self.cleared.insert((kind, place.clone()), change);
        self.dirty(kind, place);
    }

    /// An attempt to write the reserved places has ended; `good`: with success.
    pub fn remembered(&mut self, change: u64, good: bool, now: Duration) {
        self.reserved.end_write(change, good, now);
        if good {
            // Deletions waited for the notes.
            for (kind, place) in self.cleared.keys().cloned().collect::<Vec<_>>() {
                self.dirty(kind, place);
            }
        }
    }
}

fn head(kind: CopiedKind, owner: &str, name: &str) -> usize {
    kind.to_string().len() + owner.len() + name.len() + "//=;".len()
}
