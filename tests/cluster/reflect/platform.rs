//! The GitOps platform's own names: a Secret that its owner annotated reaches cert-manager, and a
//! database's address its tenants.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::estate::annotations;
use super::{CANARY, held};
use crate::support::cluster::Cluster;
use crate::support::process::eventually;
use crate::support::process::free_ports;
use crate::support::run::keyferry;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn the_platforms_secrets_reach_cert_manager_and_the_tenants() {
    let cluster = Cluster::start_own();
    for name in ["platform", "cert-manager", "chat-db", "other"] {
        cluster.named_namespace(name, &json!({}));
    }
    cluster.named_namespace("chat", &json!({"chat": "tenant"}));
    let notes = "reflection-allowed=true;reflection-allowed-namespaces=cert-manager;reflection-auto-enabled=true;reflection-auto-namespaces=cert-manager";
    let dns = json!({
        "metadata": {"name": "dns-provider", "annotations": annotations(notes)},
        "stringData": {"api-token": format!("{CANARY}t")},
    });
    cluster.create("/api/v1/namespaces/platform/secrets", &dns);
    let cnpg = json!({
        "metadata": {"name": "chat-db-cnpg-app"}, "type": "kubernetes.io/basic-auth",
        "stringData": {
            "username": "chatapi", "user": "chatapi", "password": format!("{CANARY}p/w"), "host": "chat-db-cnpg-rw", "port": "5432", "dbname": "chat",
            "uri": "postgresql://elsewhere",
        },
    });
    cluster.create("/api/v1/namespaces/chat-db/secrets", &cnpg);
    let config = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/gitops-platform/reflector/keyferry.yaml");
    let [port] = free_ports();
    let running = keyferry()
        .args([
            "sidecar",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--config",
        ])
        .args([config])
        .env("KUBECONFIG", cluster.kubeconfig())
        .limit(LIMIT * 2)
        .start();
    let holds = |namespace: &str, name: &str, data: &str| {
        eventually(&format!("{namespace}/{name} holds {data}"), LIMIT, || {
            held(&cluster, namespace, name).as_deref() == Some(data)
        });
    };
    holds("cert-manager", "dns-provider", "api-token=t");
    let url = "DATABASE_URL=postgresql://chatapi:p%2Fw@chat-db-cnpg-rw.chat-db.svc:5432/chat";
    holds("chat", "chat-database", url);
    for (namespace, name) in [
        ("other", "dns-provider"),
        ("other", "chat-database"),
        ("chat", "dns-provider"),
    ] {
        assert_eq!(held(&cluster, namespace, name), None);
    }
    // A tenant that comes later, and a password that is rotated: long before the next look at all
    // sources.
    cluster.named_namespace("chat-two", &json!({"chat": "tenant"}));
    holds("chat-two", "chat-database", url);
    let rotated = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chat-db-cnpg-app"}, "stringData": {"password": "new"}});
    let path = "/api/v1/namespaces/chat-db/secrets/chat-db-cnpg-app?fieldManager=cnpg&force=true";
    assert_eq!(cluster.request("PATCH", path, Some(&rotated)).0, 200);
    holds("chat-two", "chat-database", &url.replace("p%2Fw", "new"));
    running.signal(rustix::process::Signal::TERM);
    running.finish().expect(0).assert_no_canary(&[CANARY]);
}
