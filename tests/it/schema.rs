//! The printed schema and the real parser say the same of the same documents.

use serde_json::{Value, json};

use crate::support::run::keyferry;
use keyferry::config::load::parse;

fn printed() -> Value {
    let printed = keyferry().args(["schema"]).run().expect(0);
    serde_json::from_str(&printed.stdout).expect("the schema is JSON")
}

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::validator_for(schema).expect("the schema is a schema")
}

/// Names and types alone, as the parser sees them: that one of several keys stands there is looked
/// at later.
fn schema() -> jsonschema::Validator {
    let mut schema = printed();
    for definition in schema["$defs"]
        .as_object_mut()
        .expect("definitions")
        .values_mut()
    {
        let of_keys = definition["properties"].is_object();
        let definition = definition.as_object_mut().expect("a mapping");
        definition.retain(|key, _| !(of_keys && key == "oneOf"));
    }
    validator(&schema)
}

#[test]
fn exactly_one_of_several_keys_is_in_the_schema() {
    let schema = validator(&printed());
    let from = |from: Value| json!({"deliveries": [{"name": "a", "from": [from]}]});
    let to = |to: Value| json!({"deliveries": [{"name": "a", "to": [to]}]});
    let keys = |kind: &str, key: Value| json!({"keys": {kind: [key]}});
    let auth = |auth: Value| json!({"vault": {"address": "https://v", "auth": auth}});
    for (document, good) in [
        (from(json!({"vault": "kv/a"})), true),
        (from(json!({"vault": "kv/a", "sops": "a"})), false),
        (from(json!({"pick": ["a"]})), false),
        (to(json!({"file": {"path": "a"}})), true),
        (
            to(json!({"file": {"path": "a"}, "secret": {"name": "a"}})),
            false,
        ),
        (to(json!({"serviceAccounts": ["a"]})), false),
        (
            keys("age", json!({"file": "a", "passphraseFile": "b"})),
            true,
        ),
        (keys("age", json!({"passphraseFile": "b"})), true),
        (keys("age", json!({"file": "a", "ssh": "b"})), false),
        (
            keys("sealed", json!({"file": "a", "secret": {"name": "b"}})),
            false,
        ),
        (auth(json!({"token": {"file": "a"}})), true),
        (auth(json!({})), false),
        (json!({"manifests": [{"sops": "a", "sealed": "b"}]}), false),
        (json!({"manifests": [{"sealed": "b"}]}), true),
    ] {
        assert_eq!(schema.is_valid(&document), good, "{document}");
    }
}

#[test]
fn the_schema_in_the_documents_is_the_printed_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keyferry.schema.json");
    let stored = std::fs::read_to_string(path).expect("there");
    let printed = keyferry().args(["schema"]).run().expect(0).stdout;
    assert!(
        stored == printed,
        "make it again: keyferry schema > docs/keyferry.schema.json"
    );
}

#[test]
fn the_page_of_the_configuration_has_every_key() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let stored = std::fs::read_to_string(path).expect("there");
    let printed = keyferry()
        .args(["explain", "--markdown"])
        .run()
        .expect(0)
        .stdout;
    assert!(stored.ends_with(&printed), "make it again as the page says");
}

/// Editors find the schema by the first line of each example.
#[test]
fn every_example_names_the_schema() {
    for (name, text) in examples() {
        let first = text.lines().next().unwrap_or_default();
        let schema = first.strip_prefix("# yaml-language-server: $schema=");
        let schema = schema.unwrap_or_else(|| panic!("{name}: {first}"));
        let folder = std::path::Path::new(&name).parent().expect("a folder");
        let found = folder.join(schema).canonicalize();
        assert!(
            found.is_ok_and(|path| path.ends_with("docs/keyferry.schema.json")),
            "{name}"
        );
    }
}

#[test]
fn every_configuration_to_start_with_passes_the_check() {
    let kinds = [
        "pull-secret",
        "init",
        "sidecar",
        "sops-env",
        "manifests",
        "reflector",
    ];
    let schema = validator(&printed());
    for kind in kinds {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = keyferry().args(["new", kind]).run().expect(0).stdout;
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{kind}: {line}");
        }
        let value: Value = serde_saphyr::from_str(&text).expect("YAML");
        assert!(schema.is_valid(&value), "{kind}");
        // Files for a pattern: an empty folder is taken for a mistake.
        for (dir, file) in [("secrets", "a.enc.yaml"), ("sealed", "a.yaml")] {
            std::fs::create_dir(folder.path().join(dir)).expect("made");
            std::fs::write(folder.path().join(dir).join(file), "").expect("written");
        }
        std::fs::write(folder.path().join("keyferry.yaml"), &text).expect("written");
        let checked = keyferry()
            .dir(folder.path())
            .args(["check"])
            .run()
            .expect(0);
        assert!(
            !checked.stderr.contains("WARN"),
            "{kind}: {}",
            checked.stderr
        );
        if kind == "sops-env" {
            assert!(checked.stdout.contains("not here: sops file app.enc.env"));
            assert!(
                checked
                    .stdout
                    .contains("not here: age key file keys/age.key")
            );
        }
    }
    let none = keyferry().args(["new"]).run().expect(2);
    assert!(
        kinds.iter().all(|kind| none.stderr.contains(kind)),
        "{}",
        none.stderr
    );
    // On a terminal it asks.
    let typed = format!(
        "printf '4\\n' | script -qec '{} new' /dev/null",
        env!("CARGO_BIN_EXE_keyferry")
    );
    let asked = crate::support::run::Run::of("sh")
        .args(["-c", &typed])
        .run();
    assert!(asked.stdout.contains("What is it for?"), "{}", asked.stdout);
    assert!(
        asked.stdout.contains("sops: app.enc.env"),
        "{}",
        asked.stdout
    );
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
        assert!(parse(&name, &text).1.is_empty(), "{name}");
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
                let (_, shape) = parse(&name, &damaged.to_string());
                assert_eq!(
                    schema.is_valid(&damaged),
                    shape.is_empty(),
                    "{name} at {place}: {damaged:#}\n{shape:?}"
                );
                *(if shape.is_empty() {
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
