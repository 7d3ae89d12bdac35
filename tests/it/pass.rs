//! One pass as a whole: what is broken holds up nothing else, and a signal leaves nothing in
//! halves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::process::{Scratch, eventually};
use crate::support::run::{Run, keyferry};
use crate::support::session::secret_file;
use crate::support::stub::{Reply, Request, Stub};

const SOON: Duration = Duration::from_secs(10);

/// What the age file of these tests holds.
const CONTENT: &str = "canary-value-7";

/// A folder with an age file and its key, a token, a kubeconfig for this address, and these
/// deliveries.
fn desk(vault: &str, api: &str, deliveries: &str) -> Scratch {
    let desk = Scratch::new("pass");
    for (name, bytes) in [
        (
            "x.age",
            &include_bytes!("../vectors/age/made/x25519.age")[..],
        ),
        (
            "x.key",
            &include_bytes!("../vectors/age/made/x25519.key")[..],
        ),
    ] {
        desk.write(name, bytes);
    }
    secret_file(desk.path(), "token", "s.c4naryToken");
    desk.write("kubeconfig", format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u, namespace: n}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{api}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n"
    ));
    desk.write(
        "keyferry.yaml",
        format!(
            "name: pass\nvault: {{address: '{vault}', auth: {{token: {{file: token}}}}}}\nkeys: \
         {{age: [{{file: x.key}}]}}\ndeliveries:\n{deliveries}"
        ),
    );
    desk
}

fn run(desk: &Scratch, arguments: &[&str]) -> Run {
    keyferry()
        .dir(desk.path())
        .env("KUBECONFIG", desk.path().join("kubeconfig"))
        .args(arguments)
}

const HUNG: &str = "- {name: hung, from: [{vault: kv/data/a}], to: [{file: {path: hung.env}}]}\n";
const FILE: &str = "- {name: file, from: [{age: x.age}], to: [{file: {path: out, format: raw}}]}\n";
const SECRET: &str = "- {name: secret, from: [{age: x.age}], to: [{secret: {name: app}}]}\n";

fn status(code: u16, reason: &str) -> Reply {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": reason});
    Reply::json(code, &body)
}

/// A Secret as a server would store what was applied to it.
fn stored(applied: &[u8], uid: &str) -> Value {
    let mut object: Value = serde_json::from_slice(applied).expect("a Secret");
    let keys = object["data"].as_object().expect("data").keys();
    let keys: serde_json::Map<String, Value> =
        keys.map(|key| (format!("f:{key}"), json!({}))).collect();
    object["metadata"]["uid"] = json!(uid);
    object["metadata"]["resourceVersion"] = json!("7");
    object["metadata"]["managedFields"] = json!([{
        "manager": "keyferry", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": keys, "f:type": {}, "f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}}},
    }]);
    object
}

/// An API server without Secrets that takes any.
fn empty_cluster() -> Stub {
    Stub::start(|request: &Request| match request.method.as_str() {
        "PATCH" => Reply::json(201, &stored(&request.body, "u1")),
        _ => status(404, "NotFound"),
    })
}

fn patches(api: &Stub) -> Vec<Request> {
    let seen = api.seen().into_iter();
    seen.filter(|request| request.method == "PATCH").collect()
}

#[test]
fn row_30_a_hung_source_holds_up_no_other_delivery() {
    let (vault, api) = (Stub::start(|_| Reply::Hang), empty_cluster());
    let desk = desk(&vault.url(), &api.url(), &[HUNG, FILE, SECRET].concat());
    let out = desk.path().join("out");
    let going = run(&desk, &["job", "--deadline", "60s"]).start();
    eventually("the healthy ones are delivered", SOON, || {
        out.exists() && !patches(&api).is_empty()
    });
    going.signal(Signal::TERM);
    let output = going.finish().expect(143);
    assert!(output.elapsed < SOON, "{output:?}");
    assert!(
        output.stderr.contains("created delivery=\"secret\""),
        "{}",
        output.stderr
    );
    assert!(
        output
            .stderr
            .contains("stopped by a signal before it was done"),
        "{}",
        output.stderr
    );
    assert!(!desk.path().join("hung.env").exists());
}

#[test]
fn row_30_what_is_left_to_a_hung_source_is_the_only_failure() {
    let (vault, api) = (Stub::start(|_| Reply::Hang), empty_cluster());
    let desk = desk(&vault.url(), &api.url(), &[SECRET, HUNG, FILE].concat());
    let output = run(&desk, &["job", "--deadline", "2s"]).run().expect(7);
    let last = output.last_line();
    assert!(
        last.starts_with("error: unavailable: hung:") && !last.contains("more"),
        "{last}"
    );
    let [patch] = patches(&api).try_into().expect("one write");
    let applied: Value = serde_json::from_slice(&patch.body).expect("JSON");
    let content = STANDARD
        .decode(applied["data"]["content"].as_str().unwrap())
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&content).trim(), CONTENT);
    let plan = run(&desk, &["plan", "--deadline", "2s"]).run().expect(7);
    let at = |name: &str| {
        plan.stdout
            .find(name)
            .unwrap_or_else(|| panic!("{name}: {}", plan.stdout))
    };
    assert!(
        at("secret n/app") < at("hung") && at("hung") < at("file "),
        "{}",
        plan.stdout
    );
}

/// An API server that holds one Secret and answers the first attempt to make it again as told.
fn cluster_that_stalls(first: impl Fn() -> Reply + Send + Sync + 'static) -> Stub {
    let old = json!({"apiVersion": "v1", "kind": "Secret", "type": "old", "data": {"content": STANDARD.encode("old")},
        "metadata": {"name": "app", "namespace": "n", "labels": {"app.kubernetes.io/managed-by": "keyferry"}}});
    let old = stored(old.to_string().as_bytes(), "u0");
    let (deleted, tries) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Stub::start(move |request| match request.method.as_str() {
        "GET" if deleted.load(Ordering::SeqCst) == 0 => Reply::json(200, &old),
        "GET" => status(404, "NotFound"),
        "DELETE" => {
            deleted.store(1, Ordering::SeqCst);
            Reply::json(200, &old)
        }
        "PATCH" if tries.fetch_add(1, Ordering::SeqCst) == 0 => first(),
        "PATCH" => Reply::json(201, &stored(&request.body, "u1")),
        _ => Reply::json(201, &json!({"status": {"allowed": true}})),
    })
}

const ANEW: &str =
    "- {name: secret, from: [{age: x.age}], to: [{secret: {name: app, recreate: true}}]}\n";

#[test]
fn row_68_a_signal_between_deletion_and_creation_puts_the_old_secret_back() {
    let api = cluster_that_stalls(|| Reply::Hang);
    let desk = desk("http://127.0.0.1:1", &api.url(), ANEW);
    let going = run(&desk, &["job", "--deadline", "60s"]).start();
    eventually("it is made again", SOON, || !patches(&api).is_empty());
    going.signal(Signal::TERM);
    let output = going.finish().expect(143);
    assert!(output.elapsed < SOON, "{output:?}");
    assert!(
        output.stderr.contains("it was put back as it was"),
        "{}",
        output.stderr
    );
    output.assert_no_canary(&[CONTENT]);
    let [new, back] = patches(&api).try_into().expect("two writes");
    let applied = |request: &Request| serde_json::from_slice::<Value>(&request.body).expect("JSON");
    assert_ne!(applied(&new)["data"], applied(&back)["data"]);
    assert_eq!(applied(&back)["data"]["content"], STANDARD.encode("old"));
    assert_eq!(applied(&back)["type"], "old");
}

#[test]
fn row_68_time_that_is_used_up_leaves_enough_to_put_the_old_secret_back() {
    let api = cluster_that_stalls(|| Reply::Hang);
    let desk = desk("http://127.0.0.1:1", &api.url(), ANEW);
    let output = run(&desk, &["job", "--deadline", "2s"]).run().expect(7);
    assert!(
        output.stderr.contains("it was put back as it was"),
        "{}",
        output.stderr
    );
}
