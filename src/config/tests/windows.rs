//! Sync windows by example.

use jiff::civil::Weekday;

use super::{load_files, refused};

#[test]
fn row_01_windows_that_cannot_be_meant_are_named_with_their_place() {
    let rows = [
        (
            "sidecar: {windows: [{from: '25:00'}]}\n",
            "c/k.yaml:2:28: `25:00` is no time of day; write it as \"22:00\"",
        ),
        (
            "sidecar: {windows: [{from: '24:00'}]}\n",
            "c/k.yaml:2:28: `24:00` is no time of day",
        ),
        (
            "sidecar:\n  windows:\n  - {from: '06:00', to: '6'}\n",
            "c/k.yaml:4:25: `6` is no time of day",
        ),
        (
            "sidecar:\n  windows:\n  - {from: '06:00', to: '06:00'}\n",
            "c/k.yaml:4:5: this window opens and shuts at the same time; leave `from` and `to` out",
        ),
        (
            "sidecar: {windows: [{zone: Europe/Berln}]}\n",
            "c/k.yaml:2:28: `Europe/Berln` is no time zone that keyferry knows; write UTC, an \
             offset",
        ),
        (
            "deliveries:\n- name: a\n  windows: [{days: [monday]}]\n",
            "c/k.yaml:4:21: unknown word `monday`",
        ),
        (
            "deliveries:\n- name: a\n  windows: [{form: '06:00'}]\n",
            "c/k.yaml:4:14: unknown key `form`; did you mean `from`?",
        ),
    ];
    for (text, expected) in rows {
        refused(text, expected);
    }
}

#[test]
fn windows_are_read_for_all_and_for_one_delivery() {
    let text = concat!(
        "sidecar: {windows: [{days: [mon, sun], from: 22:00, to: '06:00', zone: Europe/Berlin}]}\n",
        "deliveries:\n- {name: a, fields: {x: y}, to: [{file: {path: a.env}}]}\n",
        "- {name: b, fields: {x: y}, to: [{file: {path: b.env}}], windows: [{}, \
         {zone: '-03:30'}]}\n",
    );
    let config = load_files(&[("k.yaml", text)], None).expect("it is valid");
    let [window] = config.sidecar.windows.as_slice() else {
        panic!("{:?}", config.sidecar.windows);
    };
    assert_eq!(window.days, [Weekday::Monday, Weekday::Sunday]);
    assert_eq!((window.from, window.to), (22 * 60, 6 * 60));
    assert_eq!(window.zone.iana_name(), Some("Europe/Berlin"));
    let own = config.deliveries.iter();
    let own: Vec<usize> = own
        .map(|delivery| delivery.staleness.windows.len())
        .collect();
    assert_eq!(own, [0, 2]);
    let whole = &config.deliveries[1].staleness.windows[0];
    assert_eq!((whole.from, whole.to, whole.days.len()), (0, 24 * 60, 0));
}
