//! `recreate`, killed at each point between its calls: what stands then, and what the next pass
//! makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::Value;

use super::Site;
use crate::support::cluster::Cluster;
use crate::support::process::eventually;
use crate::support::run::keyferry;
use crate::support::sidecar::SOON;
use crate::support::stub::{Reply, Request, Stub};

/// Where the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    BeforeDeletion,
    AfterDeletion,
    BeforeCreation,
    AfterCreation,
}

/// An API server that hands everything on to the real one, up to a point; whether that was reached.
fn up_to(point: Point) -> (Stub, Arc<AtomicBool>) {
    let reached = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&reached);
    let stub = Stub::start(move |request| {
        let (before, after) = match request.method.as_str() {
            "DELETE" => (Point::BeforeDeletion, Point::AfterDeletion),
            "PATCH" => (Point::BeforeCreation, Point::AfterCreation),
            _ => return hand_on(request),
        };
        if point == before {
            told.store(true, Ordering::SeqCst);
            return Reply::Hang;
        }
        let answer = hand_on(request);
        if point == after {
            told.store(true, Ordering::SeqCst);
            return Reply::Hang;
        }
        answer
    });
    (stub, reached)
}

fn hand_on(request: &Request) -> Reply {
    let body: Option<Value> = serde_json::from_slice(&request.body).ok();
    let cluster = Cluster::shared();
    let (status, answer) = cluster.request(&request.method, &request.path, body.as_ref());
    Reply::json(status, &answer)
}

#[test]
fn row_111_a_recreation_that_is_killed_is_ended_by_the_next_pass() {
    for (point, stands) in [
        (Point::BeforeDeletion, Some("Opaque")),
        (Point::AfterDeletion, None),
        (Point::BeforeCreation, None),
        (Point::AfterCreation, Some("example.com/new")),
    ] {
        let site = Site::new();
        let old = site.configure("shop", "1", &site.target("db", ""));
        site.run(&["job"], &old).expect(0);
        let more = ", type: example.com/new, recreate: true";
        let config = site.configure("shop", "2", &site.target("db", more));

        let (api, reached) = up_to(point);
        let kubeconfig = site.folder.write(
            "kubeconfig",
            format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
                 clusters: [{{name: c, cluster: {{server: '{}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n",
                api.url()
            ),
        );
        let run = keyferry().args(["job", "--config"]).args([&config]);
        let going = run.env("KUBECONFIG", kubeconfig).start();
        eventually("it comes to the point", SOON, || {
            reached.load(Ordering::SeqCst)
        });
        going.signal(Signal::KILL);
        going.finish().expect(-9);
        let found = site.cluster.secret(&site.namespace, "db");
        let kind = found.as_ref().and_then(|secret| secret["type"].as_str());
        assert_eq!(kind, stands, "{point:?}");

        site.run(&["job"], &config).expect(0);
        let made = site.stored("db");
        assert_eq!(made["type"], "example.com/new", "{point:?}");
        assert_eq!(made["data"]["password"], "YzRuYXJ5T3duZWQy", "{point:?}");
        site.run(&["job"], &config).expect(0);
        assert_eq!(site.stored("db"), made, "{point:?}");
    }
}
