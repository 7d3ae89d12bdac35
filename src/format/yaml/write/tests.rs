use super::*;
use crate::render::testing::{list, map, number, text};

#[test]
fn block_style_with_quoted_text() {
    let tree = map([
        ("plain-key", text("yes")),
        ("no", number("0o17")),
        ("two words", Node::Null),
        (
            "nested",
            map([
                (
                    "list",
                    list([text("a\nb"), map([("k", text("v"))]), list([number("1")])]),
                ),
                ("empty", list([])),
                ("void", map([])),
            ]),
        ),
        ("on", Node::Bool(true)),
    ]);
    let bytes = documents(&[tree], false).expect("YAML");
    assert_eq!(
        bytes.expose_str().expect("text"),
        "plain-key: \"yes\"\n\
         \"no\": 0o17\n\
         \"two words\": null\n\
         nested:\n\
         \x20 list:\n\
         \x20   - \"a\\nb\"\n\
         \x20   -\n\
         \x20     k: \"v\"\n\
         \x20   -\n\
         \x20     - 1\n\
         \x20 empty: []\n\
         \x20 void: {}\n\
         \"on\": true\n"
    );
}

#[test]
fn several_documents_stand_apart() {
    let bytes = documents(&[map([("a", number("1"))]), text("x")], false).expect("YAML");
    assert_eq!(bytes.expose_str(), Some("---\na: 1\n---\n\"x\"\n"));
}

#[test]
fn times_and_merge_keys_are_what_yaml_makes_of_them() {
    let tree = || {
        map([
            ("when", Node::Time("2024-01-02T00:00:00Z".into())),
            ("<<", list([map([("a", number(".inf"))])])),
            ("m", map([("<<", map([]))])),
            ("o", map([("<<", text("x"))])),
        ])
    };
    let rest = "m:\n  <<: {}\no:\n  \"<<\": \"x\"\n";
    let head = "when: 2024-01-02T00:00:00Z\n";
    let merged = format!("{head}<<:\n  -\n    a: .inf\n{rest}");
    assert_eq!(
        documents(&[tree()], true).expect("YAML").expose_str(),
        Some(merged.as_str())
    );
    let names = merged.replace("<<:", "\"<<\":");
    assert_eq!(
        documents(&[tree()], false).expect("YAML").expose_str(),
        Some(names.as_str())
    );
    for time in ["", "2024: x", "2024-01-02 # x", "T", "2024:"] {
        let tree = map([("t", Node::Time(time.into()))]);
        assert!(documents(&[tree], false).is_err(), "{time}");
    }
}

#[test]
fn a_number_cannot_smuggle_structure() {
    for spelling in ["1: 2", "1\n- x", "---", "-", "", "...", "1 #", "a1", "[1]"] {
        let tree = map([("n", number(spelling))]);
        let error = documents(&[tree], false).expect_err(spelling);
        assert_eq!(
            error.to_string(),
            "at `n`: the number has no such spelling in this format"
        );
    }
    for spelling in ["1", "-1.5e3", ".inf", "-.inf", "0x1F", "1_000", "+1"] {
        assert!(documents(&[number(spelling)], false).is_ok(), "{spelling}");
    }
}

#[test]
fn a_key_that_some_reader_takes_for_no_text_is_quoted() {
    for (name, quoted) in [
        ("PG_host", false),
        ("tls.crt", false),
        ("_x-1", false),
        ("y", true),
        ("N", true),
        ("Yes", true),
        ("off", true),
        ("null", true),
        ("NaN", true),
        ("~", true),
        ("", true),
        ("1", true),
        ("1e3", true),
        (".inf", true),
        ("-", true),
        ("<<", true),
        ("a b", true),
        ("a:", true),
        ("é", true),
    ] {
        let mut out = WipedBytes::default();
        key(name, &mut out);
        assert_eq!(out.starts_with(b"\""), quoted, "{name:?}");
    }
}
