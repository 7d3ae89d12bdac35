//! When a token or lease is renewed and when it is replaced: pure, so that a table shows the
//! schedule.
//!
//! A renewal comes after two thirds of the remaining time. A part of the span is kept for
//! replacing, so that nothing is left to the last moment; its length is partly random, so that many
//! sidecars do not come at once. A grant that shrinks shows that its maximum is near.

use std::time::Duration;

/// What to do when the time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalTurn {
    /// Ask for more time.
    Renew,
    /// Get a new token or lease before this one ends.
    Replace,
}

/// The schedule of one token or lease.
#[derive(Debug, Clone, Copy)]
pub struct RenewalSchedule {
    span: Duration,
    grace: Duration,
}

/// The first wait after an error, and the longest.
const ERRORS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

impl RenewalSchedule {
    /// For a granted span; `chance` is from 0 to 1.
    pub fn new(span: Duration, chance: f64) -> Self {
        let grace = span.mul_f64(0.1 + 0.1 * chance.clamp(0.0, 1.0));
        Self { span, grace }
    }

    /// After a renewal. The grace only grows with a span, so that a maximum that comes near is
    /// noticed.
    pub fn granted(&mut self, span: Duration, chance: f64) {
        if span > self.span {
            *self = Self::new(span, chance);
        }
    }

    /// The next step, and the wait before it.
    pub fn next(&self, left: Duration, renewable: bool) -> (RenewalTurn, Duration) {
        let spare = left.saturating_sub(self.grace);
        let wait = left * 2 / 3 + self.grace / 3;
        if !renewable || spare.is_zero() || left.saturating_sub(wait) <= self.grace {
            (RenewalTurn::Replace, spare)
        } else {
            (RenewalTurn::Renew, wait)
        }
    }

    /// The next step after this many errors in a row. A short span allows only short waits.
    pub fn after_error(&self, left: Duration, errors: u32, chance: f64) -> (RenewalTurn, Duration) {
        let spare = left.saturating_sub(self.grace);
        let wait = backoff(ERRORS.0, ERRORS.1, errors, chance).min(self.span / 8);
        if wait >= spare {
            (RenewalTurn::Replace, spare)
        } else {
            (RenewalTurn::Renew, wait)
        }
    }
}

/// Doubles with each error up to a bound, plus or minus a half.
pub fn backoff(first: Duration, longest: Duration, errors: u32, chance: f64) -> Duration {
    let doublings = errors.saturating_sub(1).min(16);
    first
        .saturating_mul(1 << doublings)
        .min(longest)
        .mul_f64(0.5 + chance.clamp(0.0, 1.0))
        .min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn two_thirds_pass_before_a_renewal_and_a_shrinking_grant_is_replaced() {
        // Span, chance, left, renewable: turn and milliseconds.
        let rows = [
            (60, 0.0, 60, true, RenewalTurn::Renew, 42_000),
            (60, 1.0, 60, true, RenewalTurn::Renew, 44_000),
            (60, 0.0, 60, false, RenewalTurn::Replace, 54_000),
            (60, 1.0, 60, false, RenewalTurn::Replace, 48_000),
            (60, 0.0, 25, true, RenewalTurn::Renew, 18_666),
            (60, 0.0, 24, true, RenewalTurn::Replace, 18_000),
            (60, 0.0, 6, true, RenewalTurn::Replace, 0),
            (60, 0.0, 1, true, RenewalTurn::Replace, 0),
            (0, 0.5, 0, true, RenewalTurn::Replace, 0),
            (1, 0.0, 1, true, RenewalTurn::Renew, 699),
        ];
        for (span, chance, left, renewable, turn, wait) in rows {
            let (is, after) = RenewalSchedule::new(s(span), chance).next(s(left), renewable);
            assert_eq!(
                (is, after.as_millis()),
                (turn, wait),
                "{span} {chance} {left}"
            );
        }
    }

    #[test]
    fn the_grace_follows_a_span_only_upwards() {
        let mut schedule = RenewalSchedule::new(s(100), 0.0);
        schedule.granted(s(30), 0.0);
        assert_eq!(schedule.next(s(30), true).0, RenewalTurn::Replace);
        schedule.granted(s(200), 0.0);
        assert_eq!(schedule.next(s(100), true).0, RenewalTurn::Renew);
        assert_eq!(schedule.next(s(79), true).0, RenewalTurn::Replace);
    }

    #[test]
    fn row_19_errors_are_waited_out_and_never_without_a_wait() {
        let hour = RenewalSchedule::new(s(3600), 0.0);
        let rows = [
            (3600, 1, RenewalTurn::Renew, 10),
            (3600, 2, RenewalTurn::Renew, 20),
            (3600, 6, RenewalTurn::Renew, 300),
            (3600, 99, RenewalTurn::Renew, 300),
            (400, 6, RenewalTurn::Replace, 40),
        ];
        for (left, errors, turn, wait) in rows {
            let (is, after) = hour.after_error(s(left), errors, 0.5);
            assert_eq!((is, after.as_secs()), (turn, wait), "{left} {errors}");
        }
        for errors in 1..20 {
            let (turn, wait) = RenewalSchedule::new(s(5), 0.0).after_error(s(5), errors, 0.0);
            assert_eq!(turn, RenewalTurn::Renew);
            assert!(
                wait >= Duration::from_millis(600) && wait < s(1),
                "{wait:?}"
            );
        }
    }

    #[test]
    fn backoff_doubles_gives_or_takes_a_half_and_is_bounded() {
        for (errors, chance, want) in [
            (1, 0.5, 1000),
            (1, 0.0, 500),
            (1, 1.0, 1500),
            (4, 0.5, 8000),
            (40, 0.5, 60_000),
            (40, 1.0, 60_000),
        ] {
            let wait = backoff(s(1), s(60), errors, chance);
            assert_eq!(wait.as_millis(), want, "{errors} {chance}");
        }
    }
}
