//! How many deliveries are handled at once. All at once would cost memory for deliveries that only
//! wait. If none of them ends, for example because a server hangs, more may begin: deliveries that
//! use another server are then not delayed.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::base::lock::locked;
use crate::process::memory;

/// Enough to keep every server busy: each server gets fewer requests at once.
const AT_ONCE: usize = 32;

/// If none ended for this long, as many again may begin.
const STUCK: Duration = Duration::from_millis(100);

/// The same under a memory limit that allows only few at once: a slow delivery must not look like a
/// hanging one.
const STUCK_IN_LITTLE_MEMORY: Duration = Duration::from_secs(2);

/// The turns of a process.
#[derive(Debug)]
pub struct Turns {
    free: Semaphore,
    /// How many turns there are while deliveries end regularly.
    usual: usize,
    /// After this time without an end more may begin.
    stuck: Duration,
    pace: Mutex<Pace>,
}

#[derive(Debug)]
struct Pace {
    /// How many turns there are, taken or free.
    turns: usize,
    /// When the last one ended, or more turns were added.
    moved: Instant,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    turns: &'a Turns,
    permit: Option<SemaphorePermit<'a>>,
}

impl Default for Turns {
    fn default() -> Self {
        let usual = memory::at_once(AT_ONCE);
        Self {
            free: Semaphore::new(usual),
            usual,
            stuck: match usual < AT_ONCE {
                true => STUCK_IN_LITTLE_MEMORY,
                false => STUCK,
            },
            pace: Mutex::new(Pace {
                turns: usual,
                moved: Instant::now(),
            }),
        }
    }
}

impl Turns {
    /// Waits for a turn, first come, first served.
    pub async fn wait_for_turn(&self) -> Turn<'_> {
        let mut asked = std::pin::pin!(self.free.acquire());
        loop {
            if let Ok(permit) = timeout(self.stuck, &mut asked).await {
                return Turn {
                    turns: self,
                    // The semaphore is never closed.
                    permit: permit.ok(),
                };
            }
            self.widen();
        }
    }

    fn widen(&self) {
        let mut pace = locked(&self.pace);
        if pace.moved.elapsed() >= self.stuck {
            self.free.add_permits(pace.turns);
            pace.turns *= 2;
            pace.moved = Instant::now();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut pace = locked(&self.turns.pace);
        pace.moved = Instant::now();
        // The turns that were added are removed again: this one, and those that nobody waits for.
        if pace.turns > self.turns.usual
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            pace.turns -= 1;
            let more = pace.turns.saturating_sub(self.turns.usual);
            pace.turns -= self.turns.free.forget_permits(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn row_186_only_so_many_run_at_once() {
        // A slow machine must not look like a hanging one here.
        let turns = Turns {
            stuck: Duration::from_secs(600),
            ..Turns::default()
        };
        let (running, most) = (Cell::new(0), Cell::new(0));
        let one = async |_| {
            let _turn = turns.wait_for_turn().await;
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            running.set(running.get() - 1);
        };
        join_all((0..2000).map(one)).await;
        assert_eq!(most.get(), turns.usual);
    }

    #[tokio::test]
    async fn row_186_what_hangs_holds_up_no_other() {
        let turns = Turns::default();
        let hang = async |_| {
            let _turn = turns.wait_for_turn().await;
            std::future::pending::<()>().await;
        };
        {
            let hanging = join_all((0..2000).map(hang));
            tokio::select! {
                biased;
                _ = hanging => panic!("it hangs"),
                turn = turns.wait_for_turn() => drop(turn),
            }
        }
        // The hanging ones have ended, and the turns that were added for them are removed.
        assert_eq!(locked(&turns.pace).turns, turns.usual);
        assert_eq!(turns.free.available_permits(), turns.usual);
    }
}
