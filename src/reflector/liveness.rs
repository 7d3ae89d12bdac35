//! Whether what we follow still moves: a process that runs and hears nothing is not alive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::leader::Candidate;
use super::metrics::ENDS;
use super::status::Named;
use crate::base::lock::locked;

/// A watch that was silent for so long is stuck: the server sends something about every minute, and
/// a silent connection is given up long before.
const STUCK: Duration = Duration::from_secs(420);

/// Figures of a running reflector, and when each of its watches was last heard of. Shared with
/// whoever serves them.
#[derive(Debug, Clone, Default)]
pub struct Liveness(Arc<Mutex<WatchState>>);

#[derive(Debug, Default)]
pub(super) struct WatchState {
    pub(super) heard: BTreeMap<String, Instant>,
    pub(super) listed: BTreeMap<String, Instant>,
    pub(super) relists: u64,
    pub(super) done: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) counts: Counts,
    pub(super) named: Named,
    pub(super) refusals: BTreeMap<&'static str, usize>,
    pub(super) leads: bool,
    ready: bool,
    /// Why it does not work, and whether that is as it should be.
    waits: Option<(String, bool)>,
    candidate: Option<Arc<Candidate>>,
}

/// How many there are now.
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

    /// A watch is meant to live from now on.
    pub(super) fn expect(&self, watch: &str) {
        self.state().heard.insert(watch.to_owned(), Instant::now());
    }

    /// Something was heard of it.
    pub(super) fn heard(&self, watch: &str) {
        self.expect(watch);
    }

    /// Everything of it was listed.
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

    /// Takes new counts.
    pub(super) fn count(&self, set: impl FnOnce(&mut Counts)) {
        set(&mut self.state().counts);
    }

    pub(super) fn refusals(&self, counts: BTreeMap<&'static str, usize>) {
        self.state().refusals = counts;
    }

    pub(super) fn named(&self, named: Named) {
        self.state().named = named;
    }

    /// Whether this replica works. One that does not follows nothing.
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

    /// It waits for nothing any more.
    pub(super) fn works(&self) {
        self.state().waits = None;
    }

    /// It waits for the Lease, or for the keys of the marks.
    pub(super) fn waits(&self, why: String, well: bool) {
        self.state().waits = Some((why, well));
    }

    pub(super) fn ready(&self, ready: bool) {
        self.state().ready = ready;
    }

    /// Who would have to give the Lease back.
    pub(super) fn candidate(&self, candidate: &Arc<Candidate>) {
        self.state().candidate = Some(Arc::clone(candidate));
    }

    /// Gives the Lease back, where this replica holds it, so that the next one need not wait.
    pub async fn resign(&self) {
        let candidate = self.state().candidate.take();
        if let Some(candidate) = candidate {
            candidate.resign().await;
        }
    }

    /// There is nothing to follow any more.
    pub fn forget(&self) {
        *self.state() = WatchState::default();
    }

    /// Whether it is ready, and a line about it; nothing where nothing is followed.
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

    /// Whether all was listed once.
    pub fn is_ready(&self) -> bool {
        self.state().ready
    }

    /// Whether every watch was heard of lately.
    pub fn is_alive(&self) -> bool {
        let state = self.state();
        state.heard.values().all(|at| at.elapsed() < STUCK)
    }
}
