//! What tells our copies from what only looks like them, what a tenant makes of it, and the ways
//! back without the key.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::annotation;
use super::estate::{Estate, GIVES, SOON, annotations};
use crate::support::process::eventually;

const SIGNATURE: &str = "keyferry.io/signature";

/// The words of a source that gives to these namespaces only.
fn to(estate: &Estate, namespaces: &str) -> String {
    let names = namespaces.split(' ').map(|short| estate.name(short));
    let names: Vec<String> = names.collect();
    format!("{GIVES};reflection-allowed-namespaces={}", names.join(","))
}

/// Where the estate has its keys.
fn keys_path(estate: &Estate) -> String {
    format!(
        "/api/v1/namespaces/{}/secrets/keyferry-marks",
        estate.prefix
    )
}

fn estate(namespaces: &str) -> Estate {
    let mut estate = Estate::new(&format!("{namespaces} sentinel sentinel-copy"));
    estate.reflector("{}");
    estate
}

/// As a copy looks, by whoever may write in its namespace and knows how ours look.
fn forge(estate: &Estate, at: &str, source: &str, signature: Option<&str>) {
    let (namespace, name) = estate.place(at);
    let mut notes = annotations(&format!(
        "reflects={source};auto-reflects=True;reflected-version=7;keyferry.io/source-uid=0f3c9a52-7a57-4d0b-8a4e-0123456789ab"
    ));
    if let Some(signature) = signature {
        notes[SIGNATURE] = json!(signature);
    }
    let object = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "annotations": notes, "labels": {"app.kubernetes.io/managed-by": "keyferry"}},
        "data": {"k": STANDARD.encode("theirs")},
    });
    let path =
        format!("/api/v1/namespaces/{namespace}/secrets/{name}?fieldManager=keyferry&force=true");
    let (status, answer) = estate.cluster.request("PATCH", &path, Some(&object));
    assert!(status < 300, "{answer}");
}

/// As `kubectl annotate … keyferry.io/signature-` does it.
fn take_signature(estate: &Estate, at: &str) {
    estate.edit(at, |copy| {
        let notes = copy["metadata"]["annotations"]
            .as_object_mut()
            .expect("annotations");
        notes.remove(SIGNATURE);
    });
}

fn signature(estate: &Estate, at: &str) -> String {
    let copy = estate.secret(at);
    annotation(&copy, SIGNATURE)
        .expect("it is signed")
        .to_owned()
}

/// Versions of these, which change with every write.
fn versions(estate: &Estate, places: &[&str]) -> BTreeMap<String, Value> {
    let version = |at: &&str| {
        let secret = estate.secret(at);
        (
            (*at).to_owned(),
            secret["metadata"]["resourceVersion"].clone(),
        )
    };
    places.iter().map(version).collect()
}

/// Messages of Events about one object.
fn told(estate: &Estate, at: &str) -> Vec<String> {
    let (namespace, name) = estate.place(at);
    let list = estate
        .cluster
        .find(&format!("/api/v1/namespaces/{namespace}/events"));
    let list = list.expect("a list");
    let events = list["items"].as_array().expect("items").iter();
    events
        .filter(|event| {
            event["involvedObject"]["name"] == name || event["regarding"]["name"] == name
        })
        .map(|event| format!("{}: {}", event["reason"], event["message"]))
        .collect()
}

#[test]
fn row_86_forged_copies_stop_no_deletion_and_are_neither_deleted_nor_written_over() {
    let estate = estate("a b c t");
    estate.put("a/x", &to(&estate, "b c t"), "k=1");
    for copy in ["b/x", "c/x", "t/x"] {
        estate.holds(copy, "k=1");
    }
    let source = format!("{}/gone", estate.name("a"));
    let mut forged: Vec<String> = (0..12).map(|number| format!("t/f{number}")).collect();
    for (number, at) in forged.iter().enumerate() {
        let bad = Some("k:@99999999999:AAAA").filter(|_| number % 2 == 0);
        forge(&estate, at, &source, bad);
    }
    // One that names a source which gives to it.
    forged.push("b/y".to_owned());
    forge(
        &estate,
        "b/y",
        &format!("{}/y", estate.name("a")),
        Some("k:@99999999999:AAAA"),
    );
    estate.put("a/y", &to(&estate, "b"), "k=2");
    let places: Vec<&str> = forged.iter().map(String::as_str).collect();
    let before = versions(&estate, &places);
    eventually("an Event at it says how it is adopted", SOON, || {
        told(&estate, "b/y").iter().any(|told| {
            let command = format!(
                "adopt it: kubectl annotate secret -n {} y {SIGNATURE}-",
                estate.name("b")
            );
            told.contains("Unverified") && told.contains(&command)
        })
    });
    estate.delete("a/x");
    for copy in ["b/x", "c/x", "t/x"] {
        estate.holds(copy, "-");
    }
    estate.settle();
    assert_eq!(versions(&estate, &places), before);
    assert_eq!(estate.figure("held_deletes"), "0");
    assert_eq!(
        told(&estate, "a/gone"),
        [""; 0],
        "nothing is told at what they name"
    );
    take_signature(&estate, "b/y");
    estate.holds("b/y", "k=2");
}

#[test]
fn row_88_copies_of_an_earlier_release_are_signed_once_and_a_taken_signature_comes_back() {
    let mut estate = estate("a b");
    estate.put("a/x", &to(&estate, "b"), "k=1");
    estate.put("a/gone", &to(&estate, "b"), "k=1");
    estate.holds("b/x", "k=1");
    estate.holds("b/gone", "k=1");
    estate.stop();
    take_signature(&estate, "b/x");
    take_signature(&estate, "b/gone");
    estate.delete("a/gone");
    estate.reflector("{}");
    eventually("its source signs it", SOON, || {
        annotation(&estate.secret("b/x"), SIGNATURE).is_some()
    });
    estate.settle();
    assert_eq!(
        estate.held("b/gone").as_deref(),
        Some("k=1"),
        "nobody says that it is ours"
    );
    assert_eq!(estate.figure("refused{reason=\"Unsigned\"}"), "1");
    let before = versions(&estate, &["b/x", "b/gone"]);
    estate.reflector("{}");
    estate.settle();
    assert_eq!(versions(&estate, &["b/x", "b/gone"]), before, "once");
}

#[test]
fn row_89_a_new_key_signs_what_is_written_and_no_copy_is_written_for_it() {
    let estate = estate("a b c");
    estate.put("a/x", &to(&estate, "b c"), "k=1");
    estate.put("a/y", &to(&estate, "b c"), "k=1");
    let copies = ["b/x", "c/x", "b/y", "c/y"];
    for copy in copies {
        estate.holds(copy, "k=1");
    }
    let before = versions(&estate, &copies);
    let (key, lists) = (STANDARD.encode([7; 32]), estate.figure("lists_total"));
    let added = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keyferry-marks"}, "data": {"99990101-000000": key}});
    let path = format!("{}?fieldManager=operator", keys_path(&estate));
    assert_eq!(estate.cluster.request("PATCH", &path, Some(&added)).0, 200);
    eventually("the key is seen", SOON * 6, || {
        estate.figure("lists_total") != lists
    });
    eventually("all is listed", SOON, || estate.liveness().is_ready());
    estate.settle();
    assert_eq!(
        versions(&estate, &copies),
        before,
        "old signatures are good"
    );
    estate.put("a/x", &to(&estate, "b c"), "k=2");
    estate.holds("b/x", "k=2");
    assert!(signature(&estate, "b/x").starts_with("99990101-000000:"));
    assert!(!signature(&estate, "b/y").starts_with("99990101-000000:"));
    estate.delete("a/y");
    estate.holds("b/y", "-");
}

#[test]
fn row_90_a_lost_key_freezes_copies_until_their_signatures_are_taken_away() {
    let mut estate = estate("a b");
    estate.put("a/x", &to(&estate, "b"), "k=1");
    estate.put("a/gone", &to(&estate, "b"), "k=1");
    estate.holds("b/x", "k=1");
    estate.holds("b/gone", "k=1");
    let keys = keys_path(&estate);
    let known = estate.cluster.find(&keys).expect("it was made")["data"].clone();
    assert_eq!(estate.cluster.request("DELETE", &keys, None).0, 200);
    let back = || {
        estate
            .cluster
            .find(&keys)
            .is_some_and(|secret| secret["data"] == known)
    };
    eventually("who still has the key puts it back", SOON * 6, back);

    estate.stop();
    assert_eq!(estate.cluster.request("DELETE", &keys, None).0, 200);
    estate.put("a/x", &to(&estate, "b"), "k=2");
    estate.delete("a/gone");
    estate.reflector("{}");
    estate.settle();
    assert_eq!(estate.held("b/x").as_deref(), Some("k=1"));
    assert_eq!(estate.held("b/gone").as_deref(), Some("k=1"));
    assert_eq!(estate.figure("refused{reason=\"Unverified\"}"), "2");
    for copy in ["b/x", "b/gone"] {
        take_signature(&estate, copy);
    }
    estate.holds("b/x", "k=2");
    estate.settle();
    assert_eq!(
        estate.held("b/gone").as_deref(),
        Some("k=1"),
        "nobody gives to it any more"
    );
    estate.delete("a/x");
    estate.holds("b/x", "-");
}

#[test]
fn row_91_in_a_rebuilt_cluster_the_copies_are_those_of_their_sources_again() {
    let mut estate = estate("a b c");
    estate.put("a/x", &to(&estate, "b c"), "k=1");
    estate.put("a/gone", &to(&estate, "b c"), "k=1");
    for copy in ["b/x", "c/x", "b/gone"] {
        estate.holds(copy, "k=1");
    }
    estate.stop();
    // As from a backup: everything as it was, with other uids, and one source less.
    for at in ["a/x", "b/x", "c/x", "b/gone", "c/gone"] {
        let mut object = estate.secret(at);
        estate.delete(at);
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        metadata.retain(|key, _| ["name", "labels", "annotations"].contains(&key.as_str()));
        let (namespace, _) = estate.place(at);
        estate
            .cluster
            .create(&format!("/api/v1/namespaces/{namespace}/secrets"), &object);
    }
    estate.delete("a/gone");
    estate.reflector("{}");
    let uid = estate.secret("a/x")["metadata"]["uid"].clone();
    for at in ["b/x", "c/x"] {
        eventually("it is of the new source", SOON, || {
            annotation(&estate.secret(at), "keyferry.io/source-uid") == uid.as_str()
        });
    }
    estate.put("a/x", &to(&estate, "b c"), "k=2");
    estate.holds("c/x", "k=2");
    estate.delete("a/x");
    estate.holds("b/x", "-");
}

#[test]
fn row_92_after_an_uninstallation_the_key_is_there_for_the_next_one() {
    let mut estate = estate("a b");
    estate.put("a/x", &to(&estate, "b"), "k=1");
    estate.holds("b/x", "k=1");
    estate.stop();
    // What `kubectl delete -k` takes away of what we made; the Secret with the key is in no
    // manifest.
    let lease = format!(
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases/keyferry-reflector",
        estate.prefix
    );
    assert_eq!(estate.cluster.request("DELETE", &lease, None).0, 200);
    assert!(estate.cluster.find(&keys_path(&estate)).is_some());
    let before = versions(&estate, &["b/x"]);
    estate.reflector("{}");
    estate.settle();
    assert_eq!(versions(&estate, &["b/x"]), before, "nothing is to be done");
    estate.delete("a/x");
    estate.holds("b/x", "-");
}

/// The rights of a Role on that one Secret, and in the namespaces that the configuration names.
#[test]
fn row_92_the_key_needs_no_right_but_on_its_own_secret() {
    let mut estate = Estate::new("a b");
    let (own, a, b) = (estate.prefix.clone(), estate.name("a"), estate.name("b"));
    let cluster = estate.cluster;
    let core = |resources: &[&str], verbs: &[&str]| json!({"apiGroups": [""], "resources": resources, "verbs": verbs});
    let lease = json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch"]});
    let key = |verbs: &[&str]| json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["keyferry-marks"], "verbs": verbs});
    let copies = core(
        &["secrets", "configmaps"],
        &["get", "list", "watch", "create", "patch", "delete"],
    );
    let text = format!("{{namespaces: [{a}, {b}]}}");
    for (account, verbs) in [
        ("makes", &["get", "create", "patch"][..]),
        ("reads", &["get"]),
    ] {
        cluster.grant(&own, account, &json!([lease, key(verbs)]));
        let subject = json!([{"kind": "ServiceAccount", "name": account, "namespace": own}]);
        for namespace in [&a, &b] {
            let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
            let role = json!({"metadata": {"name": account}, "rules": [copies, core(&["events"], &["create", "patch"])]});
            cluster.create(&format!("{rbac}/roles"), &role);
            let reference =
                json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account});
            let binding =
                json!({"metadata": {"name": account}, "roleRef": reference, "subjects": subject});
            cluster.create(&format!("{rbac}/rolebindings"), &binding);
        }
        estate.stop();
        let config = estate.config(&text);
        estate.start(config, cluster.service_account_kubeconfig(&own, account));
        estate.put(&format!("a/{account}"), &to(&estate, "b"), "k=1");
        estate.holds(&format!("b/{account}"), "k=1");
        signature(&estate, &format!("b/{account}"));
    }
    let keys = cluster.find(&keys_path(&estate)).expect("it was made");
    assert_eq!(
        keys["metadata"]["labels"],
        Value::Null,
        "nothing of ours ever touches it by its mark"
    );
}
