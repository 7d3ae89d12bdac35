//! How long waits may take: the waits of a job have one common end; a sidecar has no end, so each
//! of its steps is short instead.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

pub mod retry;

/// A call of the disk that takes longer than this hangs.
const LEAST_OF_DISK: Duration = Duration::from_secs(2);

/// How long waiting may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// Everything ends at this time; until then, passing errors are retried.
    Until(Instant),
    /// Each step that begins now may take this long and is tried once: a process that stays tries
    /// again later, at a better time.
    Each(Duration),
}

impl TimeLimit {
    /// When a step that begins now must end.
    pub fn deadline(self) -> Instant {
        match self {
            Self::Until(end) => end,
            Self::Each(span) => Instant::now() + span,
        }
    }

    /// When a disk call that begins now must end. A working disk answers at once, so data that was
    /// read in time is written even if little time is left.
    pub fn of_disk(self) -> Instant {
        self.deadline().max(Instant::now() + LEAST_OF_DISK)
    }

    /// Whether there will be another attempt later, so that one attempt is enough.
    pub fn stays(self) -> bool {
        match self {
            Self::Until(_) => false,
            Self::Each(_) => true,
        }
    }
}

impl From<Instant> for TimeLimit {
    fn from(end: Instant) -> Self {
        Self::Until(end)
    }
}

/// A random number from 0 to 1, good enough for jitter. The generator of aws-lc takes 30 ms to
/// start, and plain http does not need it otherwise.
pub fn chance() -> f64 {
    any_number() as f64 / u64::MAX as f64
}

/// A random number for ids that need not be secret.
pub fn any_number() -> u64 {
    RandomState::new().build_hasher().finish()
}
