use super::*;
use crate::format::json;
use crate::format::scalar::ScalarDialect;
use crate::render::testing::{list, map, number, text};

fn string(bytes: Result<SecretBytes, JsonError>) -> String {
    let bytes = bytes.expect("JSON");
    bytes.expose_str().expect("text").to_owned()
}

/// Texts are read and written by words of eight bytes.
#[test]
fn every_character_is_found_at_every_place() {
    let characters = (0..0x100_u32).filter_map(char::from_u32);
    for character in characters.chain(['\u{2028}', '\u{feff}', '𝄞']) {
        for at in 0..18 {
            let mut plain: Vec<char> = "abcdefghijklmnopqr".chars().collect();
            plain[at] = character;
            let plain: String = plain.into_iter().collect();
            let written = string(compact(&text(&plain)));
            let printable = |seen: char| !seen.is_control() && !"\u{2028}\u{feff}".contains(seen);
            assert!(written.chars().all(printable), "{plain:?}: {written}");
            assert_eq!(serde_json::from_str(&written).ok(), Some(plain.clone()));
            let read = |written: &str| json::document(written, ScalarDialect::Core);
            assert_eq!(read(&written), Ok(text(&plain)));
            let raw = read(&format!("\"{plain}\""));
            let stands = character >= ' ' && !matches!(character, '"' | '\\');
            assert_eq!(raw == Ok(text(&plain)), stands, "{plain:?}");
        }
    }
}

#[test]
fn order_and_numbers_are_kept() {
    let tree = map([
        ("z", number("9007199254740993")),
        (
            "a",
            list([
                number("1.10"),
                number("1e400"),
                Node::Null,
                Node::Bool(true),
            ]),
        ),
        ("e", list([])),
        ("o", map([])),
        ("quote\"", text("a\"b\\c\nd\u{1}\u{7f}\u{2028}é𝄞")),
    ]);
    assert_eq!(
        string(compact(&tree)),
        "{\"z\":9007199254740993,\"a\":[1.10,1e400,null,true],\"e\":[],\"o\":{},\
         \"quote\\\"\":\"a\\\"b\\\\c\\nd\\u0001\\u007f\\u2028é𝄞\"}"
    );
    assert_eq!(
        string(object(
            [
                ("n", &number("1")),
                ("t", &Node::Bool(false)),
                ("l", &list([number("2")]))
            ]
            .into_iter(),
            true
        )),
        "{\n  \"n\": \"1\",\n  \"t\": \"false\",\n  \"l\": [\n    \"2\"\n  ]\n}\n"
    );
    assert_eq!(
        string(documents(&[text("a"), map([])], false)),
        "[\n  \"a\",\n  {}\n]\n"
    );
    assert_eq!(string(documents(&[text("a")], false)), "\"a\"\n");
}

#[test]
fn what_has_no_json_form_is_named_by_its_path() {
    let bytes = map([("a", list([text("x"), Node::text(&b"\xff"[..])]))]);
    let spelling = map([("n", number(".inf"))]);
    for (tree, expected) in [
        (bytes, "at `a.1`: the value is not UTF-8 text"),
        (
            spelling,
            "at `n`: the number has no such spelling in this format",
        ),
    ] {
        assert_eq!(compact(&tree).expect_err("refused").to_string(), expected);
    }
    assert_eq!(string(documents(&[number(".inf")], true)), "\".inf\"\n");
}

#[test]
fn numbers_are_those_of_the_grammar() {
    for (text, expected) in [
        ("0", true),
        ("-0", true),
        ("10", true),
        ("1.5", true),
        ("-1.5e+10", true),
        ("1E5", true),
        ("01", false),
        ("-", false),
        ("+1", false),
        ("1.", false),
        (".5", false),
        ("1e", false),
        ("0x1F", false),
        ("1_000", false),
        ("NaN", false),
        ("", false),
        ("1 ", false),
    ] {
        assert_eq!(is_json(text), expected, "{text:?}");
    }
}
