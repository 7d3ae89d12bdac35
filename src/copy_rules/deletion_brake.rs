//! The brakes on deletions: one mistake (a wrong annotation, an incomplete list, a label that was
//! removed from every namespace) must not delete every copy.
//!
//! Each source has its own brake. Deletions of its copies wait until no more are added for a
//! moment, and are then judged together with those of the last minute. If they are too many only
//! because of that minute, they are judged again when it ends. If they are too many by themselves,
//! they are held until a person releases exactly this source, or until the reason for them is gone.
//!
//! The cluster has one brake: when too many sources vanish within a minute, nothing is deleted in
//! that minute, and the copies of the vanished sources are held until a person releases them. A
//! tenant of one namespace must not stop all others for ever: once a namespace has stopped the
//! others, all its sources together count as one for the next hour when copies from other
//! namespaces are judged. For its own copies they count in full.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::lease_orders::Order;
use super::place::{CopiedKind, ObjectPlace};
use crate::base::deletion_brake::Limits;

/// Deletions are judged together with those that were done within this time before.
const WINDOW: Duration = Duration::from_secs(60);

/// How long all sources of a namespace count as one, after they stopped the others.
const RESPITE: Duration = Duration::from_secs(3600);

/// After this time deletions are judged although more of them are still added.
const PATIENCE: Duration = Duration::from_secs(10);

/// A source, by its kind and place.
pub type Source = (CopiedKind, ObjectPlace);

/// Deletions that wait to be judged, by source.
#[derive(Debug)]
pub struct Brake {
    limits: Limits,
    settle: Duration,
    sources: BTreeMap<Source, Pending>,
    /// The source whose copy waits at a place.
    of: HashMap<(CopiedKind, ObjectPlace), ObjectPlace>,
    /// Orders that came before anything was held: a new process reads them from the Lease. With the
    /// number of copies, and until when the order counts.
    early: BTreeMap<Source, (usize, Duration)>,
    /// The same for the copies of all sources together.
    early_for_all: Option<(usize, Duration)>,
    /// Since when a namespace belongs to those that stop all others.
    stops: BTreeMap<Arc<str>, Duration>,
}

/// Deletions of the copies of one source.
#[derive(Debug, Default)]
struct Pending {
    waiting: BTreeSet<ObjectPlace>,
    first: Duration,
    last: Duration,
    done: VecDeque<Duration>,
    /// When the source was first seen to be gone.
    vanished: Option<Duration>,
    /// Judging it earlier would change nothing.
    not_before: Duration,
    /// Set while the deletions wait for a person.
    hold: Option<Hold>,
    /// The hold was reported, and nothing has changed since.
    judged: bool,
    released: bool,
}

/// Why deletions wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// Too many copies of one source would go.
    Source,
    /// The source is one of too many that vanished.
    Cluster(Mass),
}

/// Too many sources that vanished within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mass {
    /// How many vanished.
    pub vanished: usize,
    /// How many may vanish without an order.
    pub most: usize,
}

/// The result of judging.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct BrakeVerdict {
    /// These may go.
    pub go: Vec<(CopiedKind, ObjectPlace)>,
    /// These wait for a person.
    pub held: Vec<HeldCopies>,
}

/// The copies of one source that wait for a person.
#[derive(Debug, PartialEq, Eq)]
pub struct HeldCopies {
    /// Whose copies.
    pub source: Source,
    /// Where they are.
    pub places: Vec<ObjectPlace>,
    /// How many of them may be deleted without an order.
    pub most: usize,
    /// Set when they are held because too many sources vanished.
    pub mass: Option<Mass>,
}

/// Numbers of what exists now.
pub trait CopyCounts {
    /// Copies of a source that are there now.
    fn copies(&self, source: &Source) -> usize;

    /// Sources of which there are copies.
    fn sources(&self) -> usize;
}

impl Brake {
    /// A brake with nothing waiting. `settle`: how long no deletion may be added before they are
    /// judged.
    pub fn new(limits: Limits, settle: Duration) -> Self {
        Self {
            limits,
            settle,
            sources: BTreeMap::new(),
            of: HashMap::new(),
            early: BTreeMap::new(),
            early_for_all: None,
            stops: BTreeMap::new(),
        }
    }

    /// Adds a deletion that seems to be due. `gone`: its source does not exist any more.
    pub fn add(&mut self, source: &Source, place: ObjectPlace, gone: bool, now: Duration) {
        let (kind, from) = source;
        let key = (*kind, place.clone());
        if self.of.get(&key).is_some_and(|known| known != from) {
            self.cancel(*kind, &place);
        }
        self.of.insert(key, from.clone());
        let pending = self.sources.entry(source.clone()).or_default();
        match gone {
            true => {
                pending.vanished.get_or_insert(now);
            }
            false => {
                pending.vanished = None;
                // The source exists again, so a hold because of vanished sources has no reason any
                // more.
                if matches!(pending.hold, Some(Hold::Cluster(_))) {
                    pending.hold = None;
                    pending.look_again();
                }
            }
        }
        if pending.waiting.is_empty() {
            pending.first = now;
        }
        if pending.waiting.insert(place) {
            pending.last = now;
            // The person released a smaller number than this.
            pending.look_again();
        }
    }

    /// The deletion is not due any more.
    pub fn cancel(&mut self, kind: CopiedKind, place: &ObjectPlace) {
        let Some(from) = self.of.remove(&(kind, place.clone())) else {
            return;
        };
        let source = (kind, from);
        let Some(pending) = self.sources.get_mut(&source) else {
            return;
        };
        pending.waiting.remove(place);
        pending.look_again();
        if pending.waiting.is_empty() {
            // The source is back, or the reason is gone: the source does not count as vanished any
            // more.
            (pending.vanished, pending.hold) = (None, None);
            // Others may have waited only because so many sources vanished.
            for pending in self.sources.values_mut() {
                pending.not_before = Duration::ZERO;
            }
        }
    }

    /// How many deletions wait.
    pub fn waiting(&self) -> usize {
        self.of.len()
    }

    /// How many deletions wait for a person.
    pub fn held(&self) -> usize {
        let held = self.sources.values().filter(|of| of.hold.is_some());
        held.map(|pending| pending.waiting.len()).sum()
    }

    /// A person releases the copies of one source, or all. An order for fewer copies than are held
    /// now has no effect: the person saw another state.
    pub fn release(&mut self, order: &Order, now: Duration) {
        match order {
            Order::Release(source, count) => match self.sources.get_mut(source) {
                Some(pending) if pending.hold.is_some() => pending.release(*count),
                Some(_) | None => {
                    self.early.insert(source.clone(), (*count, now + WINDOW));
                }
            },
            Order::ReleaseAll(count) if self.held() == 0 => {
                self.early_for_all = Some((*count, now + WINDOW));
            }
            Order::ReleaseAll(count) if *count >= self.held() => {
                let held = self.sources.values_mut();
                for pending in held.filter(|of| of.hold.is_some()) {
                    pending.release(*count);
                }
            }
            Order::ReleaseAll(_) | Order::Give(_) => {}
        }
    }

    /// When deletions should be judged next.
    pub fn due(&self) -> Option<Duration> {
        let settle = self.settle;
        self.sources
            .values()
            .filter_map(|pending| pending.due(settle))
            .min()
    }

    /// Judges the deletions that are due.
    pub fn judge(&mut self, census: &dyn CopyCounts, now: Duration) -> BrakeVerdict {
        let mut judged = BrakeVerdict::default();
        if self.due().is_none_or(|due| due > now) {
            return judged;
        }
        self.forget_old(now);
        let gone = self.vanished_sources(census, now);
        if gone.mass(None).is_some() {
            for namespace in gone.vanished.keys() {
                self.stops.entry(Arc::clone(namespace)).or_insert(now);
            }
        }
        let mut going = Vec::new();
        let waiting = self.waiting();
        let (mut left, _) = self.early_for_all.unwrap_or_default();
        let covers_all = left >= waiting;
        for (source, pending) in &mut self.sources {
            if pending.due(self.settle).is_none_or(|due| due > now) {
                continue;
            }
            let held = pending.waiting.len();
            let early = self.early.get(source);
            if pending.released || early.is_some_and(|(count, _)| *count >= held) {
                self.early.remove(source);
                pending.forget_past();
                going.push(source.clone());
                continue;
            }
            let most = self.limits.most(census.copies(source) + pending.done.len());
            match pending.verdict(most, gone.mass(Some(&source.1.namespace))) {
                Verdict::Hold(_) if covers_all => {
                    left -= held;
                    pending.forget_past();
                    going.push(source.clone());
                }
                Verdict::Go => {
                    pending.done.extend(std::iter::repeat_n(now, held));
                    going.push(source.clone());
                }
                Verdict::Later(at) => pending.not_before = at,
                Verdict::Hold(hold) => {
                    (pending.hold, pending.judged) = (Some(hold), true);
                    judged.held.push(HeldCopies {
                        source: source.clone(),
                        places: pending.waiting.iter().cloned().collect(),
                        most,
                        mass: hold.mass(),
                    });
                }
            }
        }
        if let Some((count, _)) = &mut self.early_for_all {
            *count = left;
        }
        for source in going {
            judged.go.extend(self.take_waiting(&source));
        }
        judged
    }

    fn take_waiting(&mut self, source: &Source) -> Vec<(CopiedKind, ObjectPlace)> {
        let kind = source.0;
        let waiting = self.sources.get_mut(source).map(|pending| {
            (pending.hold, pending.released) = (None, false);
            std::mem::take(&mut pending.waiting)
        });
        let places = waiting.unwrap_or_default().into_iter();
        let places: Vec<(CopiedKind, ObjectPlace)> = places.map(|place| (kind, place)).collect();
        for place in &places {
            self.of.remove(place);
        }
        places
    }

    /// Sources that vanished within the last minute.
    fn vanished_sources(&self, census: &dyn CopyCounts, now: Duration) -> VanishedSources {
        let mut gone = VanishedSources {
            vanished: BTreeMap::new(),
            most: 0,
            first: now,
        };
        let mut emptied = 0;
        for (source, pending) in &self.sources {
            let Some(at) = pending.vanished else {
                continue;
            };
            let namespace = Arc::clone(&source.1.namespace);
            let stopped = self.stops.get(&namespace);
            let counted = gone.vanished.entry(namespace).or_insert((0, false));
            counted.0 += 1;
            counted.1 = stopped.is_some_and(|&since| since + WINDOW <= now);
            gone.first = gone.first.min(at);
            emptied += usize::from(census.copies(source) == 0);
        }
        gone.most = self.limits.most(census.sources() + emptied);
        gone
    }

    /// Forgets deletions and vanished sources that are older than a minute.
    fn forget_old(&mut self, now: Duration) {
        for pending in self.sources.values_mut() {
            while pending.done.front().is_some_and(|&at| at + WINDOW <= now) {
                pending.done.pop_front();
            }
            pending.vanished = pending.vanished.filter(|&at| at + WINDOW > now);
        }
        self.sources.retain(|_, pending| {
            !(pending.waiting.is_empty() && pending.done.is_empty() && pending.vanished.is_none())
        });
        self.early.retain(|_, (_, until)| *until > now);
        self.early_for_all = self.early_for_all.filter(|(_, until)| *until > now);
        self.stops.retain(|_, since| *since + RESPITE > now);
    }
}

/// Sources that vanished within a minute.
struct VanishedSources {
    /// By namespace: how many, and whether this namespace has stopped the others before.
    vanished: BTreeMap<Arc<str>, (usize, bool)>,
    most: usize,
    /// When the first of them vanished.
    first: Duration,
}

impl VanishedSources {
    /// Whether they are too many for the copies of a source in this namespace, and when to judge
    /// again.
    fn mass(&self, namespace: Option<&Arc<str>>) -> Option<(Mass, Duration)> {
        let counted = self.vanished.iter();
        let counted = counted.map(
            |(of, (count, spent))| match *spent && Some(of) != namespace {
                true => 1,
                false => *count,
            },
        );
        let vanished = counted.sum();
        let most = self.most;
        (vanished > most).then_some((Mass { vanished, most }, self.first + WINDOW))
    }
}

/// The decision about the deletions of one source.
enum Verdict {
    Go,
    Later(Duration),
    Hold(Hold),
}

impl Pending {
    fn verdict(&self, most: usize, mass: Option<(Mass, Duration)>) -> Verdict {
        let held = self.waiting.len();
        match (self.hold, mass) {
            (Some(Hold::Cluster(mass)), _) => Verdict::Hold(Hold::Cluster(mass)),
            (_, Some((mass, _))) if self.vanished.is_some() => Verdict::Hold(Hold::Cluster(mass)),
            (_, Some((_, ends))) => Verdict::Later(ends),
            (_, None) if held > most => Verdict::Hold(Hold::Source),
            (_, None) => match self.done.front() {
                Some(&oldest) if held + self.done.len() > most => Verdict::Later(oldest + WINDOW),
                Some(_) | None => Verdict::Go,
            },
        }
    }

    /// Released deletions do not count when the next ones are judged.
    fn forget_past(&mut self) {
        (self.done, self.vanished) = (VecDeque::new(), None);
    }

    /// The number changed: all are judged again, and an earlier release was for another number.
    fn look_again(&mut self) {
        (self.judged, self.released, self.not_before) = (false, false, Duration::ZERO);
        self.hold = self.hold.filter(|hold| *hold != Hold::Source);
    }

    fn release(&mut self, count: usize) {
        if count >= self.waiting.len() {
            (self.judged, self.released) = (false, true);
        }
    }

    fn due(&self, settle: Duration) -> Option<Duration> {
        let due = (self.last + settle).min(self.first + PATIENCE);
        (!self.waiting.is_empty() && !self.judged).then(|| due.max(self.not_before))
    }
}

impl Hold {
    fn mass(self) -> Option<Mass> {
        match self {
            Self::Source => None,
            Self::Cluster(mass) => Some(mass),
        }
    }
}

#[cfg(test)]
mod tests;
