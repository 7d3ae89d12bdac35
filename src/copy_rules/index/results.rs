//! Results of jobs.

use std::time::Duration;

use super::super::metadata::DataOwners;
use super::super::place::{CopiedKind, ObjectPlace, ResourceVersion, Uid};
use super::super::reason::CopyRefusal;
use super::super::signature::Verdict;
use super::objects::CopyObject;
use super::queue::Urgency;
use super::{Content, Digest, How, Index, QueueItem, Write};

/// A copy as the API server stored it.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its uid.
    pub uid: Uid,
    /// Its version.
    pub version: ResourceVersion,
    /// The version of the source whose content it has.
    pub holds: ResourceVersion,
    /// Digest of its content.
    pub digest: Digest,
    /// The owners of its data.
    pub guard: DataOwners,
}

impl Index {
    /// A source was read.
    pub fn read(&mut self, kind: CopiedKind, place: &ObjectPlace, content: Content) {
        let item = QueueItem::read(kind, place.clone());
        let Some(source) = self.objects_mut(kind).sources.get_mut(place) else {
            self.queue.succeeded(&item);
            return;
        };
        if content.version != source.version {
            // The source has changed since, or our watch is behind: an event will come, and then
            // the source is read again.
            self.queue.succeeded(&item);
            self.queue.push(item, Urgency::Read);
            return;
        }
        let waiting = std::mem::take(&mut source.waiting);
        let (digest, forbidden) = (content.digest, content.forbidden.clone());
        let old = source.content.replace(content);
        let same = old
            .as_ref()
            .is_some_and(|old| old.digest == digest && old.forbidden == forbidden);
        if let Some(old) = old {
            self.inherit(kind, place, &old);
        }
        self.queue.succeeded(&item);
        if same {
            for waiting in waiting {
                self.dirty(kind, waiting);
            }
        } else {
            self.reach_changed(kind, place);
        }
    }

    /// Copies that were only assumed to have the source's former content are now known to have it.
    fn inherit(&mut self, kind: CopiedKind, source: &ObjectPlace, old: &Content) {
        let objects = self.objects_mut(kind);
        let followers: Vec<ObjectPlace> = objects.followers(source).cloned().collect();
        for place in followers {
            if let Some(copy) = objects.standing_mut(&place)
                && copy.digest.is_none()
                && copy.holds == old.version
                && old.is_guarded_by(copy.guard)
            {
                copy.digest = Some(old.digest);
                copy.proven = Some(copy.guard);
            }
        }
    }

    /// A source could not be read. If the source is gone, its own event says so.
    pub fn unread(&mut self, kind: CopiedKind, place: &ObjectPlace, why: &str, now: Duration) {
        let waiting = self.objects_mut(kind).sources.get_mut(place);
        let waiting = waiting
            .map(|source| source.waiting.clone())
            .unwrap_or_default();
        for place in waiting {
            self.refuse(kind, &place, CopyRefusal::Failed(why.to_owned()));
        }
        self.queue.failed(QueueItem::read(kind, place.clone()), now);
    }

    /// A copy was written.
    pub fn wrote(&mut self, write: &Write, written: &Written, now: Duration) {
        let Write {
            kind,
            place,
            source,
            source_uid,
            source_version: _,
            dialect,
            how,
            reason,
        } = write.clone();
        let item = QueueItem::settle(kind, place.clone());
        self.queue.restored(&item, reason, now);
        let mirror = matches!(how, How::Fill(..));
        // The watch may have been faster, and may know a later version by now.
        let newer = self
            .objects(kind)
            .standing(&place)
            .is_some_and(|known| known.version > written.version);
        if !newer {
            let seen = self.objects(kind).generation;
            let standing = CopyObject {
                uid: written.uid,
                version: written.version,
                from: Some(source),
                source_uid,
                holds: written.holds,
                digest: Some(written.digest),
                guard: written.guard,
                proven: Some(written.guard),
                dialect,
                mirror,
                marked: !mirror,
                verdict: Verdict::Signed,
                declines: false,
                ending: false,
                seen,
            };
            self.objects_mut(kind).lost.remove(&place);
            self.says_itself(kind, &place, &standing);
            self.objects_mut(kind).place_standing(place, standing);
        }
        self.queue.succeeded(&item);
    }

    /// A copy was read and has this content. `version` is the version that was read.
    pub fn compared(
        &mut self,
        kind: CopiedKind,
        place: &ObjectPlace,
        version: ResourceVersion,
        found: Digest,
        now: Duration,
    ) {
        let item = QueueItem::settle(kind, place.clone());
        let expected = self.expected(kind, place);
        if let Some(copy) = self.objects_mut(kind).standing_mut(place)
            && copy.version == version
        {
            copy.digest = Some(found);
            copy.proven = Some(copy.guard);
            let decides = copy.from.is_none() || expected.is_some_and(|expected| expected != found);
            if decides {
                self.dirty(kind, place.clone());
            }
            self.queue.succeeded(&item);
        } else {
            // It changed while it was read: its event decides; if none comes, the place is decided
            // again.
            self.dirty(kind, place.clone());
            self.queue.failed(item, now);
        }
    }

    fn expected(&self, kind: CopiedKind, place: &ObjectPlace) -> Option<Digest> {
        let from = self.objects(kind).standing(place)?.from.as_ref()?;
        let content = self.objects(kind).sources.get(from)?.content.as_ref()?;
        Some(content.digest)
    }

    /// A copy was deleted, or is not ours any more.
    pub fn deleted(&mut self, kind: CopiedKind, place: &ObjectPlace) {
        self.objects_mut(kind).remove_standing(place);
        self.objects_mut(kind).refused.remove(place);
        let item = QueueItem::settle(kind, place.clone());
        self.queue.succeeded(&item);
        // Another source may ask for the place.
        self.dirty(kind, place.clone());
    }

    /// An obstacle that a retry does not remove: the event of the obstacle's own change starts the
    /// next decision.
    pub fn refused(&mut self, kind: CopiedKind, place: &ObjectPlace, refusal: CopyRefusal) {
        self.refuse(kind, place, refusal);
        self.queue
            .succeeded(&QueueItem::settle(kind, place.clone()));
    }

    /// A job failed in a way that may pass.
    pub fn failed(
        &mut self,
        kind: CopiedKind,
        place: &ObjectPlace,
        why: Option<String>,
        now: Duration,
    ) {
        if let Some(why) = why {
            self.refuse(kind, place, CopyRefusal::Failed(why));
        }
        self.queue
            .failed(QueueItem::settle(kind, place.clone()), now);
    }

    /// Somebody else was faster: decide again when the event of their change has come.
    pub fn raced(&mut self, kind: CopiedKind, place: &ObjectPlace, now: Duration) {
        self.queue
            .failed(QueueItem::settle(kind, place.clone()), now);
    }
}
