//! When to make a pass, and what to do with what came of it. Each mode is a thin user of [`crate::cycle`].

pub mod check;
pub mod exec;
pub mod once;
pub mod reflector;
pub mod sidecar;
pub mod trace;
pub mod watch;

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::outcome::Failed;
use crate::report::Failure;

/// How long an orderly end may take after a signal.
const FAREWELL: Duration = Duration::from_secs(2);

/// How a mode ended.
#[derive(Debug)]
pub enum Ended {
    /// All is as declared; the text is the last line.
    Well(String),
    /// There are differences, and nothing was written.
    Differs(String),
    /// It failed; the worst failure.
    Failed(Failed),
    /// A signal ended it.
    Signal(Stop),
    /// The program that it ran ended; its exit code is ours.
    Program(u8),
}

impl Ended {
    /// The same where a report before it says all: nothing is left to tell but how it ended.
    #[must_use]
    pub fn shown_above(self) -> Self {
        match self {
            Self::Well(_) => Self::Well(String::new()),
            Self::Differs(_) => Self::Differs(String::new()),
            Self::Failed(failed) => Self::Failed(Failed {
                failure: Failure::new(failed.failure.class, "see above"),
                ..failed
            }),
            Self::Signal(stop) => Self::Signal(stop),
            Self::Program(code) => Self::Program(code),
        }
    }
}

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

/// Waits for a signal that ends a run. The handlers stand when this returns, not only when it is first polled.
fn stopped() -> impl Future<Output = Stop> {
    let handlers = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = handlers else {
            // Without handlers the signals end the process by themselves.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => Stop::Terminate,
            _ = interrupt.recv() => Stop::Interrupt,
        }
    }
}
