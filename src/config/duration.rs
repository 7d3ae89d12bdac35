//! Durations as people write them: `90s`, `2m`, `1h30m`, `7d`, or seconds.

use std::time::Duration;

use super::check::Checker;
use super::located::{At, Shown};

/// Reads a duration. The hint how to write one is the caller's.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration");
    let mut total: u64 = 0;
    let mut digits = String::new();
    let mut add = |digits: &mut String, unit: u64| {
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        digits.clear();
        total = number
            .checked_mul(unit)
            .and_then(|n| total.checked_add(n))
            .ok_or_else(wrong)?;
        Ok::<(), String>(())
    };
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            's' => add(&mut digits, 1)?,
            'm' => add(&mut digits, 60)?,
            'h' => add(&mut digits, 3600)?,
            'd' => add(&mut digits, 86_400)?,
            unit if unit.is_alphabetic() && !digits.is_empty() => {
                return Err(format!("there is no unit `{unit}`"));
            }
            _ => return Err(wrong()),
        }
    }
    if !digits.is_empty() || text.is_empty() {
        add(&mut digits, 1)?;
    }
    Ok(Duration::from_secs(total))
}

/// Longest duration: nobody means more than a year.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl Checker<'_> {
    /// A duration of a second or more.
    pub(super) fn duration(&mut self, written: &At<Shown>) -> Option<Duration> {
        let text = self.text(written);
        let read = duration(&text).and_then(|span| {
            let usable = !span.is_zero() && span <= LONGEST;
            usable
                .then_some(span)
                .ok_or_else(|| format!("`{text}` is not between a second and a year"))
        });
        match read {
            Ok(span) => Some(span),
            Err(what) => {
                self.problem(written, what, "write it as 30s, 5m, 1h30m or 7d");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("2m", Some(120)),
            ("1h30m", Some(5400)),
            ("7d", Some(604_800)),
            ("45", Some(45)),
            ("1m5", Some(65)),
            ("0s", Some(0)),
            ("", None),
            ("m", None),
            ("1.5h", None),
            ("-1s", None),
            ("99999999999999999999s", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(duration(text).ok().map(|d| d.as_secs()), seconds, "{text}");
        }
    }
}
