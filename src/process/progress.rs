//! One line on a terminal during a wait; it is erased before anything else is written there.
//!
//! [`waiting`] registers a wait, [`shown`] draws the line during a whole run, and [`Log`] is where
//! logs go. If a signal asks for the end, the last line of the run names the wait. Nothing is drawn
//! if standard error is no terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::lock::locked;
use crate::base::printable;
use crate::process::stderr;

/// Shorter waits get no line.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);
/// Goes to the first column and erases the line.
const ERASE: &str = "\r\x1b[K";

/// A wait that ends this soon after a signal did not delay the end.
const AT_ONCE: Duration = Duration::from_millis(100);

static STATE: Mutex<State> = Mutex::new(State {
    next: 0,
    waits: BTreeMap::new(),
    drawn: String::new(),
    ending: None,
    waited: Vec::new(),
});

struct State {
    next: u64,
    /// In the order of their beginning.
    waits: BTreeMap<u64, Wait>,
    /// The line that is on the terminal now.
    drawn: String,
    /// When a signal asked for the end.
    ending: Option<Instant>,
    /// Waits that have ended since then.
    waited: Vec<String>,
}

struct Wait {
    what: String,
    /// Why the wait is not over yet.
    cause: Option<String>,
    since: Instant,
    end: Instant,
}

fn state() -> MutexGuard<'static, State> {
    locked(&STATE)
}

impl State {
    fn erase(&mut self) {
        if !std::mem::take(&mut self.drawn).is_empty() {
            stderr::write(ERASE.as_bytes());
        }
    }

    fn draw(&mut self, now: Instant) {
        let line = self.waits.values().find_map(|wait| line(wait, now));
        match line {
            None => self.erase(),
            Some(line) if line == self.drawn => {}
            Some(line) => {
                stderr::write(format!("{ERASE}{}", printable::line(&line)).as_bytes());
                self.drawn = line;
            }
        }
    }
}

impl Wait {
    /// The waits, and why they are not over yet.
    fn describe(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{} ({cause})", self.what),
            None => self.what.clone(),
        }
    }
}

fn line(wait: &Wait, now: Instant) -> Option<String> {
    let waited = now.saturating_duration_since(wait.since);
    let whole = wait.end.saturating_duration_since(wait.since);
    (waited >= PATIENCE).then(|| {
        format!(
            "waiting for {} ({} of {})",
            wait.what,
            length(waited.as_secs()),
            // The deadline was set a moment before.
            length((whole + Duration::from_millis(500)).as_secs())
        )
    })
}

fn length(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} m"),
        (minutes, seconds) => format!("{minutes} m {seconds} s"),
    }
}

/// Shows what a future waits for, until it ends.
pub async fn waiting<T>(what: String, end: Instant, work: impl Future<Output = T>) -> T {
    let _under_way = begin(what, end);
    work.await
}

/// Shows a wait until this is dropped.
pub fn begin(what: String, end: Instant) -> UnderWay {
    let since = Instant::now();
    let mut state = state();
    let number = state.next;
    state.next += 1;
    let cause = None;
    let wait = Wait {
        what,
        cause,
        since,
        end,
    };
    state.waits.insert(number, wait);
    UnderWay(number)
}

/// A wait, which ends when this is dropped.
#[derive(Debug)]
pub struct UnderWay(u64);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = state();
        let (Some(wait), ending) = (state.waits.remove(&self.0), state.ending) else {
            return;
        };
        let (what, since) = (wait.describe(), wait.since);
        let known = wait.cause.is_some();
        if ending.is_some_and(|ending| known || ending.max(since).elapsed() >= AT_ONCE) {
            state.waited.push(what);
        }
    }
}

/// Sets why a wait is not over yet, for the message of a stop. A retry does not know its wait, so
/// the cause is set for all waits for this server.
pub fn not_yet(server: &str, cause: &str) {
    let of_it = |wait: &&mut Wait| wait.what.contains(&format!("`{server}`"));
    for wait in state().waits.values_mut().filter(of_it) {
        wait.cause = Some(cause.to_owned());
    }
}

/// A signal asked for the end: from now on the waits that delay it are remembered.
pub fn ending() {
    state().ending.get_or_insert_with(Instant::now);
}

/// The last line of a run, with the waits that ended after a signal asked for the end, and those
/// that still last.
pub fn after_waiting(line: &str) -> String {
    let state = state();
    let under_way: Vec<String> = state.waits.values().map(Wait::describe).collect();
    let waited = state.waited.iter().chain(&under_way);
    let all: BTreeSet<&str> = waited.map(String::as_str).collect();
    match all.is_empty() {
        true => line.to_owned(),
        false => {
            let all: Vec<&str> = all.into_iter().collect();
            format!("{line}; waited for {}", all.join(", "))
        }
    }
}

/// Runs a future and shows its waits.
pub async fn shown<T>(work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let ticks = async {
        loop {
            tokio::time::sleep(TICK).await;
            state().draw(Instant::now());
        }
    };
    let done = tokio::select! {
        biased;
        done = work => done,
        never = ticks => never,
    };
    erase();
    done
}

/// Erases the line, before anything else is written.
pub fn erase() {
    state().erase();
}

/// Standard error for logs: each log line replaces the line of the wait.
pub struct Log {
    /// Whether the lines are coloured.
    pub coloured: bool,
}

impl Write for Log {
    /// Gets one whole line at a time. It never fails: the logging library would print the error to
    /// standard error, and panic.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        erase();
        let text = String::from_utf8_lossy(line);
        stderr::write(printable::of_log(&text, self.coloured).as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_words() {
        let since = Instant::now();
        for (waited, whole, want) in [
            (900, 120_000, None),
            (12_300, 119_998, Some("waiting for vault `v` (12 s of 2 m)")),
            (
                61_000,
                90_000,
                Some("waiting for vault `v` (1 m 1 s of 1 m 30 s)"),
            ),
        ] {
            let wait = Wait {
                what: "vault `v`".to_owned(),
                cause: None,
                since,
                end: since + Duration::from_millis(whole),
            };
            let told = line(&wait, since + Duration::from_millis(waited));
            assert_eq!(told.as_deref(), want);
        }
    }
}
