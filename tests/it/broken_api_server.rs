//! Answers of something that stands between us and an API server, and of one that goes away.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::process::{Scratch, eventually};
use crate::support::run::keyferry;
use crate::support::sidecar::{RunningSidecar, SOON};
use crate::support::stub::{Reply, Request, Stub};

const VALUE: &str = "c4nary-of-a-cluster";

/// A folder with a kubeconfig for this address.
fn desk(api: &Stub) -> Scratch {
    let desk = Scratch::new("api-server");
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "clusters": [{"name": "c", "cluster": {"server": api.url()}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    });
    desk.write("kubeconfig", text.to_string());
    desk
}

/// The Secret `db`, alone and in a list; each watch ends at once, without any event.
fn answer(request: &Request) -> Reply {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "db", "namespace": "n", "uid": "u", "resourceVersion": "7"},
        "data": {"password": STANDARD.encode(VALUE)},
    });
    let path = request.path.as_str();
    match path {
        _ if path.contains("watch=") => Reply::text(200, "application/json", ""),
        _ if path.contains("/secrets/db") => Reply::json(200, &secret),
        _ => Reply::json(
            200,
            &json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": {"resourceVersion": "7"}, "items": [{"metadata": secret["metadata"]}],
            }),
        ),
    }
}

const CONFIG: &str = "sidecar: {refresh: 1s}\ndeliveries:\n- {name: gone, onMissing: delete, from: \
                      [{secret: {name: db}}], to: [{file: {path: gone.env}}]}\n- {name: less, \
                      fields: {FIXED: x}, from: [{secret: {name: db}, optional: true}], to: \
                      [{file: {path: less.env}}]}\n";

#[test]
fn row_209_a_404_that_is_not_of_an_api_server_is_no_absence() {
    let broken = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&broken);
    let api = Stub::start(move |request| match seen.load(Ordering::SeqCst) {
        true => Reply::text(404, "text/html", "default backend - 404"),
        false => answer(request),
    });
    let desk = desk(&api);
    let kubeconfig = desk.path().join("kubeconfig");
    let sidecar = RunningSidecar::start_with(desk.path(), CONFIG, |run| {
        run.env("KUBECONFIG", &kubeconfig)
    });
    sidecar.ready();
    broken.store(true, Ordering::SeqCst);
    let words = "not an answer of a Kubernetes API server";
    eventually("both are told", SOON, || {
        sidecar.reasons().matches(words).count() == 2
    });
    let job = keyferry()
        .dir(desk.path())
        .env("KUBECONFIG", &kubeconfig)
        .args(["job", "--deadline", "1s"]);
    let job = job.run().expect(7);
    assert!(job.stderr.contains(words), "{}", job.stderr);
    for file in ["gone.env", "less.env"] {
        let text = fs::read_to_string(desk.path().join(file)).expect("it stays");
        assert!(text.contains(VALUE), "{file}");
    }
    sidecar.end().expect(0).assert_no_canary(&[VALUE]);
}

#[test]
fn row_210_a_watch_that_ends_at_once_is_not_opened_again_at_once() {
    let api = Stub::start(answer);
    let desk = desk(&api);
    let kubeconfig = desk.path().join("kubeconfig");
    let sidecar = RunningSidecar::start_with(desk.path(), CONFIG, |run| {
        run.env("KUBECONFIG", &kubeconfig)
    });
    sidecar.ready();
    let watches = || {
        let seen = api.seen().into_iter();
        seen.filter(|request| request.path.contains("watch="))
            .count()
    };
    eventually("it watches again", SOON, || watches() >= 3);
    let before = watches();
    std::thread::sleep(Duration::from_secs(2));
    let more = watches() - before;
    assert!(more <= 10, "{more} watches in two seconds");
    sidecar.end().expect(0);
}
