//! What a tenant's annotations cost the reflector, and what they cannot reach.

use serde_json::json;

use super::audit::{account, memory, process};
use super::estate::{Estate, GIVES, SOON, annotations};
use crate::support::process::{Scratch, eventually};

/// Objects of one tenant, each of which says as much as this.
const OBJECTS: usize = 1000;

/// How much all of them may cost.
const GROWTH: u64 = 20 << 20;

/// Fifteen kilobytes that would become hundreds of megabytes.
fn growing() -> String {
    let patterns: Vec<String> = (0..1000).map(|n| format!("[a-z]{{3000}}{n:03}")).collect();
    patterns.join(",")
}

fn tenant_writes(estate: &Estate) {
    let namespace = estate.name("evil");
    let notes = annotations(&format!(
        "{GIVES};reflection-allowed-namespaces={}",
        growing()
    ));
    let mut connection = estate.cluster.connect();
    for at in 0..OBJECTS {
        let object = json!({"metadata": {"name": format!("e{at}"), "annotations": notes}});
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        let body = object.to_string();
        let answer = connection.send("POST", &path, "application/json", body.as_bytes());
        assert_eq!(answer.expect("an answer").status, 201);
    }
}

#[test]
fn row_82_a_thousand_objects_with_growing_patterns_cost_little_and_hold_nothing_up() {
    let estate = Estate::new("a b evil");
    let (_user, token) = account(&estate);
    let (_wire, kubeconfig) = estate.cluster.wired(&token, b"no such bytes");
    let scratch = Scratch::new("costs");
    let first = process(&estate, scratch.path(), kubeconfig.clone());
    estate.put("a/x", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    let alone = memory(&first, "VmRSS:");
    tenant_writes(&estate);
    estate.put("a/x", GIVES, "k=2");
    estate.holds("b/x", "k=2");
    let watched = memory(&first, "VmHWM:");
    first.end().expect(0);
    // One that finds them there.
    let second = process(&estate, scratch.path(), kubeconfig);
    estate.put("a/x", GIVES, "k=3");
    estate.holds("b/x", "k=3");
    let listed = memory(&second, "VmHWM:");
    second.end().expect(0);
    for peak in [watched, listed] {
        assert!(
            peak < alone + GROWTH,
            "{alone} alone, {watched} watched, {listed} listed"
        );
    }
}

#[test]
fn row_101_a_tenant_cannot_replace_the_control_planes_own_configuration() {
    let mut estate = Estate::new("evil victim");
    let evil = estate.name("evil");
    let path = format!("/api/v1/namespaces/{evil}/configmaps/kube-made-up?fieldManager=tenant");
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kube-made-up", "namespace": evil, "annotations": annotations(GIVES)},
        "data": {"ca.crt": "theirs"},
    });
    let (status, answer) = estate.cluster.request("PATCH", &path, Some(&object));
    assert!(status < 300, "{answer}");
    estate.reflector("{}");
    eventually("it is refused", SOON, || {
        estate.figure("refused{reason=\"ControlPlane\"}") == "1"
    });
    let victim = estate.name("victim");
    let path = format!("/api/v1/namespaces/{victim}/configmaps/kube-made-up");
    let (status, _) = estate.cluster.request("GET", &path, None);
    assert_eq!(status, 404);
}
