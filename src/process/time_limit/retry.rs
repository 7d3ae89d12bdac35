//! The wait before a call is tried again: full jitter, or the wait that the server asks for, within
//! bounds. Pure except for randomness.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::chance;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The shortest and the longest wait that a server may ask for within one call.
const ASKED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A longer wait is never meant.
const DAY: Duration = Duration::from_secs(86_400);

/// Accepts a date with a wrong day of the week.
static DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// The wait after the given number of tries.
pub(crate) fn pause(tries: u32, asked: Option<Duration>) -> Duration {
    let asked = asked.map(|asked| asked.clamp(ASKED.0, ASKED.1));
    asked.unwrap_or_else(|| backoff(tries, chance()))
}

/// Between half of the pause and the whole pause, so that many callers do not come back at once.
pub(crate) fn jittered(pause: Duration) -> Duration {
    pause / 2 + (pause / 2).mul_f64(chance())
}

/// A random part of a maximum that doubles with each try.
fn backoff(tries: u32, fraction: f64) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    (FIRST * (1 << doublings)).min(LONGEST).mul_f64(fraction)
}

/// `Retry-After` in seconds or as a date, between a second and a day; nothing if it is neither.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that is too long for a u64 still means a long wait.
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
    fn rows_26_and_71_retry_after_is_read_in_both_forms_and_kept_within_bounds() {
        let now: Timestamp = "2015-10-21T07:28:00Z".parse().expect("a time");
        let rows = [
            ("5", Some(5)),
            (" 7 ", Some(7)),
            ("60", Some(60)),
            ("90", Some(90)),
            ("0", Some(1)),
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
    }

    #[test]
    fn a_pause_doubles_up_to_its_bound_and_yields_to_the_server() {
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
            assert!(pause(tries, None) <= Duration::from_millis(most));
        }
        let asked = Duration::from_secs(7);
        assert_eq!(pause(1, Some(asked)), asked);
        assert_eq!(pause(1, Some(DAY)), ASKED.1);
    }
}
