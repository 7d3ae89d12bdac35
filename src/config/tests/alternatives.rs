//! The schema of alternatives, and the error where none of them is written.

use std::collections::{BTreeMap, BTreeSet};

use super::load_files;
use crate::config::derived_schema::schema;

#[test]
fn the_schema_knows_the_alternatives_that_are_asked_for() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("definitions");
    let keys = |of: &serde_json::Value| -> Option<BTreeSet<String>> {
        of["properties"].as_object()?;
        let each = of["oneOf"].as_array()?.iter();
        let key = |one: &serde_json::Value| one["required"][0].as_str().expect("a key").to_owned();
        Some(each.map(key).collect())
    };
    let known = definitions.iter();
    let known: BTreeMap<String, BTreeSet<String>> = known
        .filter_map(|(name, of)| Some((name.clone(), keys(of)?)))
        .collect();
    let rows = [
        ("RawAuth", "vault: {address: 'https://v', auth: {}}"),
        (
            "RawJwtAuth",
            "vault: {address: 'https://v', auth: {jwt: {role: r}}}",
        ),
        ("RawAgeKey", "keys: {age: [{}]}"),
        ("RawSealedKey", "keys: {sealed: [{}]}"),
        ("RawFrom", "deliveries: [{name: a, from: [{}]}]"),
        (
            "RawTarget",
            "deliveries: [{name: a, fields: {A: b}, to: [{}]}]",
        ),
        ("RawManifests", "manifests: [{}]"),
    ];
    let asked = rows.map(|(name, text)| {
        let problems = load_files(&[("k.yaml", text)], None).expect_err(text);
        let what = problems.failure().what;
        let list = what.split_once("exactly one of ").map(|(_, list)| list);
        let list = list.and_then(|list| list.strip_suffix(", and has none"));
        let list = list.unwrap_or_else(|| panic!("{text}: {what}"));
        let keys: BTreeSet<String> = list.split(", ").map(str::to_owned).collect();
        (name.to_owned(), keys)
    });
    assert_eq!(known, BTreeMap::from(asked));
}
