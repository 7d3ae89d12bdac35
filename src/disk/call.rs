//! Blocking calls of the disk, each on a thread beside the one that answers probes and renews
//! leases.
//!
//! A file system that hangs blocks only the calls that use it: a few calls at a time go to one
//! place, a caller stops waiting in time, and a slow call does not count among the calls that may
//! run at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Span;
use tracing::dispatcher::{get_default, with_default};

use crate::base::lock::locked;

/// Calls that run at once, so that thousands of targets do not make hundreds of threads. The same
/// number at one place: a disk flushes several files in hardly more time than one.
const AT_ONCE: u32 = 8;
/// A disk that works needs less time for one call.
const SLOW: Duration = Duration::from_millis(100);

/// How long one of many calls may take before the runtime exists.
const PROMPT: Duration = Duration::from_millis(500);

static ROOM: Semaphore = Semaphore::const_new(AT_ONCE as usize);
/// Every place that was ever used: never more than the configuration has.
static PLACES: Mutex<BTreeMap<PathBuf, Arc<Semaphore>>> = Mutex::new(BTreeMap::new());

/// A place did not answer in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer(pub PathBuf);

/// Whether somebody still waits for a call. A call that nobody waits for must not write: its write
/// was decided too long ago.
#[derive(Debug, Clone, Default)]
pub struct WaitingCaller(Arc<AtomicBool>);

impl WaitingCaller {
    /// Whether somebody still waits.
    pub fn waits(&self) -> bool {
        !self.0.load(Ordering::Acquire)
    }
}

/// Sets the mark when the caller goes away.
struct CallerGuard(WaitingCaller);

impl Drop for CallerGuard {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

/// The right to call at one place, until it is dropped.
pub struct CallTurn {
    place: PathBuf,
    _held: OwnedSemaphorePermit,
}

impl CallTurn {
    /// Waits until no other call is at this place; no other call begins there until this is
    /// dropped.
    pub async fn alone(place: &Path, end: Instant) -> Result<Self, NoAnswer> {
        Self::wait(place, AT_ONCE, end).await
    }

    /// Waits until only a few other calls are at this place.
    pub async fn shared(place: &Path, end: Instant) -> Result<Self, NoAnswer> {
        Self::wait(place, 1, end).await
    }

    async fn wait(place: &Path, share: u32, end: Instant) -> Result<Self, NoAnswer> {
        let place = place.to_owned();
        let all = || Arc::new(Semaphore::new(AT_ONCE as usize));
        let turns = Arc::clone(locked(&PLACES).entry(place.clone()).or_insert_with(all));
        match timeout_at(end, turns.acquire_many_owned(share)).await {
            Ok(Ok(held)) => Ok(Self { place, _held: held }),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(NoAnswer(place)),
        }
    }

    /// Makes the call, then gives the turn back. A call that does not answer keeps its turn until
    /// it does.
    pub async fn call<T: Send + 'static>(
        self,
        end: Instant,
        call: impl FnOnce(&WaitingCaller) -> T + Send + 'static,
    ) -> Result<(T, Self), NoAnswer> {
        let place = self.place.clone();
        let caller = WaitingCaller::default();
        let leaving = CallerGuard(caller.clone());
        let done = aside(move || {
            let given = call(&caller);
            (given, self)
        });
        let done = timeout_at(end, done).await;
        drop(leaving);
        done.map_err(|_| NoAnswer(place))
    }
}

/// One call at one place, beside a few others.
pub async fn call_at<T: Send + 'static>(
    place: &Path,
    end: Instant,
    call: impl FnOnce(&WaitingCaller) -> T + Send + 'static,
) -> Result<T, NoAnswer> {
    let turn = CallTurn::shared(place, end).await?;
    turn.call(end, call).await.map(|(given, _)| given)
}

/// Runs a blocking call on a separate thread, however long it takes.
pub async fn aside<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let room = ROOM.acquire().await;
    // Log lines of the call belong to its caller.
    let (span, log) = (Span::current(), get_default(Clone::clone));
    let call = move || with_default(&log, || span.in_scope(call));
    let mut running = tokio::task::spawn_blocking(call);
    let done = match timeout(SLOW, &mut running).await {
        Ok(done) => done,
        Err(_) => {
            drop(room);
            running.await
        }
    };
    match done {
        Ok(given) => given,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Only a runtime that ends cancels a call, and then nobody waits.
        Err(_) => std::future::pending().await,
    }
}

/// Makes calls one after another on a separate thread, before there is a runtime. A call that does
/// not answer in time is left behind, and its answer is `None`.
pub fn promptly<A, T>(asked: Vec<A>, ask: fn(&A) -> T) -> Vec<Option<T>>
where
    A: Send + Sync + 'static,
    T: Send + 'static,
{
    let asked = Arc::new(asked);
    let answers: Vec<Option<T>> = Vec::with_capacity(asked.len());
    let round = Arc::new((Mutex::new(answers), Condvar::new()));
    let (answers, ended) = &*round;
    let mut given = locked(answers);
    while given.len() < asked.len() {
        let (all, round, mut next) = (Arc::clone(&asked), Arc::clone(&round), given.len());
        std::thread::spawn(move || {
            let (answers, ended) = &*round;
            while let Some(one) = all.get(next) {
                let answer = ask(one);
                let mut given = locked(answers);
                if given.len() != next {
                    // This thread was left behind.
                    return;
                }
                given.push(Some(answer));
                next += 1;
            }
            ended.notify_one();
        });
        // Only the end is signalled: thousands of answers would wake us as often.
        let mut before = given.len();
        loop {
            let waited = ended.wait_timeout(given, PROMPT);
            let (now, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            given = now;
            if given.len() == asked.len() {
                break;
            }
            if waited.timed_out() && given.len() == before {
                given.push(None);
                break;
            }
            if waited.timed_out() {
                before = given.len();
            }
        }
    }
    std::mem::take(&mut given)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn row_117_one_of_many_that_hangs_is_left_behind() {
        let ask = |number: &u64| {
            if *number == 3 {
                std::thread::sleep(4 * PROMPT);
            }
            *number
        };
        let answers = promptly((1..6).collect(), ask);
        assert_eq!(answers, [Some(1), Some(2), None, Some(4), Some(5)]);
        assert_eq!(promptly(Vec::new(), ask), []);
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(300)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn row_117_what_hangs_holds_up_its_own_place_only_and_keeps_few_threads() {
        let hung = Path::new("/hung/for/a/test");
        let (left, told) = channel();
        let mut release = Vec::new();
        for _ in 0..AT_ONCE {
            let (go, hold) = channel::<()>();
            release.push(go);
            let left = left.clone();
            let call = call_at(hung, soon(), move |caller| {
                let _ = hold.recv();
                let _ = left.send(caller.waits());
            });
            assert_eq!(call.await, Err(NoAnswer(hung.to_owned())));
        }
        let beyond = call_at(hung, soon(), |_| -> () {
            unreachable!("those before have not ended")
        });
        assert_eq!(beyond.await, Err(NoAnswer(hung.to_owned())));
        for number in 0..2 * AT_ONCE {
            let place = PathBuf::from(format!("/well/for/a/test/{number}"));
            assert_eq!(call_at(&place, later(), move |_| number).await, Ok(number));
        }
        drop(release);
        let alone = CallTurn::alone(hung, later()).await.expect("free again");
        let answer = alone.call(later(), |caller| caller.waits()).await;
        assert!(answer.is_ok_and(|(waits, _)| waits));
        let late: Vec<bool> = told.try_iter().collect();
        assert_eq!(
            late,
            vec![false; AT_ONCE as usize],
            "nobody waited for them"
        );
    }

    #[tokio::test]
    async fn who_is_alone_at_a_place_waits_for_others_and_they_for_him() {
        let place = Path::new("/alone/for/a/test");
        let alone = CallTurn::alone(place, later()).await.expect("free");
        let other = call_at(place, soon(), |_| ()).await;
        assert_eq!(other, Err(NoAnswer(place.to_owned())));
        drop(alone);
        assert_eq!(call_at(place, later(), |_| ()).await, Ok(()));
    }
}
