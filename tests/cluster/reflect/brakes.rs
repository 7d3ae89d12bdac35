//! The brakes on deletions, on a real API server: one for each source, one for the cluster.

use serde_json::{Value, json};

use super::estate::{EMBERSTACK, Estate, GIVES, SOON};
use crate::support::process::{eventually, poll};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces";

/// A source at `a/NAME` that gives to these namespaces alone.
fn give(estate: &Estate, name: &str, to: &[&str]) {
    let names: Vec<String> = to.iter().map(|short| estate.name(short)).collect();
    let notes = format!("{GIVES};reflection-auto-namespaces={}", names.join(","));
    estate.put(&format!("a/{name}"), &notes, "k=1");
    for short in to {
        estate.holds(&format!("{short}/{name}"), "k=1");
    }
}

/// The command that an Event of this namespace names.
pub(super) fn command(estate: &Estate, namespace: &str, reason: &str, part: &str) -> String {
    let path = format!("/api/v1/namespaces/{}/events", estate.name(namespace));
    let found = poll(SOON, || {
        let list = estate.cluster.find(&path).expect("a list");
        let events = list["items"].as_array().cloned().unwrap_or_default();
        let messages = events.iter().filter(|event| event["reason"] == reason);
        let mut messages = messages.filter_map(|event| event["message"].as_str());
        let found = messages.find(|message| message.contains(part))?;
        let (_, command) = found.split_once("kubectl annotate lease ")?;
        Some(command.to_owned())
    });
    found.unwrap_or_else(|| panic!("no Event {reason} with {part:?}"))
}

/// Does what `kubectl annotate lease -n NAMESPACE NAME KEY=VALUE` does.
pub(super) fn annotate_lease(estate: &Estate, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let ["-n", namespace, name, note] = words[..] else {
        panic!("{command}");
    };
    let (key, value) = note.split_once('=').expect("KEY=VALUE");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "annotations": {key: value}},
    });
    let path = format!("{LEASE}/{namespace}/leases/{name}?fieldManager=kubectl&force=true");
    let (status, answer) = estate.cluster.request("PATCH", &path, Some(&lease));
    assert!(status < 300, "{answer}");
}

#[test]
fn row_94_a_source_that_is_held_holds_up_no_other_and_is_released_alone() {
    let mut estate = Estate::new("a b c d e f sentinel sentinel-copy");
    estate.reflector("{}");
    let all = ["b", "c", "d", "e", "f"];
    give(&estate, "x", &all);
    give(&estate, "y", &all);
    give(&estate, "z", &["b", "c"]);
    for name in ["x", "y"] {
        estate.put(&format!("a/{name}"), "reflection-allowed=true", "k=1");
    }
    let released = command(&estate, "a", "Brake", "secret/");
    estate.delete("a/z");
    estate.holds("b/z", "-");
    estate.holds("c/z", "-");
    assert_eq!(estate.figure("held_deletes"), "10");
    // Events gather by source: the command is of one of the two.
    let name = match released.contains("/x:5") {
        true => "x",
        false => "y",
    };
    let other = if name == "x" { "y" } else { "x" };
    annotate_lease(&estate, &released);
    for short in all {
        estate.holds(&format!("{short}/{name}"), "-");
    }
    estate.settle();
    for short in all {
        assert!(estate.held(&format!("{short}/{other}")).is_some());
    }
    assert_eq!(estate.figure("held_deletes"), "5");
}

/// What emberstack's own suite does with a Secret and then with a ConfigMap, a few seconds later.
#[test]
fn row_97_copies_go_with_their_source_one_source_after_the_other() {
    let mut estate = Estate::new("a b c sentinel sentinel-copy");
    estate.reflector("{}");
    give(&estate, "x", &["b", "c"]);
    estate.delete("a/x");
    estate.holds("b/x", "-");
    estate.holds("c/x", "-");
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "1"},
        "metadata": {"name": "y", "annotations": {
            format!("{EMBERSTACK}reflection-allowed"): "true",
            format!("{EMBERSTACK}reflection-allowed-namespaces"): format!("^{}-[bc]$", estate.prefix),
            format!("{EMBERSTACK}reflection-auto-enabled"): "true",
        }},
    });
    estate.apply("a/y", "configmaps", &map);
    let path = |short: &str| format!("/api/v1/namespaces/{}/configmaps/y", estate.name(short));
    let found = |short: &str| -> Option<Value> { estate.cluster.find(&path(short)) };
    eventually("it is copied", SOON, || {
        found("b").is_some() && found("c").is_some()
    });
    let (status, answer) = estate.cluster.request("DELETE", &path("a"), None);
    assert!(status < 300, "{answer}");
    eventually("its copies go too", SOON, || {
        found("b").is_none() && found("c").is_none()
    });
}

#[test]
fn row_95_many_sources_that_vanish_at_once_are_held() {
    let mut estate = Estate::new("a b sentinel sentinel-copy");
    estate.reflector("{}");
    for name in ["v", "w", "x", "y"] {
        give(&estate, name, &["b"]);
    }
    estate.stop();
    for name in ["v", "w", "x", "y"] {
        estate.delete(&format!("a/{name}"));
    }
    estate.reflector("{}");
    eventually("they are held", SOON, || {
        estate.figure("held_deletes") == "4"
    });
    let message = command(&estate, "a", "Brake", "4 sources vanished within a minute");
    let namespace = &estate.prefix;
    assert!(
        message.starts_with(&format!("-n {namespace} keyferry-reflector ")),
        "{message}"
    );
    annotate_lease(
        &estate,
        &format!("-n {namespace} keyferry-reflector keyferry.io/release-deletes=all:4"),
    );
    for name in ["v", "w", "x", "y"] {
        estate.holds(&format!("b/{name}"), "-");
    }
}
