//! The one retry layer: full jitter, a server's `Retry-After` within bounds, and an end at the deadline.
//!
//! Nothing beneath retries by itself except the connection pool, which re-sends only what was never written.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tokio::time::Instant;

use super::error::Cause;
use super::reasons::Trouble;
use crate::patience::{Patience, chance};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// What a server may make us wait within one run.
const ASKED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// More is never meant.
const DAY: Duration = Duration::from_secs(86_400);

/// A wrong day of the week does not make a date useless.
static DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// Counts the tries of one request and waits between them.
pub(super) struct Pace {
    patience: Patience,
    deadline: Instant,
    tries: u32,
    last: Option<Cause>,
}

impl Pace {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            deadline: patience.deadline(),
            tries: 0,
            last: None,
        }
    }

    /// Waits before the next try, or gives up when it would come too late: the cause is then the reason.
    pub(super) async fn pause(&mut self, cause: Cause) -> Result<(), Cause> {
        self.tries += 1;
        if self.patience.stays() {
            return Err(cause);
        }
        let wait = cause
            .asked_wait()
            .map_or_else(|| backoff(self.tries, chance()), within_a_run);
        let now = Instant::now();
        let cause = match (&cause, self.last.take()) {
            (Cause::Trouble(Trouble::Late { .. }), Some(last)) => last,
            _ => cause,
        };
        if now + wait >= self.deadline {
            return Err(Cause::Spent {
                tries: self.tries,
                last: Box::new(cause),
            });
        }
        if self.tries.is_power_of_two() {
            tracing::warn!(
                tries = self.tries,
                wait_ms = wait.as_millis(),
                "vault did not answer well: {cause}"
            );
        }
        self.last = Some(cause);
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// A random part of a bound that doubles with each try.
fn backoff(tries: u32, fraction: f64) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    (FIRST * (1 << doublings)).min(LONGEST).mul_f64(fraction)
}

fn within_a_run(asked: Duration) -> Duration {
    asked.clamp(ASKED.0, ASKED.1)
}

/// `Retry-After` in seconds or as a date, from a second to a day; nothing when it is neither.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds still mean: long.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let at = DATE.parse_timestamp(value).ok()?;
        Duration::try_from(at.duration_since(now)).unwrap_or_default()
    };
    Some(wait.clamp(ASKED.0, DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_26_retry_after_is_read_in_both_forms_and_kept_within_bounds() {
        let now: Timestamp = "2015-10-21T07:28:00Z".parse().expect("a time");
        let rows = [
            ("5", Some(5)),
            (" 7 ", Some(7)),
            ("0", Some(1)),
            ("60", Some(60)),
            ("90", Some(90)),
            ("1000000000", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("Wed, 21 Oct 2015 07:28:09 GMT", Some(9)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(1)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", Some(86_400)),
            ("Mon, 21 Oct 2026 07:28:00 GMT", Some(86_400)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ];
        for (value, want) in rows {
            let want = want.map(Duration::from_secs);
            assert_eq!(retry_after(value, now), want, "{value:?}");
        }
        for (asked, want) in [(1, 1), (59, 59), (60, 60), (90, 60), (86_400, 60)] {
            let asked = Duration::from_secs(asked);
            assert_eq!(within_a_run(asked).as_secs(), want, "{asked:?}");
        }
    }

    #[test]
    fn backoff_doubles_up_to_its_bound() {
        let rows = [
            (1, 100),
            (2, 200),
            (3, 400),
            (6, 3200),
            (7, 5000),
            (4_000_000, 5000),
        ];
        for (tries, most) in rows {
            assert_eq!(backoff(tries, 1.0), Duration::from_millis(most));
            assert_eq!(backoff(tries, 0.0), Duration::ZERO);
        }
    }

    #[tokio::test]
    async fn waiting_ends_before_the_deadline_with_the_last_cause() {
        let deadline = Instant::now() + Duration::from_millis(300);
        let mut pace = Pace::new(deadline.into());
        let gave_up = loop {
            if let Err(cause) = pace.pause(Trouble::Sealed.into()).await {
                break cause;
            }
        };
        assert!(Instant::now() < deadline);
        let Cause::Spent { tries, last } = gave_up else {
            panic!("must be spent: {gave_up}");
        };
        assert!(tries > 1 && matches!(*last, Cause::Trouble(Trouble::Sealed)));
    }
}
