//! The signals that a mode hears, and the end that they ask for.
//!
//! What whoever started us had ignored stays ignored, as `nohup` and shells mean it: by us, and by
//! a program that follows us.

use std::pin::pin;
use std::sync::mpsc::{self, RecvError};
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::process::progress;
use crate::process::shutdown;

/// A signal that ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

impl Stop {
    /// 128 and the signal's number, as shells say it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Terminate => 143,
            Self::Interrupt => 130,
        }
    }
}

/// The signals that end a run, each time they come.
struct Stops {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Stops {
    fn new() -> Self {
        Self {
            terminate: heard(SignalKind::terminate()),
            interrupt: heard(SignalKind::interrupt()),
        }
    }

    async fn next(&mut self) -> Stop {
        let stop = tokio::select! {
            () = next(&mut self.terminate) => Stop::Terminate,
            () = next(&mut self.interrupt) => Stop::Interrupt,
        };
        progress::ending();
        stop
    }
}

/// Waits for a signal that ends a run. The handlers stand when this returns, not only when it
/// is first polled.
pub(super) fn stopped() -> impl Future<Output = Stop> {
    let mut stops = Stops::new();
    async move { stops.next().await }
}

async fn next(heard: &mut Option<Signal>) {
    match heard {
        Some(heard) => drop(heard.recv().await),
        None => std::future::pending().await,
    }
}

/// A signal; nothing where it is ignored or cannot be handled, so that the kernel does with it what
/// it did before.
pub(super) fn heard(kind: SignalKind) -> Option<Signal> {
    if is_ignored(kind) {
        return None;
    }
    signal(kind).ok()
}

fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status) & (1 << (kind.as_raw_value() - 1)) != 0
}

/// The ignored signals of a process, a bit for each.
fn ignored(status: &str) -> u64 {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).unwrap_or_default()
}

/// Enough for waiting and for a last line; it counts against a limit of memory.
const STACK: usize = 256 << 10;

/// Calls `end` when the end that a signal asks for does not come in time, and at once when a second
/// signal comes. The signals are heard on a thread of their own: nothing that hangs elsewhere holds
/// it up. The handlers stand when this returns: a signal that came before would be heard by those
/// alone who listened by then.
pub fn guard(end: impl FnOnce(Stop) + Send + 'static) {
    let (listens, listening) = mpsc::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // Without it an orderly end is all that there is.
        let Ok(runtime) = runtime else { return };
        let stop = runtime.block_on(async {
            let mut stops = Stops::new();
            drop(listens);
            let stop = stops.next().await;
            let limit = pin!(sleep(shutdown::LIMIT));
            tokio::select! {
                () = limit => stop,
                again = stops.next() => again,
            }
        });
        end(stop);
    };
    let thread = thread::Builder::new().name("signals".into());
    if thread.stack_size(STACK).spawn(work).is_ok() {
        let _: Result<(), RecvError> = listening.recv();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_kernel() {
        for (status, want) in [
            ("Name:\tx\nSigIgn:\t0000000000001006\nSigCgt:\t0\n", 0x1006),
            ("SigIgn:\tzz\n", 0),
            ("", 0),
        ] {
            assert_eq!(ignored(status), want, "{status}");
        }
    }
}
