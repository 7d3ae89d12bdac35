//! `prune` beside `reflect`: copies that are declared no more go, and all that keeps them from
//! going.

use serde_json::{Value, json};

use super::declared::Estate;
use super::{annotation, grant_everywhere};
use crate::support::process::eventually;
use crate::support::sidecar::{RunningSidecar, SOON};

const PRUNED: &str = "{secret: {namespace: HOME, name: app}, reflect: \
    {namespaces: [\"HOME-*\"], selector: pull=yes, prune: true}}";
const KEPT: &str = "{secret: {namespace: HOME, name: app}, reflect: \
    {namespaces: [\"HOME-*\"], selector: pull=yes}}";

fn pull() -> Value {
    json!({"pull": "yes"})
}

/// Teams `t0`, `t1`, … that all have their copy.
fn estate(teams: usize) -> (Estate, Vec<String>) {
    let estate = Estate::new();
    let teams = (0..teams).map(|number| estate.team(&format!("t{number}"), &pull()));
    let teams: Vec<String> = teams.collect();
    estate.job(PRUNED).expect(0);
    assert_eq!(having(&estate, &teams), teams);
    (estate, teams)
}

/// Those that have a Secret `app`.
fn having(estate: &Estate, teams: &[String]) -> Vec<String> {
    let has = |team: &&String| estate.cluster.secret(team, "app").is_some();
    teams.iter().filter(has).cloned().collect()
}

/// A team that is none any more.
fn unlabel(estate: &Estate, team: &str) {
    let path = format!("/api/v1/namespaces/{team}");
    let mut namespace = estate.cluster.find(&path).expect("it is there");
    namespace["metadata"]["labels"] = json!({});
    let (status, answer) = estate.cluster.request("PUT", &path, Some(&namespace));
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn a_copy_that_is_declared_no_more_goes_and_nothing_else_does() {
    let (estate, teams) = estate(3);
    let cluster = estate.cluster;
    let other = "{secret: {namespace: HOME, name: other}, reflect: \
        {namespaces: [\"HOME-t2\"], rename: of-another}}";
    estate.job(other).expect(0);
    // What looks like a copy of ours, and was not applied by us.
    let copy = cluster.secret(&teams[2], "app").expect("it is there");
    let secrets = format!("/api/v1/namespaces/{}/secrets", teams[2]);
    let (labels, notes) = (
        &copy["metadata"]["labels"],
        &copy["metadata"]["annotations"],
    );
    for (name, labels, notes) in [
        ("by-some-tool", labels, notes),
        ("without-mark", &json!({}), notes),
        ("without-origin", labels, &json!({})),
    ] {
        let metadata = json!({"name": name, "labels": labels, "annotations": notes});
        cluster.create(&secrets, &json!({"metadata": metadata}));
    }
    unlabel(&estate, &teams[2]);

    let output = estate.job(KEPT).expect(0);
    assert!(
        output.stderr.contains("nothing changed"),
        "{}",
        output.stderr
    );
    assert_eq!(having(&estate, &teams), teams, "without `prune` it stays");
    let plan = estate.run(&["plan"], PRUNED).expect(10);
    let line = format!(
        "delete   secret {}/app: no copy is declared here any more",
        teams[2]
    );
    assert!(
        plan.stdout.contains(&line) && plan.stdout.contains("1 to change"),
        "{}",
        plan.stdout
    );
    assert_eq!(having(&estate, &teams), teams, "a plan deletes nothing");

    let output = estate.job(PRUNED).expect(0);
    assert!(
        output.stderr.contains("1 deleted, 3 unchanged"),
        "{}",
        output.stderr
    );
    assert_eq!(having(&estate, &teams), teams[..2]);
    for name in [
        "of-another",
        "by-some-tool",
        "without-mark",
        "without-origin",
    ] {
        assert!(cluster.secret(&teams[2], name).is_some(), "{name}");
    }
    let output = estate.job(PRUNED).expect(0);
    assert!(
        output.stderr.contains("nothing changed"),
        "{}",
        output.stderr
    );
}

#[test]
fn copies_without_a_home_are_known_by_their_delivery_and_go_when_they_are_renamed() {
    let estate = Estate::new();
    let team = estate.team("t0", &pull());
    let target = |name: &str| {
        format!(
            "{{secret: {{name: {name}}}, reflect: \
             {{namespaces: [\"HOME-*\"], home: false, prune: true}}}}"
        )
    };
    estate.job(&target("one")).expect(0);
    let copy = estate.cluster.secret(&team, "one").expect("it is there");
    let origin = format!("delivery copies of {}/db", estate.home);
    assert_eq!(
        annotation(&copy, "keyferry.io/reflected-from"),
        Some(origin.as_str())
    );
    let output = estate.job(&target("two")).expect(0);
    assert!(
        output.stderr.contains("1 created") && output.stderr.contains("1 deleted"),
        "{}",
        output.stderr
    );
    let there = |name: &str| estate.cluster.secret(&team, name).is_some();
    assert_eq!((there("one"), there("two")), (false, true));
}

#[test]
fn row_75_many_copies_wait_for_a_person() {
    let (estate, teams) = estate(6);
    for team in &teams[1..] {
        unlabel(&estate, team);
    }
    for extra in [&[][..], &["--allow-deletes", "4"]] {
        let output = estate.run(&[&["job"], extra].concat(), PRUNED).expect(6);
        for text in [
            "5 of 6 copies of delivery `copies` are declared no more, and at most ",
            "--allow-deletes 5",
        ] {
            assert!(output.stderr.contains(text), "{}", output.stderr);
        }
    }
    estate.run(&["plan"], PRUNED).expect(6);
    assert_eq!(having(&estate, &teams), teams);
    estate
        .run(&["job", "--allow-deletes", "5"], PRUNED)
        .expect(0);
    assert_eq!(having(&estate, &teams), teams[..1]);
}

#[test]
fn nothing_goes_while_a_source_or_a_list_is_unknown() {
    let (estate, teams) = estate(2);
    let (cluster, home) = (estate.cluster, &estate.home);
    unlabel(&estate, &teams[1]);
    // Who may not list namespaces knows of no team, and who may not list Secrets of no copy.
    let core = |resource: &str, verbs: &[&str]| json!({"apiGroups": [""], "resources": [resource], "verbs": verbs});
    let all = core("secrets", &["get", "list", "create", "patch", "delete"]);
    let no_list = core("secrets", &["get", "create", "patch", "delete"]);
    let namespaces = core("namespaces", &["list"]);
    for (account, rules, text) in [
        (
            "without-namespaces",
            vec![all.clone()],
            "namespaces of all namespaces",
        ),
        (
            "without-list",
            vec![no_list, namespaces],
            "secrets of all namespaces with label",
        ),
    ] {
        let kubeconfig = grant_everywhere(cluster, home, account, &rules);
        let run = || estate.run_as(&["job", "--deadline", "20s"], PRUNED, &kubeconfig);
        // The API server learns of new rights a moment later.
        eventually("its rights are known", SOON, || run().stderr.contains(text));
        let output = run().expect(3);
        assert!(output.stderr.contains("ClusterRole"), "{}", output.stderr);
        assert_eq!(having(&estate, &teams), teams, "{account}");
    }
    let source = format!("/api/v1/namespaces/{home}/secrets/db");
    assert_eq!(cluster.request("DELETE", &source, None).0, 200);
    let output = estate.job(PRUNED).expect(4);
    assert!(
        output.stderr.contains("nothing is pruned"),
        "{}",
        output.stderr
    );
    assert_eq!(having(&estate, &teams), teams);
}

#[test]
fn a_sidecar_takes_them_away_as_well_and_holds_too_many() {
    let (estate, teams) = estate(6);
    let kubeconfig = estate.cluster.kubeconfig();
    let sidecar = RunningSidecar::start_with(estate.scratch.path(), &estate.text(PRUNED), |run| {
        run.env("KUBECONFIG", kubeconfig)
    });
    unlabel(&estate, &teams[5]);
    eventually("the copy is gone", SOON, || {
        having(&estate, &teams) == teams[..5]
    });
    drop(sidecar);
    for team in &teams[1..5] {
        unlabel(&estate, team);
    }
    let kubeconfig = estate.cluster.kubeconfig();
    let sidecar = RunningSidecar::start_with(estate.scratch.path(), &estate.text(PRUNED), |run| {
        run.env("KUBECONFIG", kubeconfig)
    });
    let passes = || -> Option<f64> {
        let (_, metrics) = sidecar.ask("/metrics")?;
        let mut lines = metrics.lines();
        lines.find_map(|line| line.strip_prefix("keyferry_passes_total ")?.parse().ok())
    };
    eventually("it made two passes", SOON, || passes() >= Some(2.0));
    assert_eq!(having(&estate, &teams), teams[..5], "4 of 5 are too many");
}

/// As a copy of ours looks, by whoever may write in its namespace.
fn forge(estate: &Estate, team: &str, name: &str, signature: Option<&str>) {
    let copy = estate.cluster.secret(team, "app").expect("it is there");
    let mut notes =
        json!({"keyferry.io/reflected-from": annotation(&copy, "keyferry.io/reflected-from")});
    if let Some(signature) = signature {
        notes["keyferry.io/signature"] = json!(signature);
    }
    let metadata =
        json!({"name": name, "labels": copy["metadata"]["labels"], "annotations": notes});
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}});
    let path = format!("/api/v1/namespaces/{team}/secrets/{name}?fieldManager=keyferry&force=true");
    let (status, answer) = estate.cluster.request("PATCH", &path, Some(&object));
    assert!(status < 300, "{answer}");
}

fn keys(estate: &Estate) -> String {
    format!("/api/v1/namespaces/{}/secrets/keyferry-marks", estate.home)
}

#[test]
fn row_93_forged_copies_stop_no_job_and_none_of_them_goes() {
    let (estate, teams) = estate(3);
    let own = estate
        .cluster
        .secret(&teams[0], "app")
        .expect("it is there");
    let own = annotation(&own, "keyferry.io/signature").map(str::to_owned);
    let names: Vec<String> = (0..6).map(|number| format!("forged{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        // Without one, with an invented one, and with that of a real copy.
        let signature = [None, Some("k:@99999999999:AAAA"), own.as_deref()][number % 3];
        forge(&estate, &teams[0], name, signature);
    }
    unlabel(&estate, &teams[2]);
    let output = estate.job(PRUNED).expect(0);
    assert!(
        output.stderr.contains("1 deleted, 3 unchanged"),
        "{}",
        output.stderr
    );
    assert_eq!(having(&estate, &teams), teams[..2]);
    for name in &names {
        assert!(estate.cluster.secret(&teams[0], name).is_some(), "{name}");
    }
}

#[test]
fn row_93_a_job_signs_with_the_newest_key_and_writes_nothing_for_it() {
    let (estate, teams) = estate(2);
    let signed = || {
        let copy = estate
            .cluster
            .secret(&teams[0], "app")
            .expect("it is there");
        annotation(&copy, "keyferry.io/signature")
            .expect("it is signed")
            .to_owned()
    };
    let before = signed();
    let output = estate.job(PRUNED).expect(0);
    assert!(
        output.stderr.contains("nothing changed"),
        "{}",
        output.stderr
    );
    let key = "Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc=";
    let added = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keyferry-marks"}, "data": {"99990101-000000": key}});
    let path = format!("{}?fieldManager=operator", keys(&estate));
    assert_eq!(estate.cluster.request("PATCH", &path, Some(&added)).0, 200);
    let output = estate.job(PRUNED).expect(0);
    assert!(
        output.stderr.contains("nothing changed"),
        "{}",
        output.stderr
    );
    assert_eq!(signed(), before);
    let labelled = PRUNED.replace("prune: true", "prune: true, labels: {l: x}");
    estate.job(&labelled).expect(0);
    assert!(signed().starts_with("99990101-000000:"), "{}", signed());
}

#[test]
fn row_93_without_its_key_a_job_refuses_copies_until_their_signatures_are_taken_away() {
    let (estate, teams) = estate(2);
    assert_eq!(
        estate.cluster.request("DELETE", &keys(&estate), None).0,
        200
    );
    for command in ["plan", "job"] {
        let output = estate.run(&[command], PRUNED).expect(6);
        let hint = format!(
            "to adopt it: kubectl annotate secret -n {} app keyferry.io/signature-",
            teams[0]
        );
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(
            said.contains("no known key signed that") && said.contains(&hint),
            "{said}"
        );
    }
    for team in &teams {
        let path = format!("/api/v1/namespaces/{team}/secrets/app");
        let mut copy = estate.cluster.find(&path).expect("it is there");
        let notes = copy["metadata"]["annotations"]
            .as_object_mut()
            .expect("annotations");
        notes.remove("keyferry.io/signature");
        assert_eq!(estate.cluster.request("PUT", &path, Some(&copy)).0, 200);
    }
    let output = estate.job(PRUNED).expect(0);
    assert!(output.stderr.contains("2 updated"), "{}", output.stderr);
    unlabel(&estate, &teams[1]);
    estate.job(PRUNED).expect(0);
    assert_eq!(having(&estate, &teams), teams[..1]);
}
