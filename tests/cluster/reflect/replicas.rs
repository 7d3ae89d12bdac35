//! What `deploy/reflector` holds, as processes with its own rights: two replicas, one of which
//! works.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::estate::{Estate, GIVES};
use crate::support::cluster::Cluster;
use crate::support::http::Client;
use crate::support::kustomize::rendered;
use crate::support::process::{Scratch, eventually, free_ports};
use crate::support::run::{Started, keyferry};

const LIMIT: Duration = Duration::from_secs(40);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/reflector")
}

/// The kit's own rights and configuration, in a cluster of one's own because the manifests name
/// their namespace.
struct Kit {
    cluster: &'static Cluster,
    scratch: Scratch,
}

impl Kit {
    fn new() -> Self {
        let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start_own()));
        let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        cluster.named_namespace("keyferry", &restricted);
        cluster.apply_yaml("keyferry", &rendered(&folder()).0);
        let scratch = Scratch::new("replicas");
        let config = std::fs::read(folder().join("keyferry.yaml")).expect("the configuration");
        scratch.write("keyferry.yaml", &config);
        Self { cluster, scratch }
    }

    fn replica(&self, port: u16) -> Started {
        let account = self
            .cluster
            .service_account_kubeconfig("keyferry", "keyferry-reflector");
        keyferry()
            .args([
                "sidecar",
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--config",
            ])
            .args([self.scratch.path().join("keyferry.yaml")])
            .env("KUBECONFIG", account)
            .limit(Duration::from_secs(180))
            .start()
    }

    fn holder(&self) -> String {
        let path = "/apis/coordination.k8s.io/v1/namespaces/keyferry/leases/keyferry-reflector";
        let lease = self.cluster.find(path).unwrap_or_default();
        lease["spec"]["holderIdentity"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Secrets written by the reflector's account, by place.
    fn written(&self) -> Vec<String> {
        let lines = self.cluster.audit_lines().into_iter();
        let account = "system:serviceaccount:keyferry:keyferry-reflector";
        lines
            .filter(|line| line["user"]["username"] == account)
            .filter(|line| line["objectRef"]["resource"] == "secrets" && line["verb"] == "patch")
            // The key of the marks is made once, and is no copy.
            .filter(|line| line["objectRef"]["name"] != "keyferry-marks")
            .map(|line| {
                format!(
                    "{}/{}",
                    line["objectRef"]["namespace"], line["objectRef"]["name"]
                )
            })
            .collect()
    }
}

fn ask(port: u16, path: &str) -> (u16, String) {
    match Client::plain(port).call("GET", path, "", b"") {
        Ok(answer) => (
            answer.status,
            String::from_utf8_lossy(&answer.body).into_owned(),
        ),
        Err(_) => (0, String::new()),
    }
}

#[test]
fn the_pod_of_the_kit_is_accepted_under_restricted_pod_security() {
    let kit = Kit::new();
    let (_, objects) = rendered(&folder());
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment");
    let deployment = deployment.expect("a Deployment");
    let template = &deployment["spec"]["template"];
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
        "metadata": {"name": "pod", "labels": template["metadata"]["labels"]},
    });
    let path = "/api/v1/namespaces/keyferry/pods?fieldValidation=Strict";
    let (status, answer) = kit.cluster.request("POST", path, Some(&pod));
    assert_eq!(status, 201, "{answer}");
}

#[test]
fn row_79_a_paused_leader_writes_nothing_after_another_took_over() {
    let kit = Kit::new();
    let estate = Estate::on(kit.cluster, "a b c");
    let [first, second] = free_ports::<2>();
    let one = kit.replica(first);
    eventually("the first one works", LIMIT, || {
        ask(first, "/readyz").1.contains("reflector: ok, ")
    });
    let other = kit.replica(second);
    eventually("the second one waits", LIMIT, || {
        ask(second, "/readyz").1.contains("another replica works")
    });
    let names = format!("{0}-b,{0}-c", estate.prefix);
    let gives = format!("{GIVES};reflection-auto-namespaces={names}");
    estate.put("a/x", &gives, "k=1");
    eventually("it is copied", LIMIT, || {
        estate.held("c/x").is_some() && estate.held("b/x").is_some()
    });
    let leader = kit.holder();
    one.signal(Signal::STOP);
    eventually("the second one took over", LIMIT, || {
        kit.holder() != leader && !kit.holder().is_empty()
    });
    eventually("and has listed all", LIMIT, || {
        ask(second, "/readyz").1.contains("reflector: ok, 2 of 2")
    });
    assert_eq!(
        kit.written().len(),
        2,
        "a change of the leader writes nothing again"
    );
    estate.put("a/x", &gives, "k=2");
    eventually("it is written by the second", LIMIT, || {
        estate.held("c/x").as_deref() == Some("k=2")
    });
    let now = kit.holder();
    one.signal(Signal::CONT);
    eventually("the first one knows that it lost", LIMIT, || {
        ask(first, "/readyz").1.contains("another replica works")
    });
    estate.put("a/x", &gives, "k=3");
    eventually("it is written once", LIMIT, || {
        estate.held("c/x").as_deref() == Some("k=3")
    });
    assert_eq!(kit.holder(), now);
    assert_eq!(kit.written().len(), 6, "{:?}", kit.written());
    let metrics = ask(second, "/metrics").1;
    assert!(
        metrics.contains("keyferry_reflector_leader 1\n"),
        "{metrics}"
    );
    // One that ends gives the Lease back, so the other need not wait for it to run out.
    other.signal(Signal::TERM);
    other.finish().expect(0);
    eventually("the first one works again", Duration::from_secs(8), || {
        ask(first, "/readyz").1.contains("reflector: ok, 2 of 2")
    });
    one.signal(Signal::TERM);
    one.finish().expect(0);
}
