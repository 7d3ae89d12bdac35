//! Places that must be decided: urgent ones first, each once, none while a job for it is under way,
//! failed ones later.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::super::place::{CopiedKind, ObjectPlace};
use super::super::reason::CopyReason;

/// A place to decide, or a source to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct QueueItem {
    pub(super) kind: CopiedKind,
    pub(super) place: ObjectPlace,
    pub(super) read: bool,
}

impl QueueItem {
    pub(super) fn settle(kind: CopiedKind, place: ObjectPlace) -> Self {
        Self {
            kind,
            place,
            read: false,
        }
    }

    pub(super) fn read(kind: CopiedKind, place: ObjectPlace) -> Self {
        Self {
            kind,
            place,
            read: true,
        }
    }
}

/// How urgent something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// A source that places wait for.
    Read,
    /// A new pull secret: pods cannot start without it.
    NewPullSecret,
    /// A new copy: something may wait for it.
    New,
    /// A pull secret that exists with a wrong content; pods use it to pull.
    PullSecret,
    /// A copy that exists with a wrong content.
    Rest,
}

impl Urgency {
    const COUNT: usize = 5;

    pub(super) fn for_job(is_new: bool, pulls: bool) -> Self {
        match (is_new, pulls) {
            (true, true) => Self::NewPullSecret,
            (true, false) => Self::New,
            (false, true) => Self::PullSecret,
            (false, false) => Self::Rest,
        }
    }
}

/// The wait after the first failure; it doubles with each further failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);

const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// If the same copy is restored again within this time, somebody else keeps changing it.
const CALM: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: [VecDeque<QueueItem>; Urgency::COUNT],
    waiting: HashMap<QueueItem, Urgency>,
    under_way: HashSet<QueueItem>,
    again: HashMap<QueueItem, Urgency>,
    later: BinaryHeap<Reverse<(Duration, QueueItem)>>,
    tries: HashMap<QueueItem, u32>,
    restored: HashMap<QueueItem, (Duration, u32)>,
    unlisted: Vec<QueueItem>,
}

impl Queue {
    pub(super) fn push(&mut self, item: QueueItem, lane: Urgency) {
        if self.under_way.contains(&item) {
            self.again.insert(item, lane);
            return;
        }
        match self.waiting.get_mut(&item) {
            Some(old) if *old <= lane => {}
            Some(old) => {
                // Its old entry is skipped when its turn comes.
                *old = lane;
                self.lanes[lane as usize].push_back(item);
            }
            None => {
                self.waiting.insert(item.clone(), lane);
                self.lanes[lane as usize].push_back(item);
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<QueueItem> {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            while let Some(item) = lane.pop_front() {
                if self
                    .waiting
                    .get(&item)
                    .is_some_and(|own| *own as usize == number)
                {
                    self.waiting.remove(&item);
                    return Some(item);
                }
            }
        }
        None
    }

    /// A job for the item is under way: the item is not given out again before [`Queue::end`].
    pub(super) fn begin(&mut self, item: QueueItem) {
        self.waiting.remove(&item);
        self.under_way.insert(item);
    }

    /// The job is done; changes since its start are decided now.
    pub(super) fn end(&mut self, item: &QueueItem) {
        self.under_way.remove(item);
        if let Some((item, lane)) = self.again.remove_entry(item) {
            self.push(item, lane);
        }
    }

    pub(super) fn holds(&self, item: &QueueItem) -> bool {
        self.waiting.contains_key(item) || self.under_way.contains(item)
    }

    pub(super) fn wait_for_list(&mut self, item: QueueItem) {
        self.unlisted.push(item);
    }

    pub(super) fn listed(&mut self) {
        for item in std::mem::take(&mut self.unlisted) {
            self.push(item, Urgency::Rest);
        }
    }

    pub(super) fn later(&mut self, item: QueueItem, at: Duration) {
        self.later.push(Reverse((at, item)));
    }

    /// The job failed: it is tried again after a wait that doubles each time.
    pub(super) fn failed(&mut self, item: QueueItem, now: Duration) {
        let tries = self.tries.entry(item.clone()).or_default();
        *tries += 1;
        let at = now + wait(&item, *tries);
        self.end(&item);
        self.later(item, at);
    }

    pub(super) fn succeeded(&mut self, item: &QueueItem) {
        self.tries.remove(item);
        self.end(item);
    }

    /// Puts items that are due again into the queue.
    pub(super) fn wake(&mut self, now: Duration) {
        while self.due().is_some_and(|due| due <= now) {
            if let Some(Reverse((_, item))) = self.later.pop() {
                self.push(item, Urgency::Rest);
            }
        }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    /// Until when a restoration waits. The first is made at once, each further one later, because
    /// somebody undoes them.
    pub(super) fn restrained(
        &self,
        item: &QueueItem,
        reason: CopyReason,
        now: Duration,
    ) -> Option<Duration> {
        if !is_restoration(reason) {
            return None;
        }
        let (last, times) = self.restored.get(item)?;
        let until = *last + wait(item, *times);
        (until > now && *last + CALM > now).then_some(until)
    }

    pub(super) fn restored(&mut self, item: &QueueItem, reason: CopyReason, now: Duration) {
        if !is_restoration(reason) {
            return;
        }
        let (last, times) = self.restored.entry(item.clone()).or_default();
        *times = if *last + CALM > now { *times + 1 } else { 1 };
        *last = now;
    }

    /// Forgets restorations that are long past.
    pub(super) fn forget_old(&mut self, now: Duration) {
        self.restored.retain(|_, (last, _)| *last + CALM > now);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.under_way.len() + self.later.len() + self.unlisted.len()
    }
}

fn is_restoration(reason: CopyReason) -> bool {
    match reason {
        CopyReason::Deleted | CopyReason::Edited | CopyReason::Marks | CopyReason::Unsigned => true,
        CopyReason::New | CopyReason::Source | CopyReason::Adopted | CopyReason::OtherSource => {
            false
        }
    }
}

/// A wait that doubles with each try, at least half of the maximum. A hash of the item chooses the
/// exact length, so that many items do not come back at once.
fn wait(item: &QueueItem, tries: u32) -> Duration {
    let most = (FIRST_WAIT * (1 << tries.saturating_sub(1).min(16))).min(LONGEST_WAIT);
    let mut hasher = DefaultHasher::new();
    (item, tries).hash(&mut hasher);
    let part = u32::try_from(hasher.finish() & 0xff).unwrap_or_default();
    most / 2 + most / 512 * part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> QueueItem {
        QueueItem::settle(CopiedKind::Secret, ObjectPlace::new("n", name))
    }

    fn order(queue: &mut Queue) -> String {
        std::iter::from_fn(|| queue.pop())
            .map(|item| item.place.name.to_string())
            .collect()
    }

    #[test]
    fn urgent_things_come_first_and_each_comes_once() {
        let mut queue = Queue::default();
        for (name, lane) in [
            ("a", Urgency::Rest),
            ("b", Urgency::New),
            ("c", Urgency::NewPullSecret),
            ("a", Urgency::Rest),
            ("d", Urgency::Read),
            ("a", Urgency::NewPullSecret),
            ("b", Urgency::Rest),
        ] {
            queue.push(item(name), lane);
        }
        assert_eq!(order(&mut queue), "dcab");
    }

    #[test]
    fn what_is_under_way_comes_again_when_it_is_done() {
        let mut queue = Queue::default();
        queue.begin(item("a"));
        queue.push(item("a"), Urgency::New);
        assert_eq!(order(&mut queue), "");
        queue.end(&item("a"));
        assert_eq!(order(&mut queue), "a");
    }

    #[test]
    fn failures_wait_ever_longer_and_never_for_ever() {
        let mut queue = Queue::default();
        let mut longest = Duration::ZERO;
        for tries in 1..40 {
            queue.begin(item("a"));
            queue.failed(item("a"), Duration::ZERO);
            let due = queue.due().expect("it waits");
            let most = (FIRST_WAIT * (1 << (tries - 1).min(16))).min(LONGEST_WAIT);
            assert!(due >= most / 2 && due <= most, "{tries}: {due:?}");
            longest = longest.max(due);
            queue.wake(Duration::from_secs(301));
            assert_eq!(order(&mut queue), "a");
        }
        assert!(longest > LONGEST_WAIT / 2);
    }

    #[test]
    fn who_fights_over_a_copy_gets_a_slow_opponent() {
        let mut queue = Queue::default();
        let now = Duration::from_secs;
        assert_eq!(
            queue.restrained(&item("a"), CopyReason::Edited, now(0)),
            None
        );
        let mut waits = Vec::new();
        let mut at = now(1000);
        for _ in 0..6 {
            queue.restored(&item("a"), CopyReason::Edited, at);
            let until = queue
                .restrained(&item("a"), CopyReason::Deleted, at)
                .expect("it is held back");
            waits.push(until.saturating_sub(at));
            at = until;
        }
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
        assert_eq!(
            queue.restrained(&item("a"), CopyReason::Source, at),
            None,
            "new content is never held back"
        );
        assert_eq!(
            queue.restrained(&item("a"), CopyReason::Edited, at + CALM),
            None
        );
    }
}
