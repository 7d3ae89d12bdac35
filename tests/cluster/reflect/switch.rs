//! `keyferry plan` before another controller is switched off: it says what the sidecar then does,
//! and only reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::estate::{EMBERSTACK, Estate, GIVES};
use super::{CANARY, annotation, grant_everywhere};
use crate::support::process::{Scratch, eventually};
use crate::support::run::{Output, keyferry};
use crate::support::sidecar::{RunningSidecar, SOON};

/// Everything of ours in the cluster: which object in which version.
fn versions(estate: &Estate, namespaces: &str) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for namespace in namespaces.split_whitespace() {
        let namespace = estate.name(namespace);
        for path in [
            format!("/api/v1/namespaces/{namespace}/secrets"),
            format!("/api/v1/namespaces/{namespace}/configmaps"),
            format!("/api/v1/namespaces/{namespace}/events"),
            format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"),
        ] {
            let list = estate.cluster.find(&path).expect("a list");
            for object in list["items"].as_array().expect("items") {
                let metadata = &object["metadata"];
                let text = |key: &str| metadata[key].as_str().expect("text").to_owned();
                versions.insert(format!("{path}/{}", text("name")), text("resourceVersion"));
            }
        }
    }
    versions
}

/// By somebody who may list and get everywhere, and no more.
fn plan(estate: &Estate, config: &str, format: &str, kubeconfig: &Path) -> Output {
    let scratch = Scratch::new("switch");
    let file = scratch.write("keyferry.yaml", estate.text(config));
    let output = keyferry()
        .args(["plan", "--output", format, "--config"])
        .args([file])
        .env("KUBECONFIG", kubeconfig)
        .run();
    output.assert_no_canary(&[CANARY]);
    output
}

/// `adopt b/x`, with the reason in a word where it is left.
fn steps(estate: &Estate, plan: &Value) -> Vec<String> {
    let steps = plan["reflector"]["steps"].as_array().expect("steps");
    let prefix = format!("{}-", estate.prefix);
    let step = |step: &Value| {
        let text = |key: &str| step[key].as_str().unwrap_or_default();
        let namespace = text("namespace").trim_start_matches(&prefix);
        let same = match step["contentDiffers"].as_bool() {
            Some(true) => " differs",
            Some(false) => " same",
            None => "",
        };
        let refused = step["refused"].as_str().map(|word| format!(" {word}"));
        let refused = refused.unwrap_or_default();
        format!(
            "{} {namespace}/{}{same}{refused}",
            text("action"),
            text("name")
        )
    };
    steps.iter().map(step).collect()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).expect("JSON")
}

/// As emberstack's reflector leaves its copies behind.
fn theirs(estate: &Estate, source: &str) -> String {
    format!(
        "reflects={}/{source};auto-reflects=True;reflected-version=7;reflected-at=2026-01-01T00:00:00.0000000Z",
        estate.name("a")
    )
}

/// What another controller left in `b` to `f`, and five copies of ours whose source went while
/// nobody looked.
fn left_behind(estate: &mut Estate) {
    estate.put("a/gone", GIVES, "k=0");
    estate.reflector("{targets: {namespaces: [\"PREFIX-?\"]}}");
    for namespace in ["b", "c", "d", "e", "f"] {
        estate.holds(&format!("{namespace}/gone"), "k=0");
    }
    estate.stop();
    estate.delete("a/gone");
    let to = format!("{GIVES};reflection-allowed-namespaces=.*-[b-f]");
    estate.put("a/x", &to, "k=1");
    let own = theirs(estate, "x");
    estate.put("b/x", &own, "k=1");
    estate.put("c/x", &own, "k=old");
    estate.put("d/x", "", "k=stranger");
    estate.put_typed("f/x", &own, "k=1", "example.com/other");
    estate.put("e/own", &format!("reflects={}/x", estate.name("a")), "");
    estate.put("b/lost", &theirs(estate, "lost"), "k=1");
    estate.put(
        "a/bad",
        &format!("{GIVES};reflection-allowed-namespaces=("),
        "k=1",
    );
}

#[test]
fn a_plan_says_what_the_sidecar_would_do_and_it_does_that_and_no_more() {
    let all = "a b c d e f sentinel sentinel-copy";
    let mut estate = Estate::new(all);
    left_behind(&mut estate);
    let rule = json!({"apiGroups": [""], "resources": ["secrets", "configmaps", "namespaces"], "verbs": ["get", "list"]});
    let lease =
        json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]});
    let rules = [rule, lease];
    let onlooker = grant_everywhere(estate.cluster, &estate.prefix, "onlooker", &rules);
    let before = versions(&estate, all);

    let few = "{targets: {namespaces: [\"PREFIX-?\"]}}";
    let rights = || plan(&estate, few, "json", &onlooker).code == 10;
    eventually("its rights are known", SOON, rights);
    let held = plan(&estate, few, "json", &onlooker).expect(10);
    let expected = |gone: &str| {
        let mut lines = vec![
            "adopt b/x same",
            "adopt c/x differs",
            "leave d/x Foreign",
            "create e/x",
            "recreate f/x differs",
            "fill e/own",
            "leave b/lost Unclaimed",
        ];
        let gone: Vec<String> = ["b", "c", "d", "e", "f"]
            .iter()
            .map(|at| gone.replace('?', at))
            .collect();
        lines.extend(gone.iter().map(String::as_str));
        lines.sort_unstable();
        lines.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let sorted = |output: &Output| {
        let mut steps = steps(&estate, &json(output));
        steps.sort();
        steps
    };
    assert_eq!(sorted(&held), expected("hold ?/gone Brake"));
    let remarks = &json(&held)["reflector"]["remarks"];
    assert_eq!(remarks[0]["name"], "bad");
    let release = format!(
        "kubectl annotate lease -n {0} keyferry-reflector \
         keyferry.io/release-deletes=secret/{0}-a/gone:5",
        estate.prefix
    );
    let last = remarks[1]["what"].as_str().expect("text");
    assert!(last.ends_with(&release), "{last}");

    let config = "{targets: {namespaces: [\"PREFIX-*\"]}, brake: {percent: 100}}";
    let free = plan(&estate, config, "json", &onlooker).expect(10);
    assert_eq!(sorted(&free), expected("delete ?/gone"));
    let text = plan(&estate, config, "text", &onlooker).expect(10);
    for line in [
        format!(
            "adopt    secret {0}-b/x: of {0}-a/x; adopted: another controller made it; only its \
             marks change",
            estate.prefix
        ),
        format!(
            "delete   secret {0}-b/gone: of {0}-a/gone; its source is gone",
            estate.prefix
        ),
        format!(
            "leave    secret {0}-d/x: of {0}-a/x; an object that keyferry did not make stands \
             there [Foreign]",
            estate.prefix
        ),
        format!("note     secret {0}-a/bad: ", estate.prefix),
        "10 to change".to_owned(),
    ] {
        assert!(text.stdout.contains(&line), "{line}\n{}", text.stdout);
    }
    plan(&estate, config, "markdown", &onlooker).expect(10);
    assert_eq!(versions(&estate, all), before, "nothing was written");
    let name = format!("system:serviceaccount:{}:onlooker", estate.prefix);
    let asked = estate.cluster.audit_lines().into_iter();
    let asked: BTreeSet<String> = asked
        .filter(|event| event["user"]["username"] == name)
        .map(|event| event["verb"].as_str().expect("a verb").to_owned())
        .collect();
    let reads = ["get", "list"].map(str::to_owned);
    assert_eq!(asked, BTreeSet::from(reads), "and nobody tried to");

    estate.reflector(config);
    estate.settle();
    estate.stop();
    for (at, data) in [
        ("b/x", "k=1"),
        ("c/x", "k=1"),
        ("d/x", "k=stranger"),
        ("e/x", "k=1"),
        ("f/x", "k=1"),
        ("e/own", "k=1"),
        ("b/lost", "k=1"),
    ] {
        assert_eq!(estate.held(at).as_deref(), Some(data), "{at}");
    }
    for namespace in ["b", "c", "d", "e", "f"] {
        assert_eq!(estate.held(&format!("{namespace}/gone")), None);
    }
    let after = versions(&estate, "a b c d e f");
    for at in ["d/x", "b/lost"] {
        let (namespace, name) = estate.place(at);
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        assert_eq!(after[&path], before[&path], "{at} is left alone");
    }
    let adopted = estate.secret("b/x");
    let uid = annotation(&adopted, "keyferry.io/source-uid").map(str::to_owned);
    assert_eq!(
        uid.as_deref(),
        estate.secret("a/x")["metadata"]["uid"].as_str()
    );
    assert!(
        annotation(&adopted, &format!("{EMBERSTACK}reflects")).is_some(),
        "one could go back"
    );

    let again = plan(&estate, config, "json", &onlooker).expect(0);
    assert_eq!(
        steps(&estate, &json(&again)),
        ["leave b/lost Unclaimed", "leave d/x Foreign"]
    );
    assert_eq!(json(&again)["changes"], false);
}

#[test]
fn a_job_and_its_dry_run_say_that_copies_by_annotation_are_not_theirs() {
    let estate = Estate::new("a b");
    estate.put("a/x", GIVES, "k=1");
    let scratch = Scratch::new("switch");
    let file = scratch.write("keyferry.yaml", estate.text("{}"));
    let run = keyferry()
        .args(["job", "--dry-run", "--config"])
        .args([file])
        .env("KUBECONFIG", estate.cluster.kubeconfig())
        .run()
        .expect(0);
    assert!(
        run.stderr.contains("`keyferry plan` shows"),
        "{}",
        run.stderr
    );
    assert!(!run.stdout.contains("reflector"), "{}", run.stdout);
}

/// Who may list but not read learns that, and nothing is taken for well.
#[test]
fn what_may_not_be_read_is_said_to_be_unknown() {
    let estate = Estate::new("a b");
    estate.put("a/x", GIVES, "k=1");
    let cluster = estate.cluster;
    let scope = estate.name("a");
    cluster.grant(
        &scope,
        "onlooker",
        &serde_json::json!([{"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["list"]}]),
    );
    // What a plan looks up beside the objects: who leads and keeps which place, and the key of the
    // marks.
    let role = serde_json::json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "onlooker"},
        "rules": [{"apiGroups": ["", "coordination.k8s.io"], "resources": ["secrets", "leases"], "verbs": ["get"]}],
    });
    let binding = serde_json::json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "onlooker"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "onlooker"},
        "subjects": [{"kind": "ServiceAccount", "name": "onlooker", "namespace": scope}],
    });
    cluster.apply_yaml(&estate.prefix, &format!("{role}\n---\n{binding}\n"));
    let config = format!("{{namespaces: [{scope}]}}");
    let scratch = Scratch::new("switch");
    let file = scratch.write("keyferry.yaml", estate.text(&config));
    let run = || {
        keyferry()
            .args(["plan", "--deadline", "20s", "--config"])
            .args([&file])
            .env(
                "KUBECONFIG",
                cluster.service_account_kubeconfig(&scope, "onlooker"),
            )
            .run()
    };
    estate.put("a/own", &format!("reflects={scope}/x"), "");
    let limit = std::time::Duration::from_secs(60);
    eventually("its right to list works", limit, || {
        run().stdout.contains("leave")
    });
    let output = run().expect(3);
    assert!(
        output
            .stdout
            .contains(&format!("leave    secret {scope}/own: ")),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("[Failed]"), "{}", output.stdout);
}

#[test]
fn the_reflectors_requests_are_counted_by_verb_and_code() {
    let estate = Estate::new("a b");
    let scratch = Scratch::new("switch");
    let kubeconfig = estate.cluster.kubeconfig();
    let sidecar = RunningSidecar::start_with(scratch.path(), &estate.text("{}"), |run| {
        run.env("KUBECONFIG", kubeconfig)
    });
    estate.put("a/x", GIVES, "k=1");
    let copied = || estate.held("b/x").is_some();
    eventually("it is copied", SOON, copied);
    estate.delete("a/x");
    eventually("it is gone", SOON, || !copied());
    let counted = |verb: &str, code: &str| -> u64 {
        let label =
            format!("keyferry_kubernetes_requests_total{{verb=\"{verb}\",code=\"{code}\"}} ");
        let (_, metrics) = sidecar.ask("/metrics").expect("it answers");
        let mut lines = metrics.lines();
        let count = lines.find_map(|line| line.strip_prefix(&label)?.parse().ok());
        count.unwrap_or_default()
    };
    // Namespaces, Secrets and ConfigMaps are listed and watched; the Lease and one copy are made,
    // and the copy is deleted. A watch is counted when the server answers it, which may be after
    // the first copies.
    for (verb, code, least) in [
        ("list", "200", 3),
        ("watch", "200", 3),
        ("get", "200", 1),
        ("patch", "201", 2),
        ("delete", "200", 1),
    ] {
        eventually(&format!("{verb} {code} is counted"), SOON, || {
            counted(verb, code) >= least
        });
    }
    sidecar.end().expect(0).assert_no_canary(&[CANARY]);
}
