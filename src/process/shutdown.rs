//! The end that a signal asks for: running writes may end, nothing else begins, and everything is
//! over within [`LIMIT`].
//!
//! ```text
//! signal ─ 2 s ─► steps are cut off ─ 2 s ─► restored or not ─ 0.7 s ─► tokens are left ─► end
//! ```

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::base::failure::{Class, Failure};
use crate::process::progress::{self, UnderWay};

/// How long running steps may continue after a signal.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long an interrupted step may take to restore the earlier state.
const RESTORE: Duration = Duration::from_secs(2);

/// When a process that was asked to end is over, even if something hangs.
pub const LIMIT: Duration = FAREWELL.saturating_add(RESTORE).saturating_add(TOKENS);

/// Time that is left for giving back tokens when all other time is used.
const TOKENS: Duration = Duration::from_millis(700);

/// Whether the end was asked for, and which steps still run.
#[derive(Debug)]
pub struct Shutdown {
    asked: watch::Sender<Option<Instant>>,
    running: watch::Sender<usize>,
}

/// A step that runs until this is dropped.
#[derive(Debug)]
pub struct RunningStep<'a> {
    shutdown: &'a Shutdown,
    _told: UnderWay,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            asked: watch::Sender::new(None),
            running: watch::Sender::new(0),
        }
    }
}

impl Shutdown {
    /// From now on nothing begins.
    pub fn ask(&self) {
        self.asked.send_modify(|at| {
            at.get_or_insert_with(Instant::now);
        });
    }

    /// Waits until the end is asked for.
    pub async fn asked(&self) {
        self.asked_at().await;
    }

    /// Waits until the time of the running steps is over too.
    pub async fn over(&self) {
        let at = self.asked_at().await;
        sleep_until(at + FAREWELL).await;
    }

    /// Waits until the time for restoring earlier states is over too.
    pub async fn restored(&self) {
        let at = self.asked_at().await;
        sleep_until(at + FAREWELL + RESTORE).await;
    }

    async fn asked_at(&self) -> Instant {
        let mut asked = self.asked.subscribe();
        match asked.wait_for(Option::is_some).await.map(|at| *at) {
            Ok(Some(at)) => at,
            // The sender is ours, so it lives as long as this wait.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Begins a step with this name for messages, unless no step may begin any more.
    pub fn begin(&self, what: String, end: Instant) -> Result<RunningStep<'_>, Failure> {
        if self.asked.borrow().is_some() {
            return Err(stopped());
        }
        self.running.send_modify(|count| *count += 1);
        Ok(RunningStep {
            shutdown: self,
            _told: progress::begin(what, end),
        })
    }

    /// Waits until no step runs.
    pub async fn idle(&self) {
        // The sender is ours, so it lives as long as this wait.
        let _ = self.running.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Asks for the end and waits until no step runs, at most for the allowed time.
    pub async fn stop_steps(&self) {
        self.ask();
        tokio::select! {
            () = self.idle() => {}
            () = self.restored() => {}
        }
    }
}

impl Drop for RunningStep<'_> {
    fn drop(&mut self) {
        self.shutdown.running.send_modify(|count| *count -= 1);
    }
}

/// The failure of a step that was not done, or not completed.
pub fn stopped() -> Failure {
    Failure::new(Class::Unavailable, "stopped by a signal before it was done").hint("run again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_runs_ends_and_nothing_begins() {
        let soon = Duration::from_millis(30);
        let end = Instant::now() + LIMIT;
        let shutdown = Shutdown::default();
        let asked = tokio::time::timeout(soon, shutdown.asked()).await;
        asked.expect_err("nobody asked");
        let running = shutdown
            .begin("a step".to_owned(), end)
            .expect("nobody asked");
        shutdown.ask();
        shutdown.asked().await;
        let refused = shutdown.begin("another".to_owned(), end);
        assert_eq!(refused.expect_err("asked"), stopped());
        let idle = tokio::time::timeout(soon, shutdown.idle()).await;
        idle.expect_err("one still runs");
        drop(running);
        shutdown.idle().await;
    }

    #[test]
    fn row_132_all_that_an_end_may_wait_for_fits_into_five_seconds() {
        assert!(LIMIT < Duration::from_secs(5), "{LIMIT:?}");
    }
}
