//! The end that a signal asks for: what is being written may end, nothing else begins.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::report::{Class, Failure};

/// How long steps that run may go on after a signal.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a step may then still take to leave things as they were.
pub const RESTORE: Duration = Duration::from_secs(3);

/// The longest that a pass goes on after a signal.
pub const LONGEST: Duration = FAREWELL.saturating_add(RESTORE.saturating_add(RESTORE));

/// Whether the end was asked for, and what still runs.
#[derive(Debug)]
pub struct Halt {
    asked: watch::Sender<Option<Instant>>,
    running: watch::Sender<usize>,
}

/// A step that runs, until it is dropped.
#[derive(Debug)]
pub struct Running<'a>(&'a Halt);

impl Default for Halt {
    fn default() -> Self {
        Self {
            asked: watch::Sender::new(None),
            running: watch::Sender::new(0),
        }
    }
}

impl Halt {
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

    /// Waits until the time of those that run is over too.
    pub async fn over(&self) {
        let at = self.asked_at().await;
        sleep_until(at + FAREWELL).await;
    }

    async fn asked_at(&self) -> Instant {
        let mut asked = self.asked.subscribe();
        match asked.wait_for(Option::is_some).await.map(|at| *at) {
            Ok(Some(at)) => at,
            // The sender is ours, so it lives as long as this wait.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Begins a step, unless nothing may begin any more.
    pub fn begin(&self) -> Result<Running<'_>, Failure> {
        if self.asked.borrow().is_some() {
            return Err(stopped());
        }
        self.running.send_modify(|count| *count += 1);
        Ok(Running(self))
    }

    /// Waits until no step runs.
    pub async fn idle(&self) {
        // The sender is ours, so it lives as long as this wait.
        let _ = self.running.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.send_modify(|count| *count -= 1);
    }
}

/// Why something was not done, or not to its end.
pub fn stopped() -> Failure {
    Failure::new(Class::Unavailable, "stopped by a signal before it was done").hint("run again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_runs_ends_and_nothing_begins() {
        let soon = Duration::from_millis(30);
        let halt = Halt::default();
        let asked = tokio::time::timeout(soon, halt.asked()).await;
        asked.expect_err("nobody asked");
        let running = halt.begin().expect("nobody asked");
        halt.ask();
        halt.asked().await;
        assert_eq!(halt.begin().expect_err("asked"), stopped());
        let idle = tokio::time::timeout(soon, halt.idle()).await;
        idle.expect_err("one still runs");
        drop(running);
        halt.idle().await;
    }
}
