//! Whether the watches still work: a process that runs and gets no events is not alive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::claimant::Claimant;
use super::status::{NamedObjects, ReflectorStatus};
use crate::base::lock::locked;

/// A watch that was silent for this long is stuck: the server sends something about every minute,
/// and a silent connection is dropped long before this.
const STUCK: Duration = Duration::from_secs(420);

/// The possible results of each job: each series exists before its first event.
pub(super) const ENDS: [(&str, &str); 16] = [
    ("read", "ok"),
    ("read", "absent"),
    ("read", "failed"),
    ("compare", "ok"),
    ("compare", "absent"),
    ("compare", "failed"),
    ("write", "ok"),
    ("write", "foreign"),
    ("write", "raced"),
    ("write", "failed"),
    ("remember", "ok"),
    ("remember", "failed"),
    ("delete", "ok"),
    ("delete", "foreign"),
    ("delete", "raced"),
    ("delete", "failed"),
];

/// Numbers of a running reflector, and when each of its watches last had an event. Shared with the
/// server of probes and metrics.
#[derive(Debug, Clone, Default)]
pub struct Liveness(Arc<Mutex<WatchState>>);

#[derive(Debug, Default)]
pub(super) struct WatchState {
    pub(super) heard: BTreeMap<String, Instant>,
    pub(super) listed: BTreeMap<String, Instant>,
    pub(super) relists: u64,
    pub(super) done: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) counts: Counts,
    pub(super) named: NamedObjects,
    pub(super) refusals: BTreeMap<&'static str, usize>,
    pub(super) leads: bool,
    ready: bool,
    /// Why the reflector does not work, and whether that is normal.
    waits: Option<(String, bool)>,
    claimant: Option<Arc<Claimant>>,
}

/// Present numbers.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) wanted: usize,
    pub(super) copies: usize,
    pub(super) queue: usize,
    pub(super) held: usize,
}

impl Liveness {
    pub(super) fn state(&self) -> MutexGuard<'_, WatchState> {
        locked(&self.0)
    }

    /// From now on a watch is expected to be alive.
    pub(super) fn expect(&self, watch: &str) {
        self.state().heard.insert(watch.to_owned(), Instant::now());
    }

    /// A watch had an event.
    pub(super) fn heard(&self, watch: &str) {
        self.expect(watch);
    }

    /// The list of a watch is complete.
    pub(super) fn listed(&self, watch: &str) {
        let mut state = self.state();
        state.heard.insert(watch.to_owned(), Instant::now());
        state.listed.insert(watch.to_owned(), Instant::now());
        state.relists += 1;
    }

    /// A job ended.
    pub(super) fn done(&self, job: &'static str, how: &'static str) {
        debug_assert!(ENDS.contains(&(job, how)), "{job} {how}");
        *self.state().done.entry((job, how)).or_default() += 1;
    }

    /// Sets the present numbers.
    pub(super) fn count(&self, set: impl FnOnce(&mut Counts)) {
        set(&mut self.state().counts);
    }

    pub(super) fn refusals(&self, counts: BTreeMap<&'static str, usize>) {
        self.state().refusals = counts;
    }

    pub(super) fn named(&self, named: NamedObjects) {
        self.state().named = named;
    }

    /// Sets whether this replica holds the Lease. A replica without it follows nothing.
    pub(super) fn leads(&self, leads: bool) {
        let mut state = self.state();
        state.leads = leads;
        state.waits = None;
        if !leads {
            state.heard.clear();
            state.listed.clear();
            state.ready = false;
        }
    }

    /// The reflector waits for nothing any more.
    pub(super) fn works(&self) {
        self.state().waits = None;
    }

    /// The reflector waits for the Lease, or for the keys of the marks; `well` if that is normal.
    pub(super) fn waits(&self, why: String, well: bool) {
        self.state().waits = Some((why, well));
    }

    pub(super) fn ready(&self, ready: bool) {
        self.state().ready = ready;
    }

    /// Sets the claimant that must give the Lease back at the end.
    pub(super) fn claimant(&self, claimant: &Arc<Claimant>) {
        self.state().claimant = Some(Arc::clone(claimant));
    }

    /// Gives the Lease back if this replica holds it, so that the next holder need not wait.
    pub async fn resign(&self) {
        let claimant = self.state().claimant.take();
        if let Some(claimant) = claimant.filter(|claimant| claimant.fence.is_open()) {
            claimant.fence.set(None);
            self.leads(false);
            claimant.give_back().await;
        }
    }

    /// There are no watches any more.
    pub fn forget_watches(&self) {
        *self.state() = WatchState::default();
    }

    /// Whether the reflector is ready, and a line about it; nothing without a reflector.
    pub fn readiness(&self) -> Option<(bool, String)> {
        let state = self.state();
        if let Some((why, well)) = &state.waits {
            let word = if *well { "ok" } else { "not ready" };
            return Some((*well, format!("reflector: {word}: {why}\n")));
        }
        if state.heard.is_empty() {
            return None;
        }
        let line = if state.ready {
            let Counts {
                copies,
                wanted,
                held,
                queue: _,
            } = state.counts;
            format!("reflector: ok, {copies} of {wanted} copies, {held} held deletions\n")
        } else {
            "reflector: not ready: the cluster was not listed yet\n".to_owned()
        };
        Some((state.ready, line))
    }

    /// The whole status; nothing without a reflector.
    pub fn status(&self) -> Option<ReflectorStatus> {
        let (ready, text) = self.readiness()?;
        let state = self.state();
        let Counts {
            wanted,
            copies,
            queue,
            held,
        } = state.counts;
        let refusals = state.refusals.iter();
        let refusals = refusals.map(|(why, count)| ((*why).to_owned(), *count));
        Some(ReflectorStatus {
            ready,
            text: text.trim_end().to_owned(),
            leads: state.leads,
            wanted,
            copies,
            queued: queue,
            held,
            source_count: state.named.source_count,
            sources: state.named.sources.clone(),
            refusals: refusals.collect(),
            refused: state.named.refused.clone(),
        })
    }

    /// Whether every list was complete once.
    pub fn is_ready(&self) -> bool {
        self.state().ready
    }

    /// Whether every watch had an event recently.
    pub fn is_alive(&self) -> bool {
        let state = self.state();
        state.heard.values().all(|at| at.elapsed() < STUCK)
    }
}
