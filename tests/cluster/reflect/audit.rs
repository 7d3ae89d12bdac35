//! What the reflector reads and writes, as the API server's audit log and a wire in between saw it.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::CANARY;
use super::estate::{Estate, GIVES, SOON};
use crate::support::cluster::Cluster;
use crate::support::process::eventually;
use crate::support::run::keyferry;
use crate::support::sidecar::RunningSidecar;
use crate::support::wire::{Exchange, Wire};

/// Secrets of others, eight pages of a list; a tenth as many ConfigMaps are beside them.
const FOREIGN: usize = 2000;

/// How much they may cost.
const GROWTH: u64 = 20 << 20;

/// At rest.
const REQUESTS_A_SECOND: f64 = 2.0;

/// A service account that may do what `deploy/reflector` grants, and its token.
pub(super) fn account(estate: &Estate) -> (String, String) {
    let (cluster, own) = (estate.cluster, estate.prefix.as_str());
    let token = cluster.token(own, "reflector", "");
    let user = format!("system:serviceaccount:{own}:reflector");
    let rules = json!([
        {"apiGroups": [""], "resources": ["secrets", "configmaps", "namespaces"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch"]},
        {"apiGroups": ["events.k8s.io", ""], "resources": ["events"], "verbs": ["create", "patch"]},
    ]);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": own}, "rules": rules});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": own},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": own},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    cluster.apply_yaml("", &format!("{role}\n---\n{binding}\n"));
    (user, token)
}

/// A reflector as a process of its own, that looks after the namespaces of the estate.
pub(super) fn process(
    estate: &Estate,
    folder: &std::path::Path,
    kubeconfig: PathBuf,
) -> RunningSidecar {
    let own = &estate.prefix;
    let config = format!(
        "name: audit\nreflector: {{sources: {{namespaces: ['{own}-*']}}, targets: {{namespaces: \
         ['{own}-*']}}, lease: {{namespace: '{own}'}}}}\nmarkKey: {{namespace: '{own}'}}\n"
    );
    let sidecar =
        RunningSidecar::start_with(folder, &config, |run| run.env("KUBECONFIG", kubeconfig));
    eventually("all is listed", SOON, || {
        sidecar.reasons().contains("reflector: ok, ")
    });
    sidecar
}

pub(super) fn memory(of: &RunningSidecar, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", of.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("a number") << 10
}

/// Objects of others, more than 32 KiB each, that hold the same bytes as our sources.
fn foreigners(cluster: &Cluster) {
    cluster.create(
        "/api/v1/namespaces",
        &json!({"metadata": {"name": "foreign"}}),
    );
    let packed = &STANDARD.encode(format!("{CANARY}{}", "x".repeat(32 << 10)));
    std::thread::scope(|scope| {
        for first in 0..8 {
            scope.spawn(move || {
                let mut connection = cluster.connect();
                for at in (first..FOREIGN + FOREIGN / 10).step_by(8) {
                    let kind = if at < FOREIGN {
                        "secrets"
                    } else {
                        "configmaps"
                    };
                    let object =
                        json!({"metadata": {"name": format!("f{at}")}, "data": {"value": packed}});
                    let path = format!("/api/v1/namespaces/foreign/{kind}");
                    let answer = connection.send(
                        "POST",
                        &path,
                        "application/json",
                        object.to_string().as_bytes(),
                    );
                    assert_eq!(answer.expect("an answer").status, 201);
                }
            });
        }
    });
}

/// Every answer with a value in it was asked for by the name of a source, or is that of a write or
/// a look at one copy.
fn only_by_name(estate: &Estate, exchanges: &[Exchange]) {
    let metadata = "as=PartialObjectMetadata";
    for asked in exchanges {
        if asked.is_of_many() {
            assert!(asked.accept.contains(metadata), "{asked:?}");
            assert!(!asked.held, "a value left the server: {asked:?}");
        }
        if asked.held {
            let ours = format!("/namespaces/{}-", estate.prefix);
            assert!(asked.path.contains(&ours), "{asked:?}");
            assert!(asked.path.contains("/secrets/x"), "{asked:?}");
        }
    }
    let held = |method: &str| {
        exchanges
            .iter()
            .any(|asked| asked.held && asked.method == method)
    };
    assert!(
        held("GET") && held("PATCH"),
        "the needle is found where it is"
    );
}

fn of_many(line: &Value) -> bool {
    let verb = line["verb"].as_str().unwrap_or_default();
    ["list", "watch"].contains(&verb)
}

#[test]
fn row_80_thousands_of_foreign_secrets_cost_pages_of_metadata_and_little_memory() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start_own()));
    let estate = Estate::on(cluster, "a b c");
    let (user, token) = account(&estate);
    let needle = STANDARD.encode(&CANARY[..9]);
    let (wire, kubeconfig) = cluster.wired(&token, needle.as_bytes());
    let scratch = crate::support::process::Scratch::new("audit");
    let first = process(&estate, scratch.path(), kubeconfig.clone());
    estate.put("a/x", GIVES, "k=1");
    estate.holds("b/x", "k=1");
    estate.holds("c/x", "k=1");
    let alone = memory(&first, "VmRSS:");
    // One that watches them come, and one that finds them there.
    foreigners(cluster);
    estate.put("a/x", GIVES, "k=2");
    estate.holds("c/x", "k=2");
    let watched = memory(&first, "VmHWM:");
    first.end().expect(0);
    let pages = |wire: &Wire| {
        wire.exchanges()
            .iter()
            .filter(|asked| asked.path.contains("/secrets?limit"))
            .count()
    };
    let before = pages(&wire);
    let second = process(&estate, scratch.path(), kubeconfig);
    assert!(pages(&wire) - before >= FOREIGN / 250, "it lists in pages");
    estate.put("a/x", GIVES, "k=3");
    estate.holds("b/x", "k=3");
    estate.holds("c/x", "k=3");
    let listed = memory(&second, "VmHWM:");
    second.end().expect(0);
    for peak in [watched, listed] {
        assert!(
            peak < alone + GROWTH,
            "{alone} alone, {watched} watched, {listed} listed"
        );
    }
    only_by_name(&estate, &wire.exchanges());
    // Nothing went around the wire: the server knows of no list or watch that is not on it, and
    // read no foreign object.
    let mut lines = cluster.audit_from(0, "keyferry/");
    lines.retain(|line| line["user"]["username"] == *user);
    let on_wire = wire
        .exchanges()
        .iter()
        .filter(|asked| asked.is_of_many())
        .count();
    assert_eq!(lines.iter().filter(|line| of_many(line)).count(), on_wire);
    let foreign = lines
        .iter()
        .find(|line| line["objectRef"]["namespace"] == "foreign");
    assert_eq!(foreign, None);
}

#[test]
fn row_76_a_minute_at_rest_has_no_write_and_two_requests_a_second_at_most() {
    let estate = Estate::new("a b c d");
    let (user, token) = account(&estate);
    let scratch = crate::support::process::Scratch::new("audit");
    let (_wire, kubeconfig) = estate.cluster.wired(&token, b"no such bytes");
    let running = process(&estate, scratch.path(), kubeconfig);
    // Everything that could chase itself: a pattern that fits its own namespace, two of one name, A
    // to B and B to A, a copy that asks to be copied, a mirror of a copy.
    let (a, b) = (estate.name("a"), estate.name("b"));
    estate.put(
        "a/own",
        &format!("{GIVES};reflection-auto-namespaces=.*"),
        "k=1",
    );
    estate.put("a/x", &format!("{GIVES};reflects={b}/x"), "k=a");
    estate.put("b/x", &format!("{GIVES};reflects={a}/x"), "k=b");
    estate.put("c/mirror", &format!("{GIVES};reflects={b}/own"), "");
    estate.holds("b/own", "k=1");
    estate.holds("d/own", "k=1");
    eventually("nothing waits", SOON, || {
        running.metric("keyferry_reflector_queue") == Some(0.0)
    });
    std::thread::sleep(Duration::from_secs(10));
    let mark = estate.cluster.audit_end();
    let rest = Duration::from_secs(60);
    std::thread::sleep(rest);
    let mut lines = estate.cluster.audit_from(mark, "keyferry/");
    lines.retain(|line| line["user"]["username"] == *user);
    let is = |line: &Value, verb: &str| line["verb"] == verb;
    let quiet = |line: &Value| {
        let lease = line["objectRef"]["resource"] == "leases" && is(line, "patch");
        lease || is(line, "get") || of_many(line)
    };
    let loud: Vec<_> = lines.iter().filter(|line| !quiet(line)).collect();
    assert!(loud.is_empty(), "{loud:?}");
    assert!(
        lines
            .iter()
            .any(|line| line["objectRef"]["resource"] == "leases"),
        "it lives"
    );
    let count = lines.iter().fold(0.0, |sum, _| sum + 1.0);
    assert!(
        count <= REQUESTS_A_SECOND * rest.as_secs_f64(),
        "{count} requests in a minute"
    );
    running.end().expect(0);
}

#[test]
fn row_65_copies_that_would_be_too_large_are_refused_before_any_is_written() {
    let estate = Estate::new("a b c");
    let (user, token) = account(&estate);
    let (_wire, kubeconfig) = estate.cluster.wired(&token, b"no such bytes");
    let half = "v".repeat(600 << 10);
    estate.put("a/x", "", &format!("k={half}"));
    let scratch = crate::support::process::Scratch::new("audit");
    let (own, a) = (&estate.prefix, estate.name("a"));
    scratch.write(
        "keyferry.yaml",
        format!(
            "name: audit\ndeliveries:\n  - {{name: copies, from: [{{secret: {{namespace: {a}, name: x}}}}], fields: {{one: '{{{{ k }}}}', two: '{{{{ k }}}}'}}, deliver: [one, two], \
             to: [{{secret: {{name: big}}, reflect: {{namespaces: ['{own}-*'], home: false}}}}]}}\n"
        ),
    );
    let mark = estate.cluster.audit_end();
    let job = keyferry().args(["job", "--config", "keyferry.yaml"]);
    let job = job.dir(scratch.path()).env("KUBECONFIG", kubeconfig).run();
    let job = job.expect(6);
    assert!(job.stderr.contains("1048576"), "{}", job.stderr);
    job.assert_no_canary(&[CANARY]);
    let mut lines = estate.cluster.audit_from(mark, "keyferry/");
    lines.retain(|line| line["user"]["username"] == *user);
    assert!(
        lines.iter().any(|line| line["verb"] == "get"),
        "it read the source"
    );
    let writes: Vec<_> = lines
        .iter()
        .filter(|line| {
            ["patch", "create", "update"].contains(&line["verb"].as_str().unwrap_or_default())
        })
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
}
