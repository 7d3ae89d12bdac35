//! One line on a terminal while something is waited for, gone before anything else is written there.
//!
//! Who waits says so with [`waiting`]; [`shown`] draws the line around a whole run, and [`Stderr`] is where logs go.
//! Nothing is drawn where standard error is no terminal.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::locked;

/// Shorter waits are not worth a line.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);
/// To the first column, and nothing left behind it.
const ERASE: &[u8] = b"\r\x1b[K";

static STATE: Mutex<State> = Mutex::new(State {
    next: 0,
    waits: BTreeMap::new(),
    drawn: String::new(),
});

struct State {
    next: u64,
    /// In the order they began.
    waits: BTreeMap<u64, Wait>,
    /// The line that stands on the terminal.
    drawn: String,
}

struct Wait {
    what: String,
    since: Instant,
    end: Instant,
}

fn state() -> MutexGuard<'static, State> {
    locked(&STATE)
}

impl State {
    fn erase(&mut self) {
        if !std::mem::take(&mut self.drawn).is_empty() {
            let _ = std::io::stderr().lock().write_all(ERASE);
        }
    }

    fn draw(&mut self, now: Instant) {
        let line = self.waits.values().find_map(|wait| line(wait, now));
        match line {
            None => self.erase(),
            Some(line) if line == self.drawn => {}
            Some(line) => {
                let mut error = std::io::stderr().lock();
                let _ = error.write_all(ERASE);
                let _ = error.write_all(line.as_bytes());
                let _ = error.flush();
                self.drawn = line;
            }
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

/// Tells what a future waits for, as long as it is under way.
pub async fn waiting<T>(what: String, end: Instant, work: impl Future<Output = T>) -> T {
    let _ended = Ended(begin(what, end));
    work.await
}

fn begin(what: String, end: Instant) -> u64 {
    let since = Instant::now();
    let mut state = state();
    let number = state.next;
    state.next += 1;
    state.waits.insert(number, Wait { what, since, end });
    number
}

/// Ends a wait, also that of a future which is dropped.
struct Ended(u64);

impl Drop for Ended {
    fn drop(&mut self) {
        state().waits.remove(&self.0);
    }
}

/// Runs something and shows what it waits for.
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

/// Takes the line away, before anything else is written.
pub fn erase() {
    state().erase();
}

/// Standard error for logs: each is written where the line was.
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        erase();
        std::io::stderr().lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
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
                since,
                end: since + Duration::from_millis(whole),
            };
            let told = line(&wait, since + Duration::from_millis(waited));
            assert_eq!(told.as_deref(), want);
        }
    }
}
