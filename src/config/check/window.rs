//! Sync windows: days, hours, zones.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::super::at::{At, Shown};
use super::super::raw::{RawDay, RawWindow};
use super::super::window::{DAY, Window, minute, zone};
use super::Checker;

impl Checker<'_> {
    pub(super) fn windows(&mut self, written: Vec<At<RawWindow>>) -> Vec<Window> {
        let windows = written.into_iter();
        windows.filter_map(|window| self.window(window)).collect()
    }

    fn window(&mut self, written: At<RawWindow>) -> Option<Window> {
        let at = self.at(&written);
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
                at,
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
        let text = self.text(&written);
        let read = minute(&text).filter(|minute| *minute <= latest);
        if read.is_none() {
            let at = self.at(&written);
            self.problem(
                at,
                format!("`{text}` is no time of day"),
                "write it as \"22:00\"; `to` may be \"24:00\"",
            );
        }
        read
    }

    fn zone(&mut self, written: &At<Shown>) -> Option<TimeZone> {
        let text = self.text(written);
        let read = zone(&text);
        if read.is_none() {
            let at = self.at(written);
            self.problem(
                at,
                format!("`{text}` is no time zone that keyferry knows"),
                "write UTC, an offset such as \"+02:00\", or a name such as Europe/Berlin",
            );
        }
        read
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
