//! Failures: what failed, why, and what to do next. Their classes are in
//! [`exit_code`](super::exit_code).

use std::fmt;
use std::time::Duration;

pub use super::exit_code::{Class, FailureRule};

/// One failure as a person meets it: what and where, why, and the next move. Never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides retry and exit code.
    pub class: Class,
    /// Object and step, lower case, no period.
    pub what: String,
    /// The next move.
    pub hint: Option<String>,
    /// Whether this is a definitive absence: the only failure that `optional: true` forgives.
    pub absent: bool,
    /// Whether its text names the source that could not be read: an error about a key does not.
    pub names_source: bool,
    /// How long the server that failed asks us to wait, in seconds; 0 where it said nothing.
    /// The caller that waits sets an upper bound. A small type, because failures are passed on
    /// often.
    pub wait_s: u32,
    /// Another failure of the same object, no worse: the second source of a delivery that cannot be
    /// read.
    pub next: Option<Box<Self>>,
}

impl Failure {
    /// A failure without a hint yet.
    pub fn new(class: Class, what: impl Into<String>) -> Self {
        Self {
            class,
            what: what.into(),
            hint: None,
            absent: false,
            names_source: false,
            wait_s: 0,
            next: None,
        }
    }

    /// Several failures of one object as one: the worst first.
    pub fn joined(mut all: Vec<Self>) -> Option<Self> {
        all.sort_by_key(|failure| failure.class);
        let mut joined = None;
        for mut failure in all.into_iter().rev() {
            failure.next = joined.map(Box::new);
            joined = Some(failure);
        }
        joined
    }

    /// Each failure alone.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        let all = std::iter::successors(Some(self), |failure| failure.next.as_deref());
        all.map(|failure| Self {
            next: None,
            ..failure.clone()
        })
    }

    /// The same failure, known to be a definitive absence.
    #[must_use]
    pub fn absent(mut self) -> Self {
        self.absent = true;
        self
    }

    /// How long the server that failed asks us to wait.
    pub fn asked(&self) -> Option<Duration> {
        (self.wait_s > 0).then(|| Duration::from_secs(self.wait_s.into()))
    }

    /// The same failure with the next move.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The class of an error in reading a file of the configuration: a mistake, unless the system had
/// no descriptor or no memory left, which no other configuration would change.
pub fn class_of_reading(error: &std::io::Error) -> Class {
    const NO_MEMORY: i32 = 12;
    const TOO_MANY_OF_THE_SYSTEM: i32 = 23;
    const TOO_MANY: i32 = 24;
    match error.raw_os_error() {
        Some(NO_MEMORY | TOO_MANY_OF_THE_SYSTEM | TOO_MANY) => Class::Unavailable,
        Some(_) | None => Class::Configuration,
    }
}

/// Whole seconds, at most what a `u32` holds.
fn seconds(wait: Duration) -> u32 {
    wait.as_secs().try_into().unwrap_or(u32::MAX)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// Facts that an error of any module tells beside its text.
pub trait Fault: std::error::Error {
    /// Decides retry and exit code.
    fn class(&self) -> Class;
    /// The next move, where there is one.
    fn hint(&self) -> Option<String>;
    /// Whether it is a definitive absence.
    fn absent(&self) -> bool {
        false
    }
    /// Whether its text names what could not be read.
    fn names_source(&self) -> bool {
        false
    }
    /// How long the server asks us to wait.
    fn wait(&self) -> Option<Duration> {
        None
    }
}

impl<E: Fault> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut what = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            what.push_str(": ");
            what.push_str(&error.to_string());
            cause = error.source();
        }
        Self {
            class: error.class(),
            what,
            hint: error.hint(),
            absent: error.absent(),
            names_source: error.names_source(),
            wait_s: error.wait().map_or(0, seconds),
            next: None,
        }
    }
}
