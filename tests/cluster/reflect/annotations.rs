//! The table of what emberstack's reflector does with its annotations, row by row, and where we do
//! something else.

use serde_json::{Value, json};

use super::annotation;
use super::estate::{EMBERSTACK, Estate, GIVES};
use crate::support::run::keyferry;

/// A source at `a/x` that gives to namespaces whose names end so.
fn to(names: &str) -> String {
    format!("{GIVES};reflection-allowed-namespaces={names}")
}

fn estate(namespaces: &str) -> Estate {
    let mut estate = Estate::new(&format!("{namespaces} sentinel sentinel-copy"));
    estate.reflector("{}");
    estate
}

#[test]
fn a01_allowed_and_auto_give_to_every_other_namespace() {
    let mut estate = Estate::new("a b c sentinel sentinel-copy");
    estate.reflector("{targets: {namespaces: [\"PREFIX-*\", \"kube-public\"]}}");
    let name = format!("x{}", estate.prefix);
    estate.put(&format!("a/{name}"), GIVES, "k=1");
    estate.holds(&format!("b/{name}"), "k=1");
    estate.holds(&format!("c/{name}"), "k=1");
    let copy = estate.secret(&format!("b/{name}"));
    assert_eq!(
        copy["metadata"]["labels"],
        json!({"app.kubernetes.io/managed-by": "keyferry"})
    );
    let source = estate.secret(&format!("a/{name}"));
    let notes = |key: &str| annotation(&copy, &format!("{EMBERSTACK}{key}")).map(str::to_owned);
    assert_eq!(
        notes("reflects"),
        Some(format!("{}/{name}", estate.name("a")))
    );
    assert_eq!(notes("auto-reflects").as_deref(), Some("True"));
    assert_eq!(
        notes("reflected-version").as_deref(),
        source["metadata"]["resourceVersion"].as_str()
    );
    assert!(
        notes("reflected-at").is_some_and(|at| at.len() == "2026-01-01T00:00:00.0000000Z".len())
    );
    assert_eq!(
        annotation(&copy, "keyferry.io/source-uid"),
        source["metadata"]["uid"].as_str()
    );
    assert_eq!(
        estate.held(&format!("=kube-public/{name}")),
        None,
        "only when it is asked for"
    );
    let run = keyferry().args(["trace", "secret"]);
    let run = run.args([format!("{}/{name}", estate.name("b"))]);
    let traced = run.env("KUBECONFIG", estate.cluster.kubeconfig()).run();
    let version = source["metadata"]["resourceVersion"].as_str();
    let of = format!(
        "  copy of        secret {}/{name}, at or after version {}\n",
        estate.name("a"),
        version.expect("a version")
    );
    assert!(traced.expect(0).stdout.contains(&of), "{of}");
    estate.reflector("{targets: {namespaces: [\"kube-public\"], exclude: []}}");
    estate.holds(&format!("=kube-public/{name}"), "k=1");
}

#[test]
fn a02_allowed_alone_copies_nothing_and_lets_others_pull() {
    let estate = estate("a b");
    estate.put("a/x", "reflection-allowed=true", "k=1");
    estate.put("b/own", &format!("reflects={}/x", estate.name("a")), "");
    estate.holds("b/own", "k=1");
    estate.settle();
    assert_eq!(estate.held("b/x"), None);
    let own = estate.secret("b/own");
    assert_eq!(
        own["metadata"]["labels"],
        Value::Null,
        "it stays its owner's"
    );
    assert_eq!(
        annotation(&own, &format!("{EMBERSTACK}auto-reflects")),
        Some("False")
    );
}

#[test]
fn a03_auto_without_allowed_is_nothing() {
    let estate = estate("a b");
    estate.put("a/x", "reflection-auto-enabled=true", "k=1");
    estate.settle();
    assert_eq!(estate.held("b/x"), None);
}

#[test]
fn a04_only_the_word_true_means_yes() {
    let estate = estate("a b");
    for (name, word, copied) in [
        ("w1", "True", true),
        ("w2", " true ", true),
        ("w3", "1", false),
        ("w4", "yes", false),
    ] {
        let notes = format!("reflection-allowed={word};reflection-auto-enabled={word}");
        estate.put(&format!("a/{name}"), &notes, "k=1");
        if copied {
            estate.holds(&format!("b/{name}"), "k=1");
        }
    }
    estate.settle();
    assert_eq!((estate.held("b/w3"), estate.held("b/w4")), (None, None));
}

#[test]
fn a05_a_pattern_speaks_of_whole_names() {
    let estate = estate("a team-12 team-x");
    let list = format!("{}-team-[0-9]*", estate.prefix);
    estate.put("a/x", &to(&list), "k=1");
    estate.holds("team-12/x", "k=1");
    estate.settle();
    assert_eq!(estate.held("team-x/x"), None);
}

#[test]
fn a06_alternatives_are_whole_unless_strict() {
    let mut estate = estate("a b bc");
    let list = format!("{0}-b|{0}-bc", estate.prefix);
    estate.put("a/x", &to(&list), "k=1");
    estate.holds("bc/x", "k=1");
    estate.reflector("{strict: true}");
    estate.put("a/y", &to(&list), "k=1");
    estate.holds("b/y", "k=1");
    estate.settle();
    assert_eq!(
        estate.held("bc/y"),
        None,
        "the leftmost match is the shorter one"
    );
}

#[test]
fn a07_a_list_of_blanks_is_nobody() {
    let estate = estate("a b");
    estate.put("a/x", &to(" , "), "k=1");
    estate.settle();
    assert_eq!(estate.held("b/x"), None);
}

#[test]
fn a08_names_or_labels() {
    let estate = estate("a x");
    estate.namespace("y", &json!({"env": "prod"}));
    let x = estate.name("x");
    let notes = format!(
        "{GIVES};reflection-auto-namespaces={x};reflection-auto-namespaces-selector=env=prod"
    );
    estate.put("a/s", &notes, "k=1");
    estate.holds("x/s", "k=1");
    estate.holds("y/s", "k=1");
}

#[test]
fn a09_allowed_and_auto() {
    let estate = estate("a x");
    estate.namespace("y", &json!({"env": "prod"}));
    let x = estate.name("x");
    let notes = format!(
        "{GIVES};reflection-allowed-namespaces={x};reflection-auto-namespaces-selector=env=prod"
    );
    estate.put("a/s", &notes, "k=1");
    estate.settle();
    assert_eq!((estate.held("x/s"), estate.held("y/s")), (None, None));
}

#[test]
fn a10_a_malformed_selector_selects_nobody() {
    let estate = estate("a b");
    let notes = format!("{GIVES};reflection-auto-namespaces-selector=env in (");
    estate.put("a/x", &notes, "k=1");
    estate.settle();
    assert_eq!(estate.held("b/x"), None);
}

#[test]
fn a11_a_label_that_goes_takes_the_copy_with_it() {
    let estate = estate("a");
    estate.namespace("b", &json!({"env": "prod"}));
    let notes = format!("{GIVES};reflection-auto-namespaces-selector=env=prod");
    estate.put("a/x", &notes, "k=1");
    estate.holds("b/x", "k=1");
    estate.namespace("b", &json!({}));
    estate.holds("b/x", "-");
}

#[test]
fn a12_a_label_that_goes_leaves_a_mirror_as_it_is() {
    let estate = estate("a");
    estate.namespace("b", &json!({"env": "prod"}));
    let notes = "reflection-allowed=true;reflection-allowed-namespaces-selector=env=prod";
    estate.put("a/x", notes, "k=1");
    estate.put("b/own", &format!("reflects={}/x", estate.name("a")), "");
    estate.holds("b/own", "k=1");
    estate.namespace("b", &json!({}));
    estate.settle();
    estate.put("a/x", notes, "k=2");
    estate.settle();
    assert_eq!(estate.held("b/own").as_deref(), Some("k=1"));
    assert_eq!(estate.figure("refused{reason=\"Denied\"}"), "1");
}

#[test]
fn a13_a_copy_that_was_edited_is_put_right() {
    let mut estate = estate("a b");
    estate.put("a/x", GIVES, "k=1 l=2");
    estate.holds("b/x", "k=1 l=2");
    estate.edit("b/x", |copy| {
        copy["data"] = json!({"k": "d3Jvbmc=", "more": "eA=="})
    });
    estate.holds("b/x", "k=1 l=2");
    estate.reflector("{strict: true}");
    estate.edit("b/x", |copy| copy["data"] = json!({"k": "d3Jvbmc="}));
    estate.settle();
    assert_eq!(
        estate.held("b/x").as_deref(),
        Some("k=wrong"),
        "as the original leaves it"
    );
}

#[test]
fn a14_a_copy_that_was_deleted_comes_back() {
    let estate = estate("a b");
    estate.put("a/x", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    let uid = estate.secret("b/x")["metadata"]["uid"].clone();
    estate.delete("b/x");
    estate.holds("b/x", "k=1");
    assert_ne!(estate.secret("b/x")["metadata"]["uid"], uid);
}

#[test]
fn a15_another_type_makes_the_copy_again() {
    let estate = estate("a b");
    estate.put("a/x", GIVES, "username=1 password=2");
    estate.holds("b/x", "password=2 username=1");
    let uid = estate.secret("b/x")["metadata"]["uid"].clone();
    estate.delete("a/x");
    estate.put_typed(
        "a/x",
        GIVES,
        "username=1 password=3",
        "kubernetes.io/basic-auth",
    );
    estate.holds("b/x", "password=3 username=1");
    let copy = estate.secret("b/x");
    assert_eq!(copy["type"], "kubernetes.io/basic-auth");
    assert_ne!(copy["metadata"]["uid"], uid);
}

#[test]
fn a16_a_stranger_of_the_same_name_is_left_alone() {
    let estate = estate("a b c");
    estate.put("b/x", "", "k=theirs");
    let before = estate.secret("b/x");
    estate.put("a/x", GIVES, "k=1");
    estate.holds("c/x", "k=1");
    estate.settle();
    assert_eq!(estate.secret("b/x"), before);
    assert_eq!(estate.figure("refused{reason=\"Foreign\"}"), "1");
    estate.delete("b/x");
    estate.holds("b/x", "k=1");
}

#[test]
fn a17_a_stranger_with_an_annotation_in_a_new_namespace_is_left_alone() {
    let estate = estate("a");
    estate.put("a/x", GIVES, "k=1");
    estate.settle();
    // Faster than any controller: the stranger comes with the namespace.
    let namespace = estate.name("b");
    let secret = json!({"metadata": {"name": "x", "annotations": {"any": "thing"}}, "stringData": {"k": "theirs"}});
    estate.namespace("b", &json!({}));
    let path = format!("/api/v1/namespaces/{namespace}/secrets");
    let (status, _) = estate.cluster.request("POST", &path, Some(&secret));
    if status == 201 {
        estate.settle();
        assert_eq!(estate.held("b/x").as_deref(), Some("k=theirs"));
    } else {
        estate.holds("b/x", "k=1");
    }
}

#[test]
fn a18_a_mirror_of_the_same_name_is_its_owners() {
    let estate = estate("a b c");
    let mirror = format!("reflects={}/x", estate.name("a"));
    estate.put("b/x", &mirror, "k=theirs");
    estate.put("a/x", &to(&estate.name("c")), "k=1");
    estate.holds("c/x", "k=1");
    estate.settle();
    assert_eq!(
        estate.held("b/x").as_deref(),
        Some("k=theirs"),
        "kept, and denied"
    );
    assert_eq!(estate.figure("refused{reason=\"Denied\"}"), "1");
}

#[test]
fn a19_auto_turned_off_takes_the_copies_away() {
    let estate = estate("a b c");
    let list = format!("{0}-b,{0}-c", estate.prefix);
    estate.put("a/x", &to(&list), "k=1");
    estate.holds("b/x", "k=1");
    estate.holds("c/x", "k=1");
    estate.put(
        "a/x",
        "reflection-allowed=true;reflection-auto-enabled=false",
        "k=1",
    );
    estate.holds("b/x", "-");
    estate.holds("c/x", "-");
}

#[test]
fn a20_a_source_that_went_while_we_were_down_takes_its_copies_along() {
    let mut estate = estate("a b");
    estate.put("a/x", GIVES, "k=1");
    estate.put("a/y", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    estate.holds("b/y", "k=1");
    estate.stop();
    estate.delete("a/x");
    estate.reflector("{}");
    estate.holds("b/x", "-");
    estate.holds("b/y", "k=1");
}

#[test]
fn a21_one_bad_pattern_stops_no_other_source() {
    let estate = estate("a b");
    estate.put("a/bad", &to("("), "k=1");
    estate.put("a/good", GIVES, "k=1");
    estate.holds("b/good", "k=1");
    estate.put("a/good", GIVES, "k=2");
    estate.holds("b/good", "k=2");
    estate.settle();
    assert_eq!(estate.held("b/bad"), None);
}

#[test]
fn a22_excluded_namespaces_give_nothing_and_get_nothing_unless_told() {
    let mut estate = Estate::new("a b c sentinel sentinel-copy");
    let sources = "sources: {namespaces: [\"PREFIX-*\"], exclude: [PREFIX-a]}";
    estate.reflector(&format!(
        "{{{sources}, targets: {{namespaces: [\"PREFIX-*\"], exclude: [PREFIX-a]}}}}"
    ));
    estate.put("a/x", GIVES, "k=1");
    estate.put("b/y", GIVES, "k=1");
    estate.holds("c/y", "k=1");
    estate.settle();
    assert_eq!((estate.held("b/x"), estate.held("a/y")), (None, None));
    estate.reflector(&format!("{{{sources}}}"));
    estate.holds("a/y", "k=1");
}

#[test]
fn a23_a_config_map_is_copied_with_its_binary_data() {
    let estate = estate("a b");
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "x", "annotations": super::estate::annotations(GIVES)},
        "data": {"text": "two\nlines \"quoted\" ü"}, "binaryData": {"bytes": "AP8="},
    });
    estate.apply("a/x", "configmaps", &map);
    let path = format!("/api/v1/namespaces/{}/configmaps/x", estate.name("b"));
    crate::support::process::eventually("it is copied", super::estate::SOON, || {
        estate.cluster.find(&path).is_some()
    });
    let copy = estate.cluster.find(&path).expect("it is there");
    assert_eq!(
        (&copy["data"], &copy["binaryData"]),
        (&map["data"], &map["binaryData"])
    );
}

#[test]
fn a24_a_copy_of_an_immutable_source_is_not_immutable() {
    let estate = estate("a b");
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "immutable": true,
        "metadata": {"name": "x", "annotations": super::estate::annotations(GIVES)}, "stringData": {"k": "1"},
    });
    estate.apply("a/x", "secrets", &object);
    estate.holds("b/x", "k=1");
    assert_eq!(estate.secret("b/x")["immutable"], Value::Null);
}

#[test]
fn a25_a_helm_release_and_a_token_are_never_copied() {
    let estate = estate("a b");
    let only = to(&estate.name("b"));
    estate.put_typed("a/release", &only, "release=1", "helm.sh/release.v1");
    estate.put_typed("a/token", &only, "k=1", "bootstrap.kubernetes.io/token");
    estate.settle();
    assert_eq!(
        (estate.held("b/release"), estate.held("b/token")),
        (None, None)
    );
    assert_eq!(estate.figure("refused{reason=\"ForbiddenType\"}"), "2");
}
