//! The known facts of the cluster that copies depend on, and what each place needs.
//!
//! [`events`] feeds the index, [`decide`] answers for one place, [`results`] takes the result of a
//! job. An event only puts places into the [`queue`]. Each place is decided when its turn comes,
//! with what is known then. So many events for one place cost one decision, and the order of events
//! does not change the result.
//!
//! Nothing is decided before everything was listed once: until then an unlisted source looks like a
//! deleted one.

mod counts;
mod decide;
mod events;
mod forecast;
mod notices;
mod objects;
mod queue;
mod reserved_places;
mod results;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::annotations::Dialect;
use super::deletion_brake::{Brake, Source};
use super::glob::Ceiling;
use super::lease_orders::Order;
use super::metadata::DataOwners;
use super::pattern::Matching;
use super::place::{CopiedKind, ObjectPlace, ResourceVersion, Uid};
use super::reason::{CopyReason, CopyRefusal, Farewell};
use super::scope::Target;
use super::selector::Labels;
use super::signature::Keys;
use crate::base::deletion_brake::Limits;
use counts::Count;
use decide::Decision;
use objects::Objects;
use queue::{Queue, QueueItem};
use reserved_places::Reserved;

pub use events::Event;
pub use forecast::Forecast;
pub use results::Written;

/// The part of the configuration that is about copies.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The dialects whose annotations are read.
    pub dialects: Vec<Dialect>,
    /// When a pattern matches a name.
    pub matching: Matching,
    /// Whether objects may ask to be filled.
    pub pull: bool,
    /// Whether an edited copy is restored.
    pub repair: bool,
    /// Whether copies of the original controllers are taken over.
    pub adopt: bool,
    /// The namespaces whose sources count.
    pub sources: Ceiling,
    /// The namespaces in which copies are made and deleted.
    pub targets: Ceiling,
    /// How many copies may be deleted without an order.
    pub limits: Limits,
    /// How long no deletion may be added before they are judged.
    pub settle: Duration,
    /// The only namespaces that are watched; nothing means the whole cluster.
    pub namespaces: Option<Vec<String>>,
}

/// One number for a whole content. A secret of this process is its key, so it means nothing to
/// anybody else. It is never written anywhere, not even in debug output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub u64);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The result of reading a source, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The version that was read.
    pub version: ResourceVersion,
    /// Digest of everything that a copy takes over.
    pub digest: Digest,
    /// The field owners of a copy that we alone wrote.
    pub guard: DataOwners,
    /// Its type, if it is a type that is never copied.
    pub forbidden: Option<String>,
    /// Whether pods cannot even start without it.
    pub urgent: bool,
}

/// A job for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyJob {
    /// Read a source and report its content.
    Read {
        /// Its kind.
        kind: CopiedKind,
        /// Where it is.
        source: ObjectPlace,
    },
    /// Write a copy.
    Write(Write),
    /// Read a copy and compare it.
    Compare {
        /// Its kind.
        kind: CopiedKind,
        /// Where it is.
        place: ObjectPlace,
        /// Its source.
        source: ObjectPlace,
    },
    /// Delete a copy: exactly this object in exactly this version.
    Delete {
        /// Its kind.
        kind: CopiedKind,
        /// Where it is.
        place: ObjectPlace,
        /// The only object that may go.
        uid: Uid,
        /// The only version of it.
        version: ResourceVersion,
        /// The dialect in which the copy was made.
        dialect: Dialect,
        /// Why it is deleted.
        reason: Farewell,
    },
    /// Write down which sources own the places that are empty.
    Remember {
        /// Which state of the text this is; goes back to [`Index::remembered`].
        change: u64,
        /// The whole text.
        text: String,
    },
}

/// A copy to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Its kind.
    pub kind: CopiedKind,
    /// Where the copy is written.
    pub place: ObjectPlace,
    /// The source of the copy.
    pub source: ObjectPlace,
    /// `metadata.uid` of the source; no other object is copied.
    pub source_uid: Uid,
    /// The version of the source; a later version may not give to this place any more.
    pub source_version: ResourceVersion,
    /// The dialect of the copy's marks.
    pub dialect: Dialect,
    /// What stands at the place.
    pub how: How,
    /// Why the copy is written.
    pub reason: CopyReason,
}

/// What a copy is written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Nothing stands there.
    Create,
    /// Our own copy, of exactly this uid and version.
    Update(Uid, ResourceVersion),
    /// A copy of another controller, which becomes ours.
    Adopt(Uid, ResourceVersion),
    /// An object that asks to be filled and stays its owner's.
    Fill(Uid, ResourceVersion),
}

/// The answer to the question what to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Do this job.
    Job(CopyJob),
    /// Ask again soon: there is more to decide.
    Busy,
    /// Nothing is due before this time unless something happens; without a time, nothing is due at
    /// all.
    Idle(Option<Duration>),
}

/// A message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexNotice {
    /// Kind of the object that gets the message.
    pub kind: CopiedKind,
    /// The object that gets the message: a source, or the mirror that asks.
    pub at: ObjectPlace,
    /// Text of the message.
    pub what: NoticeText,
}

/// Text of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeText {
    /// A remark on the object's annotations.
    Remark(String),
    /// Nothing is done at this place, and why.
    Refused(ObjectPlace, CopyRefusal),
}

/// Known facts of a namespace.
#[derive(Debug, Clone)]
struct Namespace {
    labels: Option<Labels>,
    ending: bool,
    declines: bool,
    seen: u32,
}

/// How many places are decided in one turn before others get a turn.
const TURN: usize = 1000;

/// The index; see the module.
#[derive(Debug)]
pub struct Index {
    rules: Rules,
    keys: Arc<Keys>,
    namespaces: BTreeMap<Arc<str>, Namespace>,
    namespaces_listed: bool,
    generation: u32,
    kinds: [Objects; 2],
    names: HashSet<Arc<str>>,
    queue: Queue,
    brake: Brake,
    /// Copies that the brake lets go. Each is deleted as soon as this state of the reserved places
    /// is written down.
    cleared: BTreeMap<(CopiedKind, ObjectPlace), u64>,
    reserved: Reserved,
    /// Sources that a person gave places to before everything was listed.
    early: Vec<Source>,
    told: Vec<IndexNotice>,
    cursor: Option<(CopiedKind, ObjectPlace)>,
    /// A number that changes whenever somebody may want more or fewer copies than before.
    wishes: u64,
}

impl Index {
    /// An empty index: nothing is decided until everything was listed.
    pub fn new(rules: Rules, keys: Arc<Keys>) -> Self {
        let mut index = Self {
            brake: Brake::new(rules.limits, rules.settle),
            namespaces: BTreeMap::new(),
            namespaces_listed: rules.namespaces.is_some(),
            generation: 0,
            kinds: [Objects::default(), Objects::default()],
            names: HashSet::new(),
            queue: Queue::default(),
            cleared: BTreeMap::new(),
            reserved: Reserved::default(),
            early: Vec::new(),
            told: Vec::new(),
            cursor: None,
            wishes: 0,
            rules,
            keys,
        };
        // Namespaces that are configured by name are assumed to exist; their labels are unknown, so
        // no selector matches them.
        for name in index.rules.namespaces.clone().unwrap_or_default() {
            let name = index.name(&name);
            let namespace = Namespace {
                labels: None,
                ending: false,
                declines: false,
                seen: 0,
            };
            index.namespaces.insert(name, namespace);
        }
        index
    }

    /// The next job.
    pub fn next(&mut self, now: Duration) -> Next {
        self.queue.wake(now);
        for _ in 0..TURN {
            let Some(item) = self.queue.pop() else {
                return self.judge_deletions(now);
            };
            if !self.knows(item.kind) {
                self.queue.wait_for_list(item);
                continue;
            }
            if let Some(job) = self.turn(item, now) {
                return Next::Job(job);
            }
        }
        Next::Busy
    }

    /// Whether everything of a kind was listed.
    pub fn knows(&self, kind: CopiedKind) -> bool {
        self.namespaces_listed && self.objects(kind).listed
    }

    fn turn(&mut self, item: QueueItem, now: Duration) -> Option<CopyJob> {
        let QueueItem { kind, place, read } = item.clone();
        if read {
            let source = self.objects(kind).sources.get(&place)?;
            if source
                .content
                .as_ref()
                .is_some_and(|content| content.version == source.version)
            {
                return None;
            }
            self.queue.begin(item);
            return Some(CopyJob::Read {
                kind,
                source: place,
            });
        }
        self.tell_rivals(kind, &place);
        let decision = self.decide(kind, &place);
        let is_farewell = matches!(decision, Decision::Delete(_));
        if !is_farewell {
            self.brake.cancel(kind, &place);
            self.cleared.remove(&(kind, place.clone()));
        }
        if !matches!(decision, Decision::Refuse(_) | Decision::Delete(_)) {
            self.objects_mut(kind).refused.remove(&place);
        }
        match decision {
            Decision::Nothing => None,
            Decision::Wait(source) => {
                self.wait_for(kind, &source, place);
                None
            }
            Decision::Refuse(refusal) => {
                self.refuse(kind, &place, refusal);
                None
            }
            Decision::Delete(reason) if self.cleared.contains_key(&(kind, place.clone())) => {
                let key = (kind, place.clone());
                if !self.reserved.has_saved(self.cleared.get(&key).copied()?) {
                    return None;
                }
                self.cleared.remove(&key);
                let standing = self.objects(kind).standing(&place)?;
                let job = CopyJob::Delete {
                    kind,
                    uid: standing.uid,
                    version: standing.version,
                    dialect: standing.dialect,
                    reason,
                    place,
                };
                self.queue.begin(item);
                Some(job)
            }
            Decision::Delete(_) => {
                let from = self.objects(kind).standing(&place)?.from.clone()?;
                let gone = !self.objects(kind).sources.contains_key(&from);
                self.brake.add(&(kind, from), place, gone, now);
                None
            }
            Decision::Compare(source) => {
                self.queue.begin(item);
                Some(CopyJob::Compare {
                    kind,
                    place,
                    source,
                })
            }
            Decision::Write(write) => {
                if let Some(until) = self.queue.restrained(&item, write.reason, now) {
                    self.queue.later(item, until);
                    return None;
                }
                self.queue.begin(item);
                Some(CopyJob::Write(write))
            }
        }
    }

    /// Judges the deletions, when there is nothing else to do.
    fn judge_deletions(&mut self, now: Duration) -> Next {
        let judged = self.brake.judge(&Count(&self.kinds), now);
        for held in &judged.held {
            self.hold(held);
        }
        if !judged.go.is_empty() {
            for (kind, place) in judged.go {
                self.clear(kind, place);
            }
            return Next::Busy;
        }
        let write = self.reserved.due(!self.cleared.is_empty(), now);
        if write.is_some_and(|due| due <= now) {
            let (change, text) = self.reserved.begin_write();
            return Next::Job(CopyJob::Remember { change, text });
        }
        let due = [self.queue.due(), self.brake.due(), write];
        Next::Idle(due.into_iter().flatten().min())
    }

    /// The next copy for the slow comparison in the background, one after the other.
    pub fn rotate(&mut self) -> Option<(CopiedKind, ObjectPlace, ObjectPlace)> {
        let start = self.cursor.clone();
        let found = CopiedKind::ALL.into_iter().find_map(|kind| {
            let after = match &start {
                Some((at, _)) if *at > kind => return None,
                Some((at, place)) if *at == kind => Some(place),
                Some(_) | None => None,
            };
            let (place, source) = self.objects(kind).after(after)?;
            Some((kind, place, source))
        });
        self.cursor = found
            .as_ref()
            .map(|(kind, place, _)| (*kind, place.clone()));
        let (kind, place, source) = found?;
        let item = QueueItem::settle(kind, place.clone());
        if !self.knows(kind) || self.queue.holds(&item) {
            return None;
        }
        self.queue.begin(item);
        Some((kind, place, source))
    }

    /// Takes in an order of a person.
    pub fn obey(&mut self, order: &Order, now: Duration) {
        match order {
            Order::Release(..) | Order::ReleaseAll(_) => self.brake.release(order, now),
            Order::Give(source) if self.knows(source.0) => self.give(source),
            Order::Give(source) => self.early.push(source.clone()),
        }
    }

    fn target<'a>(&'a self, namespace: &'a str) -> Option<(&'a Namespace, Target<'a>)> {
        let (name, known) = self.namespaces.get_key_value(namespace)?;
        let labels = known.labels.as_ref();
        Some((known, Target { name, labels }))
    }

    fn dirty(&mut self, kind: CopiedKind, place: ObjectPlace) {
        let urgent = self.urgency(kind, &place);
        self.queue.push(QueueItem::settle(kind, place), urgent);
    }

    fn urgency(&self, kind: CopiedKind, place: &ObjectPlace) -> queue::Urgency {
        let is_new = self.objects(kind).standing(place).is_none();
        let objects = self.objects(kind);
        let mut sources = objects.of_name(&place.name);
        let pulls = sources.any(|(_, source)| {
            source
                .content
                .as_ref()
                .is_some_and(|content| content.urgent)
        });
        queue::Urgency::for_job(is_new, pulls)
    }

    fn objects(&self, kind: CopiedKind) -> &Objects {
        match kind {
            CopiedKind::Secret => &self.kinds[0],
            CopiedKind::ConfigMap => &self.kinds[1],
        }
    }

    fn objects_mut(&mut self, kind: CopiedKind) -> &mut Objects {
        match kind {
            CopiedKind::Secret => &mut self.kinds[0],
            CopiedKind::ConfigMap => &mut self.kinds[1],
        }
    }

    /// One shared text for each name, however many objects have it.
    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn place(&mut self, namespace: &str, name: &str) -> ObjectPlace {
        ObjectPlace {
            namespace: self.name(namespace),
            name: self.name(name),
        }
    }
}
