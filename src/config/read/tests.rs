//! What the reader accepts, and which errors it gives for the rest, with their places.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::tree::document;
use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Shape {
    text: Option<String>,
    on: bool,
    number: u32,
    list: Vec<String>,
    map: BTreeMap<String, Word>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Word {
    Plain,
    Of(u64),
    With { size: i64 },
}

fn read(text: &str) -> Result<Shape, Flaw> {
    let (written, flaws) = document(text)?;
    let first = flaws.into_iter().next();
    first.map_or_else(|| Shape::deserialize(Reader(&written)), Err)
}

#[test]
fn scalars_are_what_the_shape_asks_for() {
    let text = |text: &str| Shape {
        text: Some(text.to_owned()),
        ..Shape::default()
    };
    for (written, expected) in [
        ("", Shape::default()),
        ("text:", Shape::default()),
        ("text: ~", Shape::default()),
        ("text: ''", text("")),
        ("text: 0400", text("0400")),
        ("text: 1.10", text("1.10")),
        ("text: yes", text("yes")),
        ("text: 'null'", text("null")),
        ("\u{feff}text: \"a\\tb\"", text("a\tb")),
        ("text: |\n  a\n  b\n", text("a\nb\n")),
    ] {
        assert_eq!(read(written), Ok(expected), "{written}");
    }
}

#[test]
fn mappings_lists_words_and_anchors_are_read() {
    let shape = read(concat!(
        "list: &all [a, 'b']\n",
        "map:\n  <<: &base {one: plain}\n  two: {of: 7}\n  three: {with: {size: -1}}\n",
        "on: true\nnumber: 5\n",
    ));
    let words = [
        ("one", Word::Plain),
        ("two", Word::Of(7)),
        ("three", Word::With { size: -1 }),
    ];
    let map = words.map(|(key, word)| (key.to_owned(), word)).into();
    let list = vec!["a".to_owned(), "b".to_owned()];
    let expected = Shape {
        text: None,
        on: true,
        number: 5,
        list,
        map,
    };
    assert_eq!(shape, Ok(expected));
}

#[test]
fn errors_name_their_place() {
    for (written, line, column, what) in [
        ("on: 'true'", 1, 5, "true or false is expected here"),
        ("on: yes", 1, 5, "true or false is expected here"),
        ("a: 1\n", 1, 1, "unknown key `a`"),
        (
            "number: -1",
            1,
            9,
            "a whole number, not negative, is expected here",
        ),
        (
            "number: 99999999999",
            1,
            9,
            "a whole number, not negative, is expected here",
        ),
        (
            "number: '1'",
            1,
            9,
            "a whole number, not negative, is expected here",
        ),
        ("list: a", 1, 7, "a list (`[a, b]`) is expected here"),
        ("list: [a, {}]", 1, 11, "one text is expected here"),
        ("map: []", 1, 6, "a mapping (`key: value`) is expected here"),
        ("- a", 1, 1, "a mapping (`key: value`) is expected here"),
        (
            "map: {a: {}}",
            1,
            10,
            "a mapping with exactly one key is expected here",
        ),
        ("map: {a: nope}", 1, 10, "unknown word `nope`"),
        ("map: {a: {with: {}}}", 1, 17, "`size` is missing here"),
        (
            "on: true\non: true",
            2,
            1,
            "the key `on` stands twice in one mapping",
        ),
        ("{a: b}: c", 1, 1, "a key is not text"),
        (
            "text: a\n---\ntext: b\n",
            2,
            1,
            "a second document begins here",
        ),
        (
            "text: &a [*a]",
            1,
            11,
            "this alias stands inside what it names",
        ),
        ("<<: a", 1, 5, "a merge key `<<` takes mappings"),
    ] {
        let flaw = read(written).expect_err(written);
        let at = flaw.at.map(|at| (at.line, at.column));
        assert_eq!(
            (at, flaw.what.as_str()),
            (Some((line, column)), what),
            "{written}"
        );
        assert!(!flaw.hint.is_empty(), "{written}");
    }
}

#[test]
fn what_is_no_yaml_has_a_place_and_a_hint() {
    for (written, line, hint) in [
        ("text: 'a\n", 1, "close it"),
        ("on:\n\ttext: a\n", 2, "tabs"),
        ("text: a\n  on: true\n", 2, "indent the keys"),
        ("list: [a\n", 1, "close each `{` and `[`"),
        ("text: *a\n", 1, "begins with `*`"),
    ] {
        let flaw = read(written).expect_err(written);
        assert_eq!(flaw.at.map(|at| at.line), Some(line), "{written}: {flaw}");
        assert!(
            flaw.hint.contains(hint),
            "{written}: {} {}",
            flaw.what,
            flaw.hint
        );
    }
}
