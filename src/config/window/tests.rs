//! In which hours changes may be made.

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
