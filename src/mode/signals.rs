//! The signals that a mode handles, and the end that they ask for.
//!
//! A signal that was ignored when we were started stays ignored, as `nohup` and shells expect: by
//! us, and by a program that replaces us.

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
    /// 128 plus the signal's number, as in shells.
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

/// Waits for a signal that ends a run. The handlers are set when this function returns, not only at
/// the first poll.
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

/// Handles a signal; nothing if the signal is ignored or cannot be handled, so that the kernel's
/// action for it does not change.
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

/// The ignored signals of a process, one bit each.
fn ignored(status: &str) -> u64 {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).unwrap_or_default()
}

/// Enough for waiting and for a last line; the stack counts against a memory limit.
const STACK: usize = 256 << 10;

/// Calls `end` if the run has not ended in time after a signal, and at once after a second signal.
/// A separate thread waits for the signals, so nothing that hangs elsewhere delays it. The handlers
/// are set when this function returns: a signal before that reaches only handlers that were set
/// earlier.
pub fn guard(end: impl FnOnce(Stop) + Send + 'static) {
    let (listens, listening) = mpsc::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // Without this runtime the run can only end in the orderly way.
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
