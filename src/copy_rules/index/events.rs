//! Changes in the cluster, as watches and lists report them.

use std::sync::Arc;
use std::time::Duration;

use super::super::annotations::{Ask, Dialect, Mirror, Offer};
use super::super::marks;
use super::super::metadata::{Metadata, NamespaceMetadata};
use super::super::pattern::budget::{Budget, Cost};
use super::super::place::{CopiedKind, ObjectPlace};
use super::super::reason::CopyRefusal;
use super::super::signature::{Carrier, CopyOrigin, SIGNATURE, SignedStatement, Verdict};
use super::super::{emberstack, mittwald};
use super::objects::{CopyObject, Source};
use super::queue::Urgency;
use super::{Index, IndexNotice, Namespace, NoticeText, QueueItem};

/// One change.
#[derive(Debug, Clone)]
pub enum Event {
    /// An object was made or changed.
    Object(CopiedKind, Metadata),
    /// An object is gone.
    Gone(CopiedKind, ObjectPlace),
    /// A namespace was made or changed.
    Namespace(NamespaceMetadata),
    /// A namespace is gone.
    NamespaceGone(String),
}

impl Index {
    /// Takes in an event of a watch. An object that is older than the known version is an echo from
    /// before our own write.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Object(kind, metadata) => self.object(kind, metadata, false),
            Event::Gone(kind, place) => self.object_gone(kind, &place),
            Event::Namespace(metadata) => self.namespace(metadata),
            Event::NamespaceGone(name) => self.namespace_gone(&name),
        }
    }

    /// A list of a kind begins. Objects that it does not show, and that are not written meanwhile,
    /// are gone at its end.
    pub fn list_begins(&mut self, kind: CopiedKind) {
        self.objects_mut(kind).generation += 1;
    }

    /// One object of a list. It is accepted even if it is older than the known version: the store
    /// may have been restored to an earlier state.
    pub fn listed(&mut self, kind: CopiedKind, metadata: Metadata) {
        self.object(kind, metadata, true);
    }

    /// The list of a kind is complete. `within`: whether a namespace was listed; `all`: whether
    /// every list of this kind is complete by now.
    pub fn list_ends(&mut self, kind: CopiedKind, within: &dyn Fn(&str) -> bool, all: bool) {
        for place in self.objects(kind).unseen(within) {
            self.object_gone(kind, &place);
        }
        self.objects_mut(kind).listed |= all;
        if self.knows(kind) {
            self.all_listed();
        }
        self.tidy();
    }

    /// A list of namespaces begins.
    pub fn namespaces_begin(&mut self) {
        self.generation += 1;
    }

    /// The list of namespaces is complete.
    pub fn namespaces_end(&mut self) {
        let gone = self
            .namespaces
            .iter()
            .filter(|(_, known)| known.seen != self.generation);
        let gone: Vec<Arc<str>> = gone.map(|(name, _)| Arc::clone(name)).collect();
        for name in gone {
            self.namespace_gone(&name);
        }
        self.namespaces_listed = true;
        self.all_listed();
    }

    /// Does what waited for complete lists.
    fn all_listed(&mut self) {
        self.queue.listed();
        if CopiedKind::ALL.into_iter().all(|kind| self.knows(kind)) {
            for source in std::mem::take(&mut self.early) {
                self.give(&source);
            }
        }
    }

    /// Drops names that no object has any more.
    fn tidy(&mut self) {
        self.names.retain(|name| Arc::strong_count(name) > 1);
    }

    /// Forgets restorations that are long past.
    pub fn forget_old(&mut self, now: Duration) {
        self.queue.forget_old(now);
    }

    fn object(&mut self, kind: CopiedKind, metadata: Metadata, listed: bool) {
        let place = self.place(&metadata.namespace, &metadata.name);
        // The Secret that holds the keys is never a source or a copy, whatever its annotations say.
        let holds_keys = kind == CopiedKind::Secret && place == *self.keys.place();
        let ask = match holds_keys {
            true => Ask::Nothing,
            false => self.ask(&metadata),
        };
        match ask {
            Ask::Nothing | Ask::Declared => {
                self.drop_source(kind, &place);
                let stood = self.objects_mut(kind).remove_standing(&place);
                if let Some(stood) = &stood {
                    self.reserve(kind, &place, stood);
                }
                // A foreign object that changes is still foreign; when it is deleted, the place is
                // decided again.
                let refusal = self.objects(kind).refused.get(&place);
                if stood.is_some()
                    || refusal.is_some_and(|refusal| *refusal != CopyRefusal::Foreign)
                {
                    self.dirty(kind, place);
                }
            }
            Ask::Offer => {
                if self.objects_mut(kind).remove_standing(&place).is_some() {
                    self.dirty(kind, place.clone());
                }
                self.source(kind, place, metadata);
            }
            Ask::Copy(mirror) => {
                self.drop_source(kind, &place);
                self.copy_seen(kind, place, &metadata, &mirror, false, listed);
            }
            Ask::Mirror(mirror) => {
                self.drop_source(kind, &place);
                self.copy_seen(kind, place, &metadata, &mirror, true, listed);
            }
        }
    }

    /// What an object asks for, in all dialects that are read here and within the ceilings. Nothing
    /// is parsed for this. A reflection in one dialect is no source in the other.
    fn ask(&self, metadata: &Metadata) -> Ask {
        if metadata.notes.read(marks::DECLARED).is_some() {
            return Ask::Declared;
        }
        let mut asks = self.rules.dialects.iter().map(|dialect| match dialect {
            Dialect::Emberstack => emberstack::read(&metadata.notes),
            Dialect::Mittwald => mittwald::read(&metadata.notes),
        });
        let first = asks.next().unwrap_or_default();
        let ask = match (first, asks.next().unwrap_or_default()) {
            (Ask::Nothing | Ask::Offer, second @ (Ask::Copy(_) | Ask::Mirror(_))) => second,
            (Ask::Nothing, second) => second,
            (first, _) => first,
        };
        let counts = match &ask {
            Ask::Nothing | Ask::Declared => false,
            Ask::Offer => self.rules.sources.covers(&metadata.namespace),
            Ask::Copy(_) | Ask::Mirror(_) => self.rules.targets.covers(&metadata.namespace),
        };
        if counts { ask } else { Ask::Nothing }
    }

    fn offer(&self, kind: CopiedKind, place: &ObjectPlace, metadata: &Metadata) -> Offer {
        let costs = CopiedKind::ALL.map(|kind| self.objects(kind).cost(&place.namespace));
        let own = self.objects(kind).sources.get(place);
        let own = own.map_or_else(Cost::default, |own| own.offer.cost);
        let mut budget = Budget::after(costs[0].plus(costs[1]).less(own));
        let mut offer = Offer::default();
        for dialect in &self.rules.dialects {
            let (notes, budget) = (&metadata.notes, &mut budget);
            match dialect {
                Dialect::Emberstack if emberstack::read(notes) == Ask::Offer => {
                    emberstack::offer(notes, self.rules.matching, budget, &mut offer);
                }
                Dialect::Mittwald if mittwald::read(notes) == Ask::Offer => {
                    mittwald::offer(notes, budget, &mut offer);
                }
                Dialect::Emberstack | Dialect::Mittwald => {}
            }
        }
        offer.cost = budget.spent();
        offer
    }

    fn source(&mut self, kind: CopiedKind, place: ObjectPlace, metadata: Metadata) {
        let seen = self.objects(kind).generation;
        let said = metadata.notes.fingerprint();
        if let Some(known) = self.objects_mut(kind).sources.get_mut(&place)
            && known.uid == metadata.uid
            && known.said == said
            && !known.offer.crowded
        {
            known.seen = seen;
            if known.version != metadata.resource_version {
                known.version = metadata.resource_version;
                self.read_if_used(kind, &place);
            }
            return;
        }
        let offer = self.offer(kind, &place, &metadata);
        let old = self.objects_mut(kind).remove_source(&place);
        let is_new = |remark: &&String| {
            let old = old.as_ref();
            !old.is_some_and(|old| old.offer.remarks.contains(*remark))
        };
        for remark in offer.remarks.iter().filter(is_new) {
            let what = NoticeText::Remark(remark.clone());
            self.told.push(IndexNotice {
                kind,
                at: place.clone(),
                what,
            });
        }
        if self.reserved.owner(kind, &place) == Some(&place.namespace) {
            self.reserved.free(kind, &place);
        }
        let same = old.as_ref().is_some_and(|old| old.uid == metadata.uid);
        let source = Source {
            uid: metadata.uid,
            version: metadata.resource_version,
            created: metadata.creation_timestamp.into(),
            said,
            offer,
            content: old.and_then(|old| old.content).filter(|_| same),
            waiting: Vec::new(),
            seen,
        };
        self.objects_mut(kind).place_source(&place, source);
        self.read_if_used(kind, &place);
        self.reach_changed(kind, &place);
    }

    /// A source with copies is read when it changes; a source without copies is read when somebody
    /// wants one.
    fn read_if_used(&mut self, kind: CopiedKind, place: &ObjectPlace) {
        if self.objects(kind).followers(place).next().is_some() {
            self.queue
                .push(QueueItem::read(kind, place.clone()), Urgency::Read);
        }
    }

    fn drop_source(&mut self, kind: CopiedKind, place: &ObjectPlace) {
        if self.objects_mut(kind).remove_source(place).is_some() {
            // The source may come back: meanwhile no copy of another source is made at its place.
            self.reserved.reserve(kind, place, &place.namespace);
            self.reach_changed(kind, place);
        }
    }

    /// Every place that the source gives to now, and every place that already depends on it.
    pub(super) fn reach_changed(&mut self, kind: CopiedKind, source: &ObjectPlace) {
        self.wishes += 1;
        let objects = self.objects(kind);
        let mut places: Vec<ObjectPlace> = objects.followers(source).cloned().collect();
        let offer = objects.sources.get(source).map(|source| &source.offer);
        for namespace in self.namespaces.keys() {
            let place = ObjectPlace {
                namespace: Arc::clone(namespace),
                name: Arc::clone(&source.name),
            };
            let given = || {
                let target = self.target(namespace);
                offer
                    .zip(target)
                    .is_some_and(|(offer, (_, target))| offer.pushes_to(target).is_some())
            };
            if objects.refused.contains_key(&place) || given() {
                places.push(place);
            }
        }
        // A source that appears or vanishes may also block another source's copy at its place.
        places.push(source.clone());
        for place in places {
            self.dirty(kind, place);
        }
    }

    fn copy_seen(
        &mut self,
        kind: CopiedKind,
        place: ObjectPlace,
        metadata: &Metadata,
        mirror: &Mirror,
        asked: bool,
        listed: bool,
    ) {
        let seen = self.objects(kind).generation;
        let repair = self.rules.repair;
        let from = mirror
            .source
            .as_ref()
            .map(|source| self.place(&source.namespace, &source.name));
        let known = self
            .objects(kind)
            .standing(&place)
            .filter(|known| known.uid == metadata.uid);
        let (version, guard) = (metadata.resource_version, metadata.owners);
        let is_known_version =
            known.is_some_and(|known| known.version == version && version.is_known());
        if !listed && known.is_some_and(|known| known.version > version) {
            return;
        }
        // The content is known as long as nobody else wrote to it; the echo of our own write shows
        // which field owners it has then.
        let proven = if is_known_version {
            Some(guard)
        } else {
            known.and_then(|known| known.proven)
        };
        let digest = known.and_then(|known| known.digest);
        let digest = digest.filter(|_| is_known_version || proven == Some(guard) || !repair);
        let verdict = match (asked, &from) {
            (false, Some(from)) => self.verdict(kind, &place, metadata, from, mirror),
            (true, _) | (_, None) => Verdict::default(),
        };
        let standing = CopyObject {
            uid: metadata.uid,
            version,
            from,
            source_uid: mirror.source_uid,
            holds: mirror.holds,
            digest,
            guard,
            proven: proven.filter(|_| digest.is_some()),
            dialect: mirror.dialect,
            mirror: asked,
            marked: metadata.marked,
            verdict,
            declines: marks::declines(metadata.notes.read(marks::ACCEPT)),
            ending: metadata.ending,
            seen,
        };
        let same = known.is_some_and(|known| says_the_same(known, &standing));
        if asked && known.is_none() {
            self.wishes += 1;
        }
        self.objects_mut(kind).lost.remove(&place);
        self.says_itself(kind, &place, &standing);
        self.objects_mut(kind)
            .place_standing(place.clone(), standing);
        if !same || digest.is_none() {
            self.dirty(kind, place);
        }
    }

    /// Whether the marks of a copy are true.
    fn verdict(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
        metadata: &Metadata,
        from: &ObjectPlace,
        mirror: &Mirror,
    ) -> Verdict {
        let statement = SignedStatement {
            kind,
            namespace: &place.namespace,
            name: &place.name,
            origin: CopyOrigin::Object(from, mirror.source_uid, mirror.holds),
        };
        let carrier = Carrier {
            uid: metadata.uid,
            created: &metadata.creation_timestamp,
        };
        let text = metadata.notes.read(SIGNATURE);
        self.keys.verify(text, &statement, carrier)
    }

    pub(super) fn object_gone(&mut self, kind: CopiedKind, place: &ObjectPlace) {
        self.drop_source(kind, place);
        let stood = self.objects_mut(kind).remove_standing(place);
        if stood.as_ref().is_some_and(|gone| gone.mirror) {
            self.wishes += 1;
            self.objects_mut(kind).refused.remove(place);
        }
        if let Some(stood) = &stood {
            self.reserve(kind, place, stood);
        }
        if stood.is_some_and(|gone| gone.is_ours()) {
            self.objects_mut(kind).lost.insert(place.clone());
            self.dirty(kind, place.clone());
        } else if self.objects(kind).refused.contains_key(place) {
            self.dirty(kind, place.clone());
        }
    }

    fn namespace(&mut self, metadata: NamespaceMetadata) {
        let name = self.name(&metadata.name);
        let declines = metadata.declines();
        let namespace = Namespace {
            labels: Some(metadata.labels),
            ending: metadata.ending,
            declines,
            seen: self.generation,
        };
        let old = self.namespaces.insert(Arc::clone(&name), namespace.clone());
        let same = old.is_some_and(|old| {
            (&old.labels, old.ending, old.declines)
                == (&namespace.labels, namespace.ending, namespace.declines)
        });
        if same {
            return;
        }
        self.wishes += 1;
        for kind in CopiedKind::ALL {
            let objects = self.objects(kind);
            let names = objects.source_names().chain(objects.names_in(&name));
            let mut names: Vec<Arc<str>> = names.cloned().collect();
            names.sort_unstable();
            names.dedup();
            for object in names {
                let namespace = Arc::clone(&name);
                self.dirty(
                    kind,
                    ObjectPlace {
                        namespace,
                        name: object,
                    },
                );
            }
        }
    }

    fn namespace_gone(&mut self, name: &str) {
        let Some((name, _)) = self.namespaces.remove_entry(name) else {
            return;
        };
        self.wishes += 1;
        for kind in CopiedKind::ALL {
            // Its sources are gone as well; their own events may come later, or never.
            let sources = self.objects(kind).sources.keys();
            let inside: Vec<ObjectPlace> = sources
                .filter(|place| place.namespace == name)
                .cloned()
                .collect();
            self.objects_mut(kind).remove_namespace(&name);
            for source in inside {
                self.drop_source(kind, &source);
            }
        }
        self.reserved.free_namespace(&name);
    }
}

/// Whether nothing changed that a decision depends on.
fn says_the_same(old: &CopyObject, new: &CopyObject) -> bool {
    let facts = |standing: &CopyObject| {
        let CopyObject {
            uid,
            version: _,
            from,
            source_uid,
            holds,
            digest,
            guard,
            proven: _,
            dialect,
            mirror,
            marked,
            verdict,
            declines,
            ending,
            seen: _,
        } = standing.clone();
        (
            (uid, from, source_uid, holds, digest, guard),
            (dialect, mirror, marked, verdict, declines, ending),
        )
    };
    facts(old) == facts(new)
}
