//! The brakes on deletions: one mistake (a wrong annotation, a list that came back short, a label
//! removed from every namespace) must not take every copy with it.
//!
//! Each source has a brake of its own. Deletions of its copies wait until no more are added for a
//! moment, and are then judged together with those of its last minute. What is too much only
//! together with these is judged again when the minute ends; what is too much alone is held until a
//! person releases exactly this source, or until the reason for it is gone.
//!
//! The cluster has one brake: when too many sources vanish within a minute, nothing is deleted in
//! that minute, and the copies of those that vanished are held until a person releases them. Who
//! may write in one namespace must not stop all others by that for ever: a namespace whose sources
//! took part counts as one source for the next hour, where another one's copies are judged. For its
//! own copies it counts in full.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::order::Order;
use super::place::{CopiedKind, ObjectPlace};
use crate::base::brake::Limits;

/// Deletions are judged together with those that were done before, within this time.
const WINDOW: Duration = Duration::from_secs(60);

/// How long a namespace that stopped the others counts as one source for them.
const RESPITE: Duration = Duration::from_secs(3600);

/// A steady stream of them is judged all the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// A source, by its kind and place.
pub type Source = (CopiedKind, ObjectPlace);

/// Deletions that wait to be judged, by source.
#[derive(Debug)]
pub struct Brake {
    limits: Limits,
    settle: Duration,
    sources: BTreeMap<Source, Pending>,
    /// Of which source the copy at a place waits.
    of: HashMap<(CopiedKind, ObjectPlace), ObjectPlace>,
    /// What a person released before it was held here: the Lease says so to a process that has just
    /// begun.
    early: BTreeMap<Source, (usize, Duration)>,
    /// Since when a namespace is one of those because of which the others wait.
    stops: BTreeMap<Arc<str>, Duration>,
}

/// Deletions of the copies of one source.
#[derive(Debug, Default)]
struct Pending {
    waiting: BTreeSet<ObjectPlace>,
    first: Duration,
    last: Duration,
    done: VecDeque<Duration>,
    /// When it was first seen that the source is gone.
    vanished: Option<Duration>,
    /// Judging it earlier would change nothing.
    not_before: Duration,
    /// They wait for a person.
    hold: Option<Hold>,
    /// The hold was told, and nothing changed since.
    judged: bool,
    released: bool,
}

/// Why deletions wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// They are too many of one source.
    Source,
    /// Their source is one of too many that vanished.
    Cluster(Mass),
}

/// Too many sources that vanished within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mass {
    /// How many did.
    pub vanished: usize,
    /// How many may, without asking.
    pub most: usize,
}

/// What came of judging.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
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
    /// How many of them would be deleted without asking.
    pub most: usize,
    /// They are held because of this.
    pub mass: Option<Mass>,
}

/// How many there are of what can go.
pub trait Census {
    /// Copies of a source that are there now.
    fn copies(&self, source: &Source) -> usize;

    /// Sources of which there are copies.
    fn sources(&self) -> usize;
}

impl Brake {
    /// With nothing waiting; deletions are judged when it was quiet for so long.
    pub fn new(limits: Limits, settle: Duration) -> Self {
        Self {
            limits,
            settle,
            sources: BTreeMap::new(),
            of: HashMap::new(),
            early: BTreeMap::new(),
            stops: BTreeMap::new(),
        }
    }

    /// One more deletion that seems to be due; `gone` is whether its source is not there any more.
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
                // What was held because sources vanished is judged again: this one is there.
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
            // More than what a person looked at was not released.
            pending.look_again();
        }
    }

    /// It is not due any more.
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
            // The source is back, or the reason is gone: it is no longer one that vanished.
            (pending.vanished, pending.hold) = (None, None);
            // Others may have waited only because so many sources vanished.
            for pending in self.sources.values_mut() {
                pending.not_before = Duration::ZERO;
            }
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.of.len()
    }

    /// How many wait for a person.
    pub fn held(&self) -> usize {
        let held = self.sources.values().filter(|of| of.hold.is_some());
        held.map(|pending| pending.waiting.len()).sum()
    }

    /// A person releases the copies of a source, or all: enough for what is held now, or it was
    /// said of something else.
    pub fn release(&mut self, order: &Order, now: Duration) {
        match order {
            Order::Release(source, count) => match self.sources.get_mut(source) {
                Some(pending) if pending.hold.is_some() => pending.release(*count),
                Some(_) | None => {
                    self.early.insert(source.clone(), (*count, now + WINDOW));
                }
            },
            Order::ReleaseAll(count) if *count >= self.held() => {
                let held = self.sources.values_mut();
                for pending in held.filter(|of| of.hold.is_some()) {
                    pending.release(*count);
                }
            }
            Order::ReleaseAll(_) | Order::Give(_) => {}
        }
    }

    /// When it is worth judging.
    pub fn due(&self) -> Option<Duration> {
        let settle = self.settle;
        self.sources
            .values()
            .filter_map(|pending| pending.due(settle))
            .min()
    }

    /// Judges what waits.
    pub fn judge(&mut self, census: &dyn Census, now: Duration) -> Judged {
        let mut judged = Judged::default();
        if self.due().is_none_or(|due| due > now) {
            return judged;
        }
        self.forget(now);
        let gone = self.gone(census, now);
        if gone.mass(None).is_some() {
            for namespace in gone.vanished.keys() {
                self.stops.entry(Arc::clone(namespace)).or_insert(now);
            }
        }
        let mut going = Vec::new();
        for (source, pending) in &mut self.sources {
            if pending.due(self.settle).is_none_or(|due| due > now) {
                continue;
            }
            let held = pending.waiting.len();
            let early = self.early.get(source);
            if pending.released || early.is_some_and(|(count, _)| *count >= held) {
                self.early.remove(source);
                // What a person released does not count against the next.
                (pending.done, pending.vanished) = (VecDeque::new(), None);
                going.push(source.clone());
                continue;
            }
            let most = self.limits.most(census.copies(source) + pending.done.len());
            match pending.verdict(most, gone.mass(Some(&source.1.namespace))) {
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
        for source in going {
            judged.go.extend(self.take(&source));
        }
        judged
    }

    fn take(&mut self, source: &Source) -> Vec<(CopiedKind, ObjectPlace)> {
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
    fn gone(&self, census: &dyn Census, now: Duration) -> Gone {
        let mut gone = Gone {
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

    /// What happened more than a minute ago.
    fn forget(&mut self, now: Duration) {
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
        self.stops.retain(|_, since| *since + RESPITE > now);
    }
}

/// Sources that vanished within a minute.
struct Gone {
    /// How many by namespace, and whether that one has stopped the others before.
    vanished: BTreeMap<Arc<str>, (usize, bool)>,
    most: usize,
    /// When the first did.
    first: Duration,
}

impl Gone {
    /// Whether they are too many for the copies of a source in this namespace, and when that is to
    /// be looked at again.
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

/// What is done with the deletions of one source.
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

    /// More or less than before: it is judged as a whole, and what a person released was something
    /// else.
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
