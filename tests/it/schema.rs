//! The printed schema and the real parser say the same of the same documents.

use serde_json::{Value, json};

use crate::support::run::keyferry;
use keyferry::config::load::parse;

fn schema() -> jsonschema::Validator {
    let printed = keyferry().args(["schema"]).run();
    assert_eq!(printed.code, 0);
    let schema: Value = serde_json::from_str(&printed.stdout).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is a schema")
}

fn examples() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "keyferry.yaml") {
                let text = std::fs::read_to_string(&path).expect("text");
                found.push((path.display().to_string(), text));
            }
        }
    }
    assert!(found.len() >= 6, "the examples were found");
    found
}

#[test]
fn schema_and_parser_agree_on_every_example() {
    let schema = schema();
    for (name, text) in examples() {
        let value: Value =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(schema.is_valid(&value), "{name}");
        assert!(parse(&name, &text).is_ok(), "{name}");
    }
}

#[test]
fn row_161_a_version_of_nothing_is_against_the_schema() {
    let schema = schema();
    for (version, good) in [(0, false), (1, true), (7, true)] {
        let from = json!([{"vault": "kv/a", "version": version}]);
        let document = json!({"deliveries": [{"name": "a", "from": from, "to": []}]});
        assert_eq!(schema.is_valid(&document), good, "{version}");
    }
}

/// Each document of the examples, damaged at each place in several ways. (A bare number where text
/// is meant is accepted by the parser as its spelling and marked by the schema: that difference is
/// meant.)
#[test]
fn schema_and_parser_agree_on_every_damaged_example() {
    let schema = schema();
    let (mut accepted, mut refused) = (0, 0);
    for (name, text) in examples() {
        let whole: Value = serde_saphyr::from_str(&text).expect("an example");
        for place in places(&whole, String::new()) {
            for damage in [
                json!({"unknownKey": []}),
                json!([1, {"x": null}]),
                json!("text"),
            ] {
                let mut damaged = whole.clone();
                *damaged.pointer_mut(&place).expect("the place is there") = damage;
                let shape = parse(&name, &damaged.to_string());
                assert_eq!(
                    schema.is_valid(&damaged),
                    shape.is_ok(),
                    "{name} at {place}: {damaged:#}\n{shape:?}"
                );
                *(if shape.is_ok() {
                    &mut accepted
                } else {
                    &mut refused
                }) += 1;
            }
        }
    }
    assert!(
        accepted > 50 && refused > 100,
        "{accepted} accepted, {refused} refused"
    );
}

fn places(value: &Value, at: String) -> Vec<String> {
    let mut all = Vec::new();
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                all.extend(places(inner, format!("{at}/{key}")));
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                all.extend(places(inner, format!("{at}/{index}")));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    if !at.is_empty() {
        all.push(at);
    }
    all
}
