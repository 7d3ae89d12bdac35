//! What each format of a file holds: fields, one field's bytes, or a whole document.

use keyferry::base::artifact::{Artifact, FileAccess, FileBody};
use keyferry::base::failure::Class;
use keyferry::base::material::Node;
use keyferry::config::{Encoding, FileFormat, Target};

use super::build::{config, delivery, desired_of, file, map, number, text, vault};
use super::{body, fetched};

#[test]
fn a_whole_document_goes_as_it_is_and_parts_of_it_on_request() {
    let tree = || {
        map([
            ("empty", text("")),
            ("none", Node::Null),
            ("in", map([("num", number("1.10"))])),
        ])
    };
    let answers = fetched([("kv/tree", Ok(tree()))]);
    let with = |pick: &[&str], target: Target| {
        let mut one = delivery("d", [vault("kv/tree")]);
        one.from[0].pick = pick.iter().map(|path| (*path).to_owned()).collect();
        one.to = vec![target];
        let made = desired_of(&config([one]), &answers).remove(0);
        made.map(|made| body(&made[0]))
            .map_err(|failure| failure.class)
    };
    let json = || file("x", FileFormat::Json { as_strings: false });
    let yaml = || file("x", FileFormat::Yaml);
    assert_eq!(
        with(&[], yaml()).as_deref(),
        Ok("empty: \"\"\nnone: null\nin:\n  num: 1.10\n")
    );
    assert_eq!(
        with(&[], json()).as_deref(),
        Ok("{\n  \"empty\": \"\",\n  \"none\": null,\n  \"in\": {\n    \"num\": 1.10\n  }\n}\n")
    );
    assert_eq!(with(&["in"], yaml()).as_deref(), Ok("in:\n  num: 1.10\n"));
    assert_eq!(
        with(&["in.num"], json()).as_deref(),
        Ok("{\n  \"in.num\": 1.10\n}\n")
    );
    assert_eq!(with(&["empty"], json()), Err(Class::Refused));
    assert_eq!(with(&["none"], yaml()), Err(Class::Missing));
    assert_eq!(
        with(&["in"], file("x", FileFormat::Properties)),
        Err(Class::Refused)
    );
    assert_eq!(
        with(&[], file("x", FileFormat::Dotenv { edit: false })),
        Err(Class::Refused)
    );
}

#[test]
fn a_raw_file_is_one_field_to_the_byte() {
    let bytes = &b"\x00\xff raw\r\n"[..];
    let answers = fetched([
        ("one", Ok(map([("content", Node::text(bytes))]))),
        ("two", Ok(map([("a", text("1")), ("b", Node::text(bytes))]))),
        ("empty", Ok(map([("content", text(""))]))),
    ]);
    for (path, field, expected) in [
        ("one", None, bytes),
        ("one", Some("content"), bytes),
        ("two", Some("b"), bytes),
        ("empty", None, b""),
    ] {
        let mut one = delivery("d", [vault(path)]);
        let field = field.map(str::to_owned);
        one.to = vec![file("x", FileFormat::Raw { field })];
        let made = desired_of(&config([one]), &answers)
            .remove(0)
            .expect("rendered");
        let Artifact::File(made) = &made[0] else {
            panic!("a file");
        };
        let FileBody::Whole(made) = &made.body else {
            panic!("a whole file");
        };
        assert_eq!(made.expose(), expected);
    }
}

#[test]
fn an_edited_file_gets_lines_and_a_template_gets_its_name() {
    let answers = fetched([("kv/a", Ok(map([("A", text("a b")), ("B", number("7"))])))]);
    let mut one = delivery("d", [vault("kv/a")]);
    let template = |text: &str| FileFormat::Template {
        text: text.to_owned(),
        name: "app.tmpl".to_owned(),
    };
    one.to = vec![
        file(".env", FileFormat::Dotenv { edit: true }),
        file("app.conf", template("a = {{ A | quote }}\nb = {{ B }}\n")),
    ];
    let made = desired_of(&config([one]), &answers)
        .remove(0)
        .expect("rendered");
    let Artifact::File(edited) = &made[0] else {
        panic!("a file");
    };
    assert_eq!(edited.access, FileAccess::PRIVATE);
    let FileBody::Lines(lines) = &edited.body else {
        panic!("lines");
    };
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line.name.as_str(),
                line.value.expose_str(),
                line.line.expose_str(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("A", Some("a b"), Some("A='a b'")),
            ("B", Some("7"), Some("B=7"))
        ]
    );
    assert_eq!(body(&made[1]), "a = 'a b'\nb = 7\n");

    let mut broken = delivery("d", [vault("kv/a")]);
    broken.to = vec![file("app.conf", template("\n{{ C }}"))];
    let failure = desired_of(&config([broken]), &answers)
        .remove(0)
        .expect_err("refused");
    assert_eq!(
        failure.what,
        "file `app.conf` (keyferry.yaml:9:9): app.tmpl:2:4: `C` is not defined"
    );
    assert!(failure.hint.expect("a next move").contains("`A`, `B`"));
}
#[test]
fn row_23_absent_null_and_empty_are_three_things() {
    let tree = || {
        map([
            ("null", Node::Null),
            ("empty", text("")),
            ("full", text("1")),
        ])
    };
    for (name, allow_empty, expected) in [
        ("full", false, Ok("1")),
        (
            "absent",
            false,
            Err((Class::Missing, "field `absent` is not there")),
        ),
        (
            "null",
            true,
            Err((
                Class::Missing,
                "field `null` of vault `kv/a` (keyferry.yaml:3:9) is null",
            )),
        ),
        (
            "empty",
            false,
            Err((
                Class::Refused,
                "field `empty` of vault `kv/a` (keyferry.yaml:3:9) is empty",
            )),
        ),
        ("empty", true, Ok("")),
    ] {
        let mut one = delivery("d", [vault("kv/a")]);
        one.from[0].pick = vec![name.to_owned()];
        one.allow_empty = allow_empty;
        one.to = vec![file("x", FileFormat::Raw { field: None })];
        let made = desired_of(&config([one]), &fetched([("kv/a", Ok(tree()))])).remove(0);
        match (made, expected) {
            (Ok(made), Ok(expected)) => assert_eq!(body(&made[0]), expected),
            (Err(failure), Err((class, what))) => {
                assert_eq!(failure.class, class);
                assert!(failure.what.ends_with(what), "{failure}");
            }
            (made, _) => panic!("{name}: {:?}", made.map(|_| "rendered")),
        }
    }
}

#[test]
fn row_24_scalars_keep_their_spelling_and_nested_values_need_an_encoding() {
    let tree = || {
        map([
            ("big", number("9007199254740993")),
            ("ratio", number("1.10")),
            ("on", Node::Bool(true)),
            ("in", map([("x", number("1"))])),
        ])
    };
    let with = |json: bool, pick: &[&str]| {
        let mut one = delivery("d", [vault("kv/a")]);
        one.from[0].encoding = json.then_some(Encoding::Json);
        one.from[0].pick = pick.iter().map(|name| (*name).to_owned()).collect();
        one.to = vec![file("x", FileFormat::Dotenv { edit: false })];
        let made = desired_of(&config([one]), &fetched([("kv/a", Ok(tree()))])).remove(0);
        made.map(|made| body(&made[0]))
            .map_err(|failure| failure.what)
    };
    let scalars = "big=9007199254740993\nratio=1.10\non=true\n";
    assert_eq!(with(false, &["big", "ratio", "on"]).as_deref(), Ok(scalars));
    assert_eq!(with(true, &[]), Ok(format!("{scalars}in='{{\"x\":1}}'\n")));
    assert_eq!(
        with(false, &[]).expect_err("refused"),
        "file `x` (keyferry.yaml:9:9): field `in` of vault `kv/a` (keyferry.yaml:3:9) is a \
         mapping, not one value"
    );
}

/// The lines of the vectors were read back equal by javaproperties (PyPI), which follows
/// `java.util.Properties`.
#[test]
fn properties_are_those_that_javaproperties_was_seen_to_read() {
    #[derive(serde::Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }
    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        value: String,
        line: String,
    }
    let vectors = include_str!("../../vectors/properties/javaproperties.json");
    let Vectors { cases } = serde_json::from_str(vectors).expect("JSON");
    assert!(cases.len() >= 80);
    for Case { name, value, line } in cases {
        let tree = Node::Map(vec![(name, Node::text(value.as_str()))]);
        let mut one = delivery("d", [vault("kv/a")]);
        one.allow_empty = true;
        one.to = vec![file("x", FileFormat::Properties)];
        let made = desired_of(&config([one]), &fetched([("kv/a", Ok(tree))])).remove(0);
        assert_eq!(body(&made.expect("rendered")[0]), format!("{line}\n"));
    }
}
