//! An API server in trouble, and what stands between it and us: policies, webhooks, namespaces on
//! their way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keyferry::base::artifact::SecretArtifact;
use keyferry::base::failure::Class;
use serde_json::json;

use super::{Job, PATIENCE, pairs, refused};
use crate::support::cluster::Cluster;
use crate::support::process::{Scratch, eventually, poll};
use crate::support::stub::{Reply, Stub};
use crate::support::tools;

#[tokio::test]
async fn row_70_a_namespace_that_is_ending_or_gone_is_named() {
    let cluster = Cluster::shared();
    let admin = super::world(cluster.kubeconfig(), PATIENCE).await;
    let namespace = cluster.namespace();
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/held"]}});
    cluster.create(&format!("/api/v1/namespaces/{namespace}/configmaps"), &held);
    let (status, _) = cluster.request("DELETE", &format!("/api/v1/namespaces/{namespace}"), None);
    assert_eq!(status, 200);
    let job = Job {
        namespace,
        world: admin,
    };
    let start = Instant::now();
    let outcome = job.create(&job.app(&[("a", "1")])).await;
    refused(outcome, Class::Refused, &["its namespace is being deleted"]);
    let mut gone = job.app(&[("a", "1")]);
    gone.at.namespace = "never-was".to_owned();
    refused(
        job.create(&gone).await,
        Class::Refused,
        &[
            "its namespace does not exist",
            "create namespace never-was first",
        ],
    );
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "no retry helps here"
    );
}

/// A job whose API server is a stub.
async fn job_of(stub: &Stub, time_limit: Duration) -> Job {
    let scratch = Scratch::new("stub");
    let text = format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n",
        stub.url()
    );
    let kubeconfig = scratch.write("kubeconfig", text);
    Job {
        namespace: "stub".to_owned(),
        world: super::world(kubeconfig, time_limit).await,
    }
}

fn stored() -> Reply {
    let labels =
        json!({"app.kubernetes.io/managed-by": "keyferry", "keyferry.io/configuration": "test"});
    let notes = json!({"keyferry.io/delivery": "app", "keyferry.io/sources": "[]"});
    let metadata =
        json!({"uid": "u", "resourceVersion": "2", "labels": labels, "annotations": notes});
    Reply::json(200, &json!({"metadata": metadata, "type": "Opaque"}))
}

#[tokio::test]
async fn row_71_what_passes_is_tried_again_and_retry_after_is_honoured() {
    type Bad = fn() -> Reply;
    let rows: [(&str, Bad, u64); 7] = [
        (
            "429 flow control",
            || Reply::text(429, "text/plain", "Too many requests").with("Retry-After", "1"),
            1000,
        ),
        ("500", || Reply::json(500, &json!({})), 0),
        (
            "500 with a wait in its body",
            || Reply::json(500, &json!({"details": {"retryAfterSeconds": 1}})),
            1000,
        ),
        (
            "503 of a proxy",
            || Reply::text(503, "text/html", "<html>"),
            0,
        ),
        ("504", || Reply::json(504, &json!({})), 0),
        ("broken connection", || Reply::Raw(Vec::new()), 0),
        (
            "cut short",
            || Reply::Cut {
                length: 999,
                body: b"{".to_vec(),
            },
            0,
        ),
    ];
    for (name, bad, wait) in rows {
        let first = AtomicBool::new(true);
        let stub = Stub::start(move |_| {
            if first.swap(false, Ordering::SeqCst) {
                bad()
            } else {
                stored()
            }
        });
        let job = job_of(&stub, PATIENCE).await;
        let start = Instant::now();
        let outcome = job.create(&job.app(&[])).await;
        outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        let want = "PATCH /api/v1/namespaces/stub/secrets/app?fieldManager=keyferry";
        assert_eq!(
            stub.calls(),
            [want, want],
            "{name}: one more request, no storm"
        );
        let waited = start.elapsed();
        assert!(
            waited >= Duration::from_millis(wait),
            "{name}: waited {waited:?}"
        );
    }
}

#[tokio::test]
async fn row_71_trouble_that_lasts_ends_at_the_deadline_with_its_cause() {
    type Bad = fn() -> Reply;
    let rows: [(Bad, &str); 4] = [
        (|| Reply::json(503, &json!({})), "answered 503"),
        (
            || Reply::text(429, "text/plain", "").with("Retry-After", "1000000"),
            "answered 429",
        ),
        (|| Reply::Raw(Vec::new()), "cannot be reached"),
        (|| Reply::Hang, "no answer within"),
    ];
    for (bad, said) in rows {
        let stub = Stub::start(move |_| bad());
        let time_limit = Duration::from_millis(1500);
        let job = job_of(&stub, time_limit).await;
        let start = Instant::now();
        let outcome = job.create(&job.app(&[("a", "1")])).await;
        refused(
            outcome,
            Class::Unavailable,
            &["patch secret stub/app", said, "--deadline"],
        );
        assert!(
            start.elapsed() < time_limit + Duration::from_secs(1),
            "{said}"
        );
        assert!(
            stub.calls().len() < 30,
            "{said}: {} requests",
            stub.calls().len()
        );
    }
}

#[tokio::test]
async fn row_71_what_is_no_api_server_is_said_at_once() {
    type Odd = fn() -> Reply;
    let rows: [(Odd, &str); 3] = [
        (
            || Reply::text(200, "text/html", "<html>hello</html>"),
            "it is not a Secret",
        ),
        (|| Reply::Endless, "more than 4194304 bytes"),
        (
            || Reply::text(307, "text/plain", "").with("Location", "https://192.0.2.1/"),
            "redirect refused (307)",
        ),
    ];
    for (odd, said) in rows {
        let stub = Stub::start(move |_| odd());
        let job = job_of(&stub, PATIENCE).await;
        let outcome = job.create(&job.app(&[("a", "1")])).await;
        refused(
            outcome,
            Class::Unavailable,
            &["not an answer of a Kubernetes API server", said],
        );
        assert_eq!(stub.calls().len(), 1, "{said}");
    }
}

#[tokio::test]
async fn row_71_an_api_server_that_restarts_is_waited_for() {
    let cluster = Arc::new(Cluster::start_own());
    let namespace = cluster.namespace();
    let world = super::world(cluster.kubeconfig(), PATIENCE).await;
    let job = Job {
        namespace: namespace.clone(),
        world,
    };
    cluster.kill_api();
    let back = Arc::clone(&cluster);
    let restart = tokio::task::spawn_blocking(move || back.restart_api());
    job.create(&job.app(&[("a", "1")]))
        .await
        .expect("created when it is back");
    restart.await.expect("it restarts");
    assert_eq!(
        cluster.secret_value(&namespace, "app", "a").as_deref(),
        Some(super::secret("1").expose())
    );
}

#[tokio::test]
async fn row_73_a_policy_or_webhook_in_the_way_is_named_and_is_not_the_problem_of_others() {
    let cluster = Cluster::shared();
    let rule = json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app", "policed", "hooked"], "verbs": ["get", "create", "patch"]}]);
    let job = Job::with_rules(&rule, Duration::from_secs(8)).await;
    lay_obstacles(&job.namespace);
    let named = |name: &str| SecretArtifact {
        at: job.at(name),
        ..job.app(&[("a", "1")])
    };
    let (policed, hooked, plain) = (named("policed"), named("hooked"), named("app"));
    // Both are known to the server a moment after it accepted them.
    let probe = format!(
        "/api/v1/namespaces/{}/secrets/NAME?fieldManager=probe&dryRun=All",
        job.namespace
    );
    for name in ["policed", "hooked"] {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"a": "eA=="}});
        eventually("the obstacle is in place", PATIENCE, || {
            cluster
                .request("PATCH", &probe.replace("NAME", name), Some(&object))
                .0
                >= 400
        });
    }
    let (policed, hooked, plain) = tokio::join!(
        job.create(&policed),
        job.create(&hooked),
        job.create(&plain)
    );
    let name = format!("'{}-policy' with binding", job.namespace);
    refused(
        policed,
        Class::Refused,
        &[
            "rejected",
            &name,
            "denied request (the reason is withheld: it repeats a value)",
        ],
    );
    refused(
        hooked,
        Class::Unavailable,
        &["failed calling webhook", "nowhere.example.com", "tried"],
    );
    plain.expect("nothing is in its way");
    assert_eq!(job.values(), pairs(&[("a", "1")]));
}

/// A policy that quotes the value it denies, and a webhook that leads nowhere; each for one name in
/// one namespace.
fn lay_obstacles(namespace: &str) {
    let cluster = Cluster::shared();
    let only = |name: &str| json!([{"name": "only", "expression": format!("object.metadata.namespace == '{namespace}' && object.metadata.name == '{name}'")}]);
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}]);
    let path = "/apis/admissionregistration.k8s.io/v1";
    let policy = json!({"metadata": {"name": format!("{namespace}-policy")}, "spec": {
        "failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "matchConditions": only("policed"),
        "validations": [{"expression": "false", "messageExpression": "'not this one: ' + \
         string(object.data.a)"}],
    }});
    cluster.create(&format!("{path}/validatingadmissionpolicies"), &policy);
    let binding = json!({"metadata": {"name": format!("{namespace}-binding")}, "spec": {
        "policyName": format!("{namespace}-policy"), "validationActions": ["Deny"],
    }});
    cluster.create(
        &format!("{path}/validatingadmissionpolicybindings"),
        &binding,
    );
    let webhook = json!({"metadata": {"name": format!("{namespace}-webhook")}, "webhooks": [{
        "name": "nowhere.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 2,
        "failurePolicy": "Fail", "clientConfig": {"url": "https://127.0.0.1:1/"}, "matchConditions": only("hooked"), "rules": rules,
    }]});
    cluster.create(&format!("{path}/validatingwebhookconfigurations"), &webhook);
}

#[tokio::test]
async fn what_a_mutating_policy_changes_is_noticed_at_once() {
    let cluster = Cluster::shared();
    let job = Job::usual().await;
    let namespace = &job.namespace;
    let path = "/apis/admissionregistration.k8s.io/v1";
    let policy = json!({"metadata": {"name": format!("{namespace}-mutation")}, "spec": {
        "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}]},
        "matchConditions": [{"name": "only", "expression": format!("object.metadata.namespace == \
         '{namespace}'")}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'replace', path: '/data/a', value: 'eA=='}]"}}],
    }});
    let (status, answer) = cluster.request(
        "POST",
        &format!("{path}/mutatingadmissionpolicies"),
        Some(&policy),
    );
    if status == 404 && tools::is_oldest() {
        eprintln!("left out: this API server does not know MutatingAdmissionPolicy");
        return;
    }
    assert_eq!(status, 201, "{answer}");
    let binding = json!({"metadata": {"name": format!("{namespace}-mutation")}, "spec": {"policyName": format!("{namespace}-mutation")}});
    cluster.create(&format!("{path}/mutatingadmissionpolicybindings"), &binding);
    let probe =
        format!("/api/v1/namespaces/{namespace}/secrets/probe?fieldManager=probe&dryRun=All");
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe"}, "data": {"a": "eQ=="}});
    let mutated = poll(PATIENCE, || {
        let (_, answer) = cluster.request("PATCH", &probe, Some(&object));
        (answer["data"]["a"] == "eA==").then_some(())
    });
    assert!(mutated.is_some(), "the policy works");
    let outcome = job.create(&job.app(&[("a", "1"), ("b", "1")])).await;
    refused(
        outcome,
        Class::Refused,
        &[
            "stored something else than was sent, in data.a",
            "mutating webhook",
        ],
    );
}
