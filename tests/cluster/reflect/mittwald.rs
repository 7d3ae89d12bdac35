//! mittwald's replicator: its words, on a real API server.

use serde_json::json;

use super::annotation;
use super::estate::{Estate, MITTWALD};

fn estate(namespaces: &str) -> Estate {
    let mut estate = Estate::new(&format!("{namespaces} sentinel sentinel-copy"));
    estate.reflector("{}");
    estate
}

#[test]
fn replicate_to_names_and_patterns() {
    let estate = estate("a b team-1 team-x");
    let list = format!("{0}-b,{0}-team-[0-9]+", estate.prefix);
    estate.put("a/x", &format!("replicate-to={list}"), "k=1 l=2");
    estate.holds("b/x", "k=1 l=2");
    estate.holds("team-1/x", "k=1 l=2");
    estate.settle();
    assert_eq!(estate.held("team-x/x"), None);
    let copy = estate.secret("b/x");
    let notes = |key: &str| annotation(&copy, &format!("{MITTWALD}{key}")).map(str::to_owned);
    assert_eq!(notes("replicated-keys").as_deref(), Some("k,l"));
    let source = estate.secret("a/x");
    assert_eq!(
        notes("replicated-from-version").as_deref(),
        source["metadata"]["resourceVersion"].as_str()
    );
    estate.put("a/x", &format!("replicate-to={list}"), "k=3");
    estate.holds("b/x", "k=3");
    estate.put("a/x", &format!("replicate-to={}", estate.name("b")), "k=3");
    estate.holds("team-1/x", "-");
    estate.delete("a/x");
    estate.holds("b/x", "-");
}

#[test]
fn replicate_to_matching_follows_labels() {
    let estate = estate("a");
    estate.put("a/x", "replicate-to-matching=env=prod", "k=1");
    estate.namespace("b", &json!({"env": "prod"}));
    estate.holds("b/x", "k=1");
    estate.namespace("b", &json!({"env": "dev"}));
    estate.holds("b/x", "-");
}

#[test]
fn replicate_from_fills_what_is_allowed_and_keeps_other_keys() {
    let estate = estate("a b c");
    let allowed = format!(
        "replication-allowed=true;replication-allowed-namespaces={}",
        estate.name("b")
    );
    estate.put("a/x", &allowed, "k=1");
    let from = format!("replicate-from={}/x", estate.name("a"));
    estate.put("b/own", &from, "mine=2");
    estate.put("c/own", &from, "mine=2");
    estate.holds("b/own", "k=1 mine=2");
    estate.put("a/x", &allowed, "k=3");
    estate.holds("b/own", "k=3 mine=2");
    estate.settle();
    assert_eq!(estate.held("c/own").as_deref(), Some("mine=2"));
    assert_eq!(estate.figure("refused{reason=\"Denied\"}"), "1");
    estate.delete("a/x");
    estate.settle();
    assert_eq!(
        estate.held("b/own").as_deref(),
        Some("k=3 mine=2"),
        "a source that goes empties nothing"
    );
}

#[test]
fn nobody_pulls_without_a_list_of_namespaces() {
    let estate = estate("a b");
    estate.put("a/x", "replication-allowed=true", "k=1");
    estate.put(
        "b/own",
        &format!("replicate-from={}/x", estate.name("a")),
        "",
    );
    estate.settle();
    assert_eq!(estate.held("b/own").as_deref(), Some(""));
}
