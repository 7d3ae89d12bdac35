//! What goes wrong in a cluster, and what the reflector makes of it. Numbers are those of the table
//! of faults.

use std::time::Duration;

use serde_json::{Value, json};

use super::brakes::annotate_lease;
use super::estate::{Estate, GIVES, SOON};
use crate::support::process::{eventually, poll};

fn estate(namespaces: &str) -> Estate {
    let mut estate = Estate::new(&format!("{namespaces} sentinel sentinel-copy"));
    estate.reflector("{}");
    estate
}

/// Messages of Events with this reason at objects of a namespace.
fn told(estate: &Estate, namespace: &str, reason: &str) -> Vec<String> {
    let path = format!("/api/v1/namespaces/{}/events", estate.name(namespace));
    let list = estate.cluster.find(&path).expect("a list");
    let events = list["items"].as_array().cloned().unwrap_or_default();
    let events = events.iter().filter(|event| event["reason"] == reason);
    events
        .map(|event| event["message"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn told_once(estate: &Estate, namespace: &str, reason: &str, part: &str) {
    let found = poll(SOON, || {
        let all = told(estate, namespace, reason);
        all.iter()
            .any(|message| message.contains(part))
            .then_some(())
    });
    assert!(
        found.is_some(),
        "no {reason} with {part:?}: {:?}",
        told(estate, namespace, reason)
    );
    assert_eq!(told(estate, namespace, reason).len(), 1);
}

#[test]
fn row_66_a_stranger_is_left_and_an_event_says_so_once() {
    let estate = estate("a b");
    estate.put("b/x", "", "k=theirs");
    estate.put("a/x", GIVES, "k=1");
    told_once(
        &estate,
        "a",
        "Foreign",
        "-b/x: an object that keyferry did not make stands there",
    );
    assert_eq!(estate.held("b/x").as_deref(), Some("k=theirs"));
}

#[test]
fn row_68_a_copy_that_was_made_immutable_is_made_again() {
    let estate = estate("a b");
    estate.put("a/x", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    estate.edit("b/x", |copy| copy["immutable"] = json!(true));
    let uid = estate.secret("b/x")["metadata"]["uid"].clone();
    estate.put("a/x", GIVES, "k=2");
    estate.holds("b/x", "k=2");
    let copy = estate.secret("b/x");
    assert_ne!(copy["metadata"]["uid"], uid);
    assert_eq!(copy["immutable"], Value::Null);
}

#[test]
fn row_69_no_right_in_one_namespace_stops_no_other() {
    let mut estate = Estate::new("run a b c d");
    let (cluster, own) = (estate.cluster, estate.name("run"));
    cluster.service_account(&own, "r");
    let account = format!("system:serviceaccount:{own}:r");
    let bind = |kind: &str, name: &str, namespace: &str, rules: Value| {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "rules": rules});
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": format!("{kind}Binding"), "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": account}],
        });
        cluster.apply_yaml(namespace, &format!("{role}\n---\n{binding}\n"));
    };
    let objects = json!(["secrets", "configmaps", "namespaces"]);
    let look =
        json!([{"apiGroups": [""], "resources": objects, "verbs": ["get", "list", "watch"]}]);
    bind("ClusterRole", &own, &own, look);
    let write = json!([{"apiGroups": ["", "coordination.k8s.io"], "resources": ["secrets", "leases"], "verbs": ["get", "create", "patch", "delete"]}]);
    for short in ["run", "b", "d"] {
        bind("Role", "write", &estate.name(short), write.clone());
    }
    // Where the key of the marks is.
    bind("Role", "write", &estate.prefix, write.clone());
    let config = estate.config(&format!("{{lease: {{namespace: {own}}}}}"));
    estate.start(config, cluster.service_account_kubeconfig(&own, "r"));
    estate.put("a/x", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    estate.holds("d/x", "k=1");
    eventually("it says where it may not", SOON, || {
        estate.figure("refused{reason=\"Failed\"}") == "1"
    });
    bind("Role", "write", &estate.name("c"), write);
    estate.holds("c/x", "k=1");
}

#[test]
fn row_70_a_namespace_that_ends_is_left_to_end() {
    let estate = estate("a b");
    estate.put("a/x", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    // Something in it holds the namespace while it ends.
    let holder = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "holder", "finalizers": ["test.example/hold"]}});
    estate.apply("b/holder", "configmaps", &holder);
    let namespace = estate.name("b");
    let path = format!("/api/v1/namespaces/{namespace}");
    assert!(estate.cluster.request("DELETE", &path, None).0 < 300);
    estate.holds("b/x", "-");
    estate.settle();
    let before = estate.cluster.audited(&namespace).len();
    estate.put("a/x", GIVES, "k=2");
    estate.settle();
    let tried = estate.cluster.audited(&namespace);
    let tried: Vec<_> = tried[before..]
        .iter()
        .filter(|line| line.contains("secrets/x"))
        .collect();
    assert!(tried.is_empty(), "{tried:?}");
    let free = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "holder"}});
    estate.apply("b/holder", "configmaps", &free);
    eventually("it has ended", SOON, || {
        estate.cluster.find(&path).is_none()
    });
    estate.namespace("b", &json!({}));
    estate.holds("b/x", "k=2");
}

#[test]
fn row_72_what_happened_while_the_api_server_was_down_is_made_good() {
    let cluster: &'static _ = Box::leak(Box::new(crate::support::cluster::Cluster::start_own()));
    let mut estate = Estate::on(cluster, "a b sentinel sentinel-copy");
    estate.reflector("{}");
    estate.put("a/x", GIVES, "k=1");
    estate.put("a/y", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    estate.holds("b/y", "k=1");
    for round in 2..4 {
        cluster.kill_api();
        cluster.restart_api();
        // It is back before the reflector looks again: what happens now has no witness.
        estate.put("a/x", GIVES, &format!("k={round}"));
        if round == 2 {
            estate.delete("a/y");
        }
        estate.holds("b/x", &format!("k={round}"));
        estate.holds("b/y", "-");
    }
    cluster.stop_api();
    std::thread::sleep(Duration::from_secs(2));
    cluster.cont_api();
    estate.put("a/x", GIVES, "k=9");
    estate.holds("b/x", "k=9");
    estate.stop();
}

#[test]
fn row_73_a_policy_that_rejects_in_one_namespace_is_no_others_problem() {
    let estate = estate("a b c");
    let (policy, c) = (estate.prefix.clone(), estate.name("c"));
    let policy = format!(
        "{{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {{name: {policy}}}, spec: {{failurePolicy: Fail, \
         matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}}]}}, \
         validations: [{{expression: 'false', message: 'no secrets here'}}]}}}}\n---\n\
         {{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {{name: {policy}}}, spec: {{policyName: {policy}, \
         validationActions: [Deny], matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {c}}}}}}}}}}}\n"
    );
    estate.cluster.apply_yaml("", &policy);
    let probe = format!("/api/v1/namespaces/{c}/secrets?dryRun=All");
    let object = json!({"metadata": {"name": "probe"}});
    eventually("the policy is known", SOON, || {
        estate.cluster.request("POST", &probe, Some(&object)).0 != 201
    });
    estate.put("a/x", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    told_once(&estate, "a", "Failed", "no secrets here");
    assert_eq!(estate.held("c/x"), None);
}

#[test]
fn row_74_only_what_carries_our_mark_and_the_sources_uid_goes() {
    let estate = estate("a b c");
    estate.put("a/x", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    estate.holds("c/x", "k=1");
    // Somebody takes the copy over: without our words it is theirs.
    estate.edit("b/x", |copy| {
        copy["metadata"]["labels"] = json!({"mine": "now"});
        copy["metadata"]["annotations"] = json!({});
    });
    estate.settle();
    estate.delete("a/x");
    estate.holds("c/x", "-");
    estate.settle();
    assert_eq!(estate.held("b/x").as_deref(), Some("k=1"));
}

#[test]
fn row_75_a_mass_deletion_is_held_until_a_person_releases_it() {
    let estate = estate("a b c d e f");
    let names: Vec<String> = ["b", "c", "d", "e", "f"]
        .map(|short| estate.name(short))
        .into();
    let only = format!("{GIVES};reflection-auto-namespaces={}", names.join(","));
    estate.put("a/x", &only, "k=1");
    for short in ["b", "c", "d", "e", "f"] {
        estate.holds(&format!("{short}/x"), "k=1");
    }
    estate.put("a/x", "reflection-allowed=true", "k=1");
    let release = format!(
        "kubectl annotate lease -n {} keyferry-reflector keyferry.io/release-deletes=secret/{}/x:5",
        estate.prefix,
        estate.name("a")
    );
    told_once(&estate, "a", "Brake", &release);
    assert_eq!(estate.figure("held_deletes"), "5");
    assert!(estate.held("f/x").is_some());
    let (_, order) = release.split_once("annotate lease ").expect("a command");
    annotate_lease(&estate, order);
    for short in ["b", "c", "d", "e", "f"] {
        estate.holds(&format!("{short}/x"), "-");
    }
}

#[test]
fn row_76_two_sources_of_one_name_end_at_rest() {
    let estate = estate("a b c");
    estate.put("a/x", GIVES, "k=a");
    estate.put("b/x", GIVES, "k=b");
    estate.holds("c/x", "k=a");
    estate.settle();
    let writes = || {
        let all = ["a", "b", "c"].map(|short| estate.cluster.audited(&estate.name(short)));
        let all = all.concat().into_iter();
        all.filter(|line| !line.starts_with("get") && line.contains("secrets/x"))
            .count()
    };
    let before = writes();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(writes(), before, "nothing is written at rest");
    assert_eq!(
        (estate.held("a/x").as_deref(), estate.held("b/x").as_deref()),
        (Some("k=a"), Some("k=b"))
    );
}

#[test]
fn row_77_a_list_of_blanks_and_a_bad_pattern_are_nobody_and_said() {
    let estate = estate("a b");
    estate.put(
        "a/x",
        &format!("{GIVES};reflection-allowed-namespaces=prod("),
        "k=1",
    );
    told_once(
        &estate,
        "a",
        "Annotation",
        "reflection-allowed-namespaces: pattern",
    );
    assert_eq!(estate.held("b/x"), None);
}

#[test]
fn row_78_an_emptied_copy_is_filled_again_and_one_that_others_own_too_is_made_ours() {
    let estate = estate("a b");
    estate.put("a/x", GIVES, "k=1 l=2");
    estate.holds("b/x", "k=1 l=2");
    estate.edit("b/x", |copy| copy["data"] = json!({}));
    estate.holds("b/x", "k=1 l=2");
    let owners = estate.secret("b/x")["metadata"]["managedFields"].to_string();
    assert!(!owners.contains("kubectl-edit"), "{owners}");
}

#[test]
fn a_copy_of_the_original_controller_is_taken_over() {
    let mut estate = Estate::new("a b c sentinel sentinel-copy");
    let source = estate.name("a");
    estate.put(
        "a/x",
        &format!("{GIVES};reflection-auto-namespaces={}", estate.name("b")),
        "k=1",
    );
    let theirs = format!("reflects={source}/x;auto-reflects=True;reflected-version=\"1\"");
    estate.put("b/x", &theirs, "k=old more=1");
    estate.put("c/x", &theirs, "k=old");
    estate.reflector("{}");
    estate.holds("b/x", "k=1");
    estate.settle();
    assert_eq!(
        estate.held("c/x").as_deref(),
        Some("k=old"),
        "nobody gives to it, and it is not ours to delete"
    );
    // A new process trusts what it finds: nothing is written, and no copy is read.
    let namespace = estate.name("b");
    estate.stop();
    let before = estate.cluster.audited(&namespace).len();
    estate.reflector("{}");
    estate.settle();
    let done = estate.cluster.audited(&namespace)[before..].to_vec();
    let writes: Vec<_> = done
        .iter()
        .filter(|line| line.starts_with("patch secrets/x"))
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
}

#[test]
fn a_namespace_may_refuse_all_copies() {
    let estate = estate("a b");
    estate.annotate_namespace("b", "accept=false");
    estate.put("a/x", GIVES, "k=1");
    estate.settle();
    assert_eq!(estate.held("b/x"), None);
}

#[test]
fn labels_that_are_allowed_are_copied_and_those_of_tools_never() {
    let mut estate = Estate::new("a b sentinel sentinel-copy");
    estate.reflector("{labels: [team, \"app.kubernetes.io/*\"]}");
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"k": "1"},
        "metadata": {"name": "x", "annotations": super::estate::annotations(GIVES), "labels": {"team": "t", "other": "o", "app.kubernetes.io/instance": "argo", "app.kubernetes.io/part-of": "p"}},
    });
    estate.apply("a/x", "secrets", &object);
    estate.holds("b/x", "k=1");
    let expected = json!({"app.kubernetes.io/managed-by": "keyferry", "team": "t", "app.kubernetes.io/part-of": "p"});
    assert_eq!(estate.secret("b/x")["metadata"]["labels"], expected);
}

#[test]
fn namespaces_that_are_named_need_rights_in_those_alone() {
    let mut estate = Estate::new("a b c");
    let cluster = estate.cluster;
    let (a, b) = (estate.name("a"), estate.name("b"));
    let objects = json!([
        {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch"]},
    ]);
    cluster.grant(&a, "r", &objects);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": objects});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "r", "namespace": a}],
    });
    // The second one is where the key of the marks is.
    for namespace in [&b, &estate.prefix] {
        cluster.apply_yaml(namespace, &format!("{role}\n---\n{binding}\n"));
    }
    let config = estate.config(&format!(
        "{{namespaces: [{a}, {b}], lease: {{namespace: {a}}}}}"
    ));
    estate.start(config, cluster.service_account_kubeconfig(&a, "r"));
    estate.put("a/x", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    estate.put("a/x", GIVES, "k=2");
    estate.holds("b/x", "k=2");
    assert_eq!(estate.held("c/x"), None);
    estate.delete("a/x");
    estate.holds("b/x", "-");
}
