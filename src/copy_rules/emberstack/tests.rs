//! Each annotation and each spelling of it, one per row, with the copies that a namespace then
//! gets.

use super::super::pattern::budget::Cost;
use super::super::scope::Target;
use super::super::selector::Labels;
use super::*;

fn notes(pairs: &[(&str, &str)]) -> Notes {
    let pairs = pairs.iter();
    Notes::from_pairs(pairs.map(|(key, value)| (format!("{EMBERSTACK}{key}"), *value)))
}

fn offered(pairs: &[(&str, &str)], matching: Matching) -> Offer {
    let notes = notes(pairs);
    assert_eq!(read(&notes), Ask::Offer, "{pairs:?}");
    let mut read = Offer::default();
    let mut budget = Budget::after(Cost::default());
    offer(&notes, matching, &mut budget, &mut read);
    read
}

fn labels(text: &str) -> Labels {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Each row: annotations, a namespace and its labels; whether the namespace gets a copy, and
/// whether a mirror in it may pull.
#[test]
fn who_gets_a_copy_and_who_may_pull() {
    const YES: (&str, &str) = ("reflection-allowed", "true");
    const AUTO: (&str, &str) = ("reflection-auto-enabled", "true");
    let allowed = |list| ("reflection-allowed-namespaces", list);
    let auto = |list| ("reflection-auto-namespaces", list);
    let allowed_by = |selector| ("reflection-allowed-namespaces-selector", selector);
    let auto_by = |selector| ("reflection-auto-namespaces-selector", selector);
    let prod = Some("env=prod");
    for (row, pairs, namespace, has, copy, pull) in [
        ("A1", vec![YES, AUTO], "kube-system", None, true, true),
        ("A2", vec![YES], "x", None, false, true),
        ("A3", vec![AUTO], "x", None, false, false),
        (
            "A4",
            vec![("reflection-allowed", "True"), AUTO],
            "x",
            None,
            true,
            true,
        ),
        (
            "A4",
            vec![("reflection-allowed", " true "), AUTO],
            "x",
            None,
            true,
            true,
        ),
        (
            "A4",
            vec![("reflection-allowed", "1"), AUTO],
            "x",
            None,
            false,
            false,
        ),
        (
            "A4",
            vec![("reflection-allowed", "yes"), AUTO],
            "x",
            None,
            false,
            false,
        ),
        (
            "A5",
            vec![YES, AUTO, allowed("team-[0-9]*")],
            "team-12",
            None,
            true,
            true,
        ),
        (
            "A5",
            vec![YES, AUTO, allowed("team-[0-9]*")],
            "xteam-1",
            None,
            false,
            false,
        ),
        (
            "A6",
            vec![YES, AUTO, allowed("a|ab")],
            "ab",
            None,
            true,
            true,
        ),
        (
            "A7",
            vec![YES, AUTO, allowed(" , ")],
            "x",
            None,
            false,
            false,
        ),
        (
            "A8",
            vec![YES, AUTO, auto("x"), auto_by("env=prod")],
            "y",
            prod,
            true,
            true,
        ),
        (
            "A8",
            vec![YES, AUTO, auto("x"), auto_by("env=prod")],
            "x",
            Some(""),
            true,
            true,
        ),
        (
            "A8",
            vec![YES, AUTO, auto("x"), auto_by("env=prod")],
            "z",
            Some(""),
            false,
            true,
        ),
        (
            "A9",
            vec![YES, AUTO, allowed("x"), auto_by("env=prod")],
            "y",
            prod,
            false,
            false,
        ),
        (
            "A9",
            vec![YES, AUTO, allowed("y"), auto_by("env=prod")],
            "y",
            prod,
            true,
            true,
        ),
        (
            "A10",
            vec![YES, AUTO, auto_by("env in (")],
            "y",
            prod,
            false,
            true,
        ),
        (
            "A10",
            vec![YES, AUTO, auto("y"), auto_by("env in (")],
            "y",
            prod,
            true,
            true,
        ),
        (
            "A12",
            vec![YES, allowed_by("env=prod")],
            "y",
            prod,
            false,
            true,
        ),
        (
            "A12",
            vec![YES, allowed_by("env=prod")],
            "y",
            Some(""),
            false,
            false,
        ),
        (
            "names or labels, labels unknown",
            vec![YES, allowed("y"), allowed_by("env=prod")],
            "y",
            None,
            false,
            false,
        ),
        (
            "labels that exclude",
            vec![YES, allowed_by("env!=prod")],
            "y",
            Some(""),
            false,
            true,
        ),
        (
            "A21",
            vec![YES, AUTO, allowed("(")],
            "x",
            None,
            false,
            false,
        ),
    ] {
        let offer = offered(&pairs, Matching::Whole);
        let known = has.map(labels);
        let target = Target {
            name: namespace,
            labels: known.as_ref(),
        };
        assert_eq!(
            offer.pushes_to(target).is_some(),
            copy,
            "{row}: copy {pairs:?} {namespace}"
        );
        assert_eq!(
            offer.lets_pull(Dialect::Emberstack, target),
            pull,
            "{row}: pull {pairs:?} {namespace}"
        );
        assert!(!offer.lets_pull(Dialect::Mittwald, target), "{row}");
    }
    let strict = offered(&[YES, AUTO, allowed("a|ab")], Matching::LeftmostFirst);
    assert!(
        strict
            .pushes_to(Target {
                name: "ab",
                labels: None
            })
            .is_none(),
        "A6, strict"
    );
}

#[test]
fn what_an_author_should_know_is_said() {
    for (pairs, remark, frozen) in [
        (
            vec![("reflection-auto-enabled", "true")],
            "reflection-auto-enabled: it has no effect without",
            false,
        ),
        (
            vec![("reflection-allowed", "yes")],
            "reflection-allowed: \"yes\" means \"false\"",
            false,
        ),
        (
            vec![
                ("reflection-allowed", "true"),
                ("reflection-allowed-namespaces", "(?<=a)b"),
            ],
            "reflection-allowed-namespaces: pattern \"(?<=a)b\": look-around",
            true,
        ),
        (
            vec![
                ("reflection-allowed", "true"),
                ("reflection-allowed-namespaces-selector", "a in ("),
            ],
            "reflection-allowed-namespaces-selector: selector \"a in (\"",
            true,
        ),
    ] {
        let offer = offered(&pairs, Matching::Whole);
        assert!(
            offer.remarks.iter().any(|found| found.contains(remark)),
            "{remark}: {:?}",
            offer.remarks
        );
        assert_eq!(offer.frozen, frozen, "{remark}");
    }
}

#[test]
fn a_reflection_is_never_a_source() {
    let source = |pairs: &[(&str, &str)]| match read(&notes(pairs)) {
        Ask::Mirror(mirror) => format!("mirror of {}", mirror.source.expect("it names one")),
        Ask::Copy(mirror) => format!("copy of {}", mirror.source.expect("it names one")),
        Ask::Offer => "offer".to_owned(),
        Ask::Nothing | Ask::Declared => "nothing".to_owned(),
    };
    let allowed = ("reflection-allowed", "true");
    for (pairs, expected) in [
        (vec![("reflects", "a/x"), allowed], "mirror of a/x"),
        (vec![("reflects", "/a//x/"), allowed], "mirror of a/x"),
        (vec![("reflects", "x"), allowed], "mirror of /x"),
        (vec![("reflects", "a/b/x"), allowed], "offer"),
        (vec![("reflects", ""), allowed], "offer"),
        (
            vec![("reflects", "a/x"), ("auto-reflects", "True")],
            "copy of a/x",
        ),
        (
            vec![("reflects", "a/x"), ("auto-reflects", "False")],
            "mirror of a/x",
        ),
        (vec![("reflection-labels", "a")], "nothing"),
        (vec![], "nothing"),
    ] {
        assert_eq!(source(&pairs), expected, "{pairs:?}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let place = ObjectPlace::new("a", "x");
    for text in ["12", "\"12\""] {
        let quoted = notes(&[
            ("reflects", "a/x"),
            ("auto-reflects", "True"),
            ("reflected-version", text),
        ]);
        let Ask::Copy(mirror) = read(&quoted) else {
            panic!("a copy")
        };
        assert_eq!(
            (mirror.source, mirror.holds),
            (Some(place.clone()), ResourceVersion::parse("12"))
        );
    }
    let own = written(
        &place,
        ResourceVersion::parse("12"),
        "2026-01-01T00:00:00.0000000Z",
        true,
    );
    let Ask::Copy(mirror) = read(&Notes::from_pairs(own)) else {
        panic!("a copy")
    };
    assert_eq!(mirror.source, Some(place.clone()));
    let pulled = written(&place, ResourceVersion::parse("12"), "t", false);
    assert!(
        pulled.iter().all(|(key, _)| *key != REFLECTS),
        "its owner's word stays its owner's"
    );
}
