//! An API server in trouble, and what stands between it and us: policies, webhooks, namespaces on their way out.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyferry::artifact::SecretArtifact;
use keyferry::report::Class;
use serde_json::json;

use super::{Job, PATIENCE, pairs, refused};
use crate::support::cluster::Cluster;
use crate::support::process::{Scratch, eventually, poll};

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

/// A server that gives each connection the next answer, and the last one for ever. An empty answer is a reset connection.
struct Stub {
    kubeconfig: Scratch,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Stub {
    fn with(answers: &[&str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen): (Vec<String>, _) = (
            answers.iter().map(|&a| a.to_owned()).collect(),
            Arc::clone(&asked),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let number = {
                    let mut seen = seen.lock().expect("no panic before");
                    seen.push(Instant::now());
                    seen.len() - 1
                };
                let answer = answers
                    .get(number)
                    .or(answers.last())
                    .expect("one answer at least");
                if answer.is_empty() {
                    // Ended with unread bytes: the kernel sends a reset.
                    stream.peek(&mut [0]).expect("a request");
                    continue;
                }
                let mut request = [0; 64 << 10];
                let size = stream.read(&mut request).expect("a request");
                assert!(size > 0, "a request is not empty");
                stream
                    .write_all(answer.as_bytes())
                    .expect("the answer is sent");
            }
        });
        let kubeconfig = Scratch::new("stub");
        kubeconfig.write(
            "kubeconfig",
            format!("current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n"),
        );
        Self { kubeconfig, asked }
    }

    async fn job(&self, patience: Duration) -> Job {
        let kubeconfig = self.kubeconfig.path().join("kubeconfig");
        Job {
            namespace: "stub".to_owned(),
            world: super::world(kubeconfig, patience).await,
        }
    }

    fn asked(&self) -> Vec<Instant> {
        self.asked.lock().expect("no panic before").clone()
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

const STORED: &str = r#"{"metadata":{"uid":"u","resourceVersion":"2","labels":{"app.kubernetes.io/managed-by":"keyferry"}},"type":"Opaque"}"#;

#[tokio::test]
async fn row_71_what_passes_is_tried_again_and_retry_after_is_honoured() {
    let good = answer("200 OK", "", STORED);
    let details =
        r#"{"message":"etcdserver: request timed out","details":{"retryAfterSeconds":1}}"#;
    let rows = [
        (
            "429 flow control",
            answer(
                "429 Too Many Requests",
                "Retry-After: 1\r\n",
                "Too many requests",
            ),
            1000,
        ),
        ("500", answer("500 Internal Server Error", "", "{}"), 0),
        (
            "500 with a wait in its body",
            answer("500 Internal Server Error", "", details),
            1000,
        ),
        ("503", answer("503 Service Unavailable", "", "<html>"), 0),
        ("504", answer("504 Gateway Timeout", "", "{}"), 0),
        ("reset", String::new(), 0),
        (
            "cut short",
            "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{".to_owned(),
            0,
        ),
    ];
    for (name, bad, wait) in rows {
        let stub = Stub::with(&[&bad, &good]);
        let job = stub.job(PATIENCE).await;
        job.create(&job.app(&[]))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let asked = stub.asked();
        assert_eq!(asked.len(), 2, "{name}: one more request, no storm");
        let waited = asked[1] - asked[0];
        assert!(
            waited >= Duration::from_millis(wait),
            "{name}: waited {waited:?}"
        );
    }
}

#[tokio::test]
async fn row_71_trouble_that_lasts_ends_at_the_deadline_with_its_cause() {
    let long = answer("429 Too Many Requests", "Retry-After: 1000000\r\n", "");
    let rows = [
        (answer("503 Service Unavailable", "", "{}"), "answered 503"),
        (long, "answered 429"),
        (String::new(), "cannot be reached"),
    ];
    for (bad, said) in rows {
        let stub = Stub::with(&[&bad]);
        let patience = Duration::from_millis(1500);
        let job = stub.job(patience).await;
        let start = Instant::now();
        let outcome = job.create(&job.app(&[("a", "1")])).await;
        refused(
            outcome,
            Class::Unavailable,
            &["patch secret stub/app", said, "--deadline"],
        );
        assert!(
            start.elapsed() < patience + Duration::from_secs(1),
            "{said}"
        );
        assert!(
            stub.asked().len() < 30,
            "{said}: {} requests",
            stub.asked().len()
        );
    }
}

#[tokio::test]
async fn row_71_what_does_not_answer_or_is_no_api_server_is_unavailable() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = silent.local_addr().expect("bound").port();
    let stub = Stub::with(&[&answer("200 OK", "", "<html>hello</html>")]);
    let kubeconfig = stub.kubeconfig.path().join("kubeconfig");
    let text = std::fs::read_to_string(&kubeconfig).expect("written");
    let start = text.find("127.0.0.1:").expect("an address") + "127.0.0.1:".len();
    let end = start + text[start..].find('\'').expect("its end");
    let hanging = stub.kubeconfig.write(
        "silent",
        format!("{}{port}{}", &text[..start], &text[end..]),
    );
    let job = Job {
        namespace: "stub".to_owned(),
        world: super::world(hanging, Duration::from_secs(1)).await,
    };
    let app = job.app(&[("a", "1")]);
    let begin = Instant::now();
    refused(
        job.create(&app).await,
        Class::Unavailable,
        &["no answer within"],
    );
    assert!(begin.elapsed() < Duration::from_secs(3));

    let job = stub.job(PATIENCE).await;
    refused(
        job.create(&app).await,
        Class::Unavailable,
        &["not an answer of a Kubernetes API server"],
    );
    let redirect = Stub::with(&[&answer(
        "307 Temporary Redirect",
        "Location: https://192.0.2.1/\r\n",
        "",
    )]);
    let job = redirect.job(PATIENCE).await;
    refused(
        job.create(&app).await,
        Class::Unavailable,
        &["redirect refused (307)"],
    );
    assert_eq!(redirect.asked().len(), 1);
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

/// A policy that quotes the value it denies, and a webhook that leads nowhere; each for one name in one namespace.
fn lay_obstacles(namespace: &str) {
    let cluster = Cluster::shared();
    let only = |name: &str| json!([{"name": "only", "expression": format!("object.metadata.namespace == '{namespace}' && object.metadata.name == '{name}'")}]);
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}]);
    let path = "/apis/admissionregistration.k8s.io/v1";
    let policy = json!({"metadata": {"name": format!("{namespace}-policy")}, "spec": {
        "failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "matchConditions": only("policed"),
        "validations": [{"expression": "false", "messageExpression": "'not this one: ' + string(object.data.a)"}],
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
        "matchConditions": [{"name": "only", "expression": format!("object.metadata.namespace == '{namespace}'")}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'replace', path: '/data/a', value: 'eA=='}]"}}],
    }});
    let (status, answer) = cluster.request(
        "POST",
        &format!("{path}/mutatingadmissionpolicies"),
        Some(&policy),
    );
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
