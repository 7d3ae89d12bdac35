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
    let bytes = documents(&[tree]).expect("YAML");
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
    let bytes = documents(&[map([("a", number("1"))]), text("x")]).expect("YAML");
    assert_eq!(bytes.expose_str(), Some("---\na: 1\n---\n\"x\"\n"));
}

#[test]
fn a_number_cannot_smuggle_structure() {
    for spelling in ["1: 2", "1\n- x", "---", "-", "", "...", "1 #", "a1", "[1]"] {
        let tree = map([("n", number(spelling))]);
        let error = documents(&[tree]).expect_err(spelling);
        assert_eq!(
            error.to_string(),
            "at `n`: the number has no such spelling in this format"
        );
    }
    for spelling in ["1", "-1.5e3", ".inf", "-.inf", "0x1F", "1_000", "+1"] {
        assert!(documents(&[number(spelling)]).is_ok(), "{spelling}");
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
        let mut out = Wiped::default();
        key(name, &mut out);
        assert_eq!(out.into_string().starts_with('"'), quoted, "{name:?}");
    }
}
