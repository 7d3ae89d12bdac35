//! How long waiting may take: a job's waiting has one end, a sidecar's has none, and each of its
//! steps is short instead.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

pub mod retry;

/// A call of the disk that takes longer than this hangs.
const LEAST_OF_DISK: Duration = Duration::from_secs(2);

/// How long waiting may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// Everything ends here; until then, what may pass is tried again.
    Until(Instant),
    /// Each step that begins now may take this long and is tried once: whoever stays asks again
    /// later, and knows better when.
    Each(Duration),
}

impl TimeLimit {
    /// When a step that begins now has to end.
    pub fn deadline(self) -> Instant {
        match self {
            Self::Until(end) => end,
            Self::Each(span) => Instant::now() + span,
        }
    }

    /// When a call of the disk that begins now has to end. A disk that works answers at once, so
    /// that what was read in time is written, however little time is left.
    pub fn of_disk(self) -> Instant {
        self.deadline().max(Instant::now() + LEAST_OF_DISK)
    }

    /// Whether somebody asks again later, so that one try is enough.
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

/// From 0 up to 1, good enough for jitter. The generator of aws-lc takes 30 ms to start, which
/// plain http never needs.
pub fn chance() -> f64 {
    any_number() as f64 / u64::MAX as f64
}

/// Any number, for ids that need not be secret.
pub fn any_number() -> u64 {
    RandomState::new().build_hasher().finish()
}
