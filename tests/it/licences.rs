//! The licences of what is in the binary: each package that it is built of allows what `deny.toml` lists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::run::Run;

/// What `deny.toml` allows to be in the binary: its first list.
fn allowed() -> BTreeSet<String> {
    let text = include_str!("../../deny.toml");
    let list = text.split("allow = [").nth(1).expect("a list");
    let list = list.split(']').next().expect("its end");
    let words = list.split('"').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

fn metadata() -> Value {
    let words = [
        "metadata",
        "--format-version=1",
        "--locked",
        "--offline",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ];
    let output = Run::of(env!("CARGO"))
        .dir(env!("CARGO_MANIFEST_DIR"))
        .args(words)
        .run()
        .expect(0);
    serde_json::from_str(&output.stdout).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Ids of the packages that the program is linked of or built with; those of its tests alone are left out.
fn built_of(metadata: &Value) -> BTreeSet<&str> {
    let nodes = metadata["resolve"]["nodes"].as_array().expect("packages");
    let nodes: BTreeMap<&str, &Value> =
        nodes.iter().map(|node| (text(&node["id"]), node)).collect();
    let mut found = BTreeSet::new();
    let mut left = vec![text(&metadata["resolve"]["root"])];
    while let Some(id) = left.pop() {
        if !found.insert(id) {
            continue;
        }
        let needs = nodes[id]["deps"].as_array().expect("a list");
        let linked = needs.iter().filter(|need| {
            let kinds = need["dep_kinds"].as_array().expect("a list");
            kinds.iter().any(|kind| kind["kind"] != "dev")
        });
        left.extend(linked.map(|need| text(&need["pkg"])));
    }
    found
}

/// Whether an expression such as `(MIT OR Apache-2.0) AND Unicode-3.0` can be met; `/` is an old way to write `OR`.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(" WITH ", "_WITH_");
    let mut words = spaced.split_whitespace().peekable();
    return any(&mut words, allowed);

    type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

    fn any(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
        let mut met = all(words, allowed);
        while words.next_if_eq(&"OR").is_some() {
            met |= all(words, allowed);
        }
        met
    }

    fn all(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
        let mut met = one(words, allowed);
        while words.next_if_eq(&"AND").is_some() {
            met &= one(words, allowed);
        }
        met
    }

    fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
        let word = words.next().expect("a licence");
        if word != "(" {
            return allowed.contains(&word.replace("_WITH_", " WITH "));
        }
        let met = any(words, allowed);
        assert_eq!(words.next(), Some(")"));
        met
    }
}

#[test]
fn expressions_are_understood() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "A WITH B"].map(str::to_owned).into();
    let rows = [
        ("MIT", true),
        ("MIT/GPL-3.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("ISC AND (GPL-3.0 OR MIT)", true),
        ("ISC AND (GPL-3.0 OR LGPL-3.0)", false),
        ("A WITH B AND MIT", true),
        ("A", false),
    ];
    for (expression, want) in rows {
        assert_eq!(is_met(expression, &allowed), want, "{expression}");
    }
}

#[test]
fn what_the_binary_is_built_of_is_permissively_licensed() {
    let (allowed, metadata) = (allowed(), metadata());
    let linked = built_of(&metadata);
    assert!(linked.len() > 100, "{}", linked.len());
    let packages = metadata["packages"].as_array().expect("packages");
    let bad = packages
        .iter()
        .filter(|package| linked.contains(text(&package["id"])))
        .filter(|package| {
            !package["license"]
                .as_str()
                .is_some_and(|licence| is_met(licence, &allowed))
        })
        .map(|package| format!("{}: {}", text(&package["name"]), package["license"]));
    let bad: Vec<String> = bad.collect();
    assert!(bad.is_empty(), "{bad:#?}");
}
