//! Points in time as YAML 1.1 and SOPS spell them.

use std::fmt::Write;

/// A point in time with the offset in which it was written. The date is valid; leap seconds are
/// refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    year: u16,
    /// Month, day, hour, minute, second.
    fields: [u8; 5],
    nanoseconds: u32,
    /// Hours and minutes east of UTC, negative west.
    offset: (bool, u8, u8),
}

impl Time {
    /// RFC 3339, strictly.
    pub(crate) fn rfc3339(text: &str) -> Option<Self> {
        let time = Self::parse(text, b'T', true)?;
        let strict = text.len() >= 20 && text.as_bytes().get(10) == Some(&b'T');
        let two_digits = text
            .bytes()
            .take(19)
            .enumerate()
            .all(|(at, byte)| matches!(at, 4 | 7 | 10 | 13 | 16) != byte.is_ascii_digit());
        (strict && two_digits).then_some(time)
    }

    /// The forms that Go's YAML takes for a timestamp when they stand unquoted.
    pub(crate) fn yaml(text: &str) -> Option<Self> {
        if text.bytes().take_while(u8::is_ascii_digit).count() != 4 {
            return None;
        }
        Self::parse(text, b'T', true)
            .or_else(|| Self::parse(text, b't', true))
            .or_else(|| Self::parse(text, b' ', false))
            .or_else(|| Self::date(text))
    }

    fn parse(text: &str, separator: u8, zoned: bool) -> Option<Self> {
        let mut input = Input(text.as_bytes());
        let mut time = input.date()?;
        input.expect(separator)?;
        for (at, end) in [(2, b':'), (3, b':'), (4, 0)] {
            time.fields[at] = input.number()?;
            if end != 0 {
                input.expect(end)?;
            }
        }
        time.nanoseconds = input.fraction()?;
        if zoned {
            time.offset = input.offset()?;
        }
        let [_, _, hour, minute, second] = time.fields;
        (input.0.is_empty() && hour < 24 && minute < 60 && second < 60).then_some(time)
    }

    fn date(text: &str) -> Option<Self> {
        let mut input = Input(text.as_bytes());
        let time = input.date()?;
        input.0.is_empty().then_some(time)
    }

    /// RFC 3339 with all digits of the second, which a checksum covers.
    pub(crate) fn precise(&self) -> String {
        let mut text = self.local();
        if self.nanoseconds > 0 {
            let digits = format!("{:09}", self.nanoseconds);
            let _ = write!(text, ".{}", digits.trim_end_matches('0'));
        }
        text + &self.zone()
    }

    /// RFC 3339 in whole seconds, which binds a checksum to its time.
    pub(crate) fn seconds(&self) -> String {
        self.local() + &self.zone()
    }

    fn local(&self) -> String {
        let [month, day, hour, minute, second] = self.fields;
        let year = self.year;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }

    fn zone(&self) -> String {
        match self.offset {
            (_, 0, 0) => "Z".to_owned(),
            (east, hours, minutes) => {
                format!("{}{hours:02}:{minutes:02}", if east { '+' } else { '-' })
            }
        }
    }
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn expect(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == byte).then_some(())
    }

    /// One or two digits.
    fn number(&mut self) -> Option<u8> {
        let count = self
            .0
            .iter()
            .take(2)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    fn date(&mut self) -> Option<Time> {
        let (year, rest) = self.0.split_at_checked(4)?;
        self.0 = rest;
        let digits = year.iter().all(u8::is_ascii_digit);
        let year: u16 = std::str::from_utf8(year)
            .ok()
            .filter(|_| digits)?
            .parse()
            .ok()?;
        self.expect(b'-')?;
        let month = self.number()?;
        self.expect(b'-')?;
        let day = self.number()?;
        jiff::civil::Date::new(
            i16::try_from(year).ok()?,
            i8::try_from(month).ok()?,
            i8::try_from(day).ok()?,
        )
        .ok()?;
        Some(Time {
            year,
            fields: [month, day, 0, 0, 0],
            nanoseconds: 0,
            offset: (true, 0, 0),
        })
    }

    /// Digits after a point; digits finer than a nanosecond are dropped.
    fn fraction(&mut self) -> Option<u32> {
        let digits = match self.0 {
            [b'.' | b',', rest @ ..] => {
                rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
            }
            _ => 0,
        };
        if digits == 0 {
            return Some(0);
        }
        let (fraction, rest) = self.0[1..].split_at(digits);
        self.0 = rest;
        let nine = fraction.iter().chain([b'0'; 9].iter()).take(9);
        Some(nine.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    }

    fn offset(&mut self) -> Option<(bool, u8, u8)> {
        if self.0 == b"Z" {
            self.0 = &[];
            return Some((true, 0, 0));
        }
        let [sign @ (b'+' | b'-'), _, _, b':', _, _] = self.0 else {
            return None;
        };
        let east = *sign == b'+';
        self.0 = &self.0[1..];
        let hours = self.number()?;
        self.expect(b':')?;
        let minutes = self.number()?;
        (hours < 24 && minutes < 60).then_some((east, hours, minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_timestamps_become_rfc_3339() {
        for (text, expected) in [
            ("2024-01-02", "2024-01-02T00:00:00Z"),
            ("2024-1-2", "2024-01-02T00:00:00Z"),
            (
                "2001-12-14t21:59:43.10-05:00",
                "2001-12-14T21:59:43.1-05:00",
            ),
            (
                "2001-12-14 21:59:43.123456789123",
                "2001-12-14T21:59:43.123456789Z",
            ),
            ("2024-02-29T01:02:03Z", "2024-02-29T01:02:03Z"),
            ("2024-02-29T01:02:03+00:00", "2024-02-29T01:02:03Z"),
        ] {
            assert_eq!(
                Time::yaml(text).map(|time| time.precise()).as_deref(),
                Some(expected)
            );
        }
        for text in [
            "2024-13-01",
            "2023-02-29",
            "2024-01-02 03:04:05 +02:00",
            "2024-01-02T24:00:00Z",
            "2024-01-02T03:04:05",
            "2024-01",
            "20240-01-02",
            "",
        ] {
            assert_eq!(Time::yaml(text), None, "{text}");
        }
    }

    #[test]
    fn rfc_3339_is_strict() {
        let time = Time::rfc3339("2025-03-04T05:06:07.89+02:00");
        assert_eq!(
            time.map(|time| time.seconds()).as_deref(),
            Some("2025-03-04T05:06:07+02:00")
        );
        for text in [
            "2025-3-4T05:06:07Z",
            "2025-03-04",
            "2025-03-04t05:06:07Z",
            "2025-03-04T5:06:07Z",
        ] {
            assert_eq!(Time::rfc3339(text), None, "{text}");
        }
    }
}
