//! The GitOps platform: wave 5 waits for the Job of wave 3.

use std::time::Duration;

use serde_json::json;

use super::argo::Argo;
use super::repository::Repository;
use crate::support::cluster::kinds;
use crate::support::node::Node;

/// Where the charts of wave 1 are in this repository. A chart needs a registry of charts: of the
/// operators that they bring only the kinds are here, and the test does their work.
const OPERATORS: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: operators
  namespace: argocd
  annotations:
    argocd.argoproj.io/sync-wave: "1"
spec:
  project: default
  source:
    repoURL: https://git.example.com/platform/gitops.git
    targetRevision: main
    path: operators
  destination:
    server: https://kubernetes.default.svc
    namespace: default
  syncPolicy:
    automated: {prune: true, selfHeal: true}
    syncOptions: [ServerSideApply=true]
"#;

#[test]
fn wave_5_waits_for_the_secrets_of_wave_3() {
    let argo = Argo::shared();
    let node = argo.node;
    let address = "https://git.example.com/platform/gitops.git";
    let repository = Repository::of(
        "gitops-platform",
        address,
        &["registry.example.com/platform/chat-api:1.0.0"],
    );
    let url = repository.url();
    let operators = OPERATORS.replace(address, &url);
    repository.write("clusters/base/1-operators.yaml", &operators);
    let issuers = kinds::known("cert-manager.io_clusterissuers.yaml");
    repository.write("operators/cert-manager.yaml", &issuers.to_string());
    let databases = kinds::any("postgresql.cnpg.io", "v1", "Cluster");
    repository.write("operators/cloudnative-pg.yaml", &databases.to_string());
    let commit = repository.commit();
    node.apply(&repository.read("clusters/dev/root.yaml"));

    issuer(argo);
    // The sealing key is not there yet.
    argo.await_failed_hook("secrets");
    argo.await_that("the tree says why", || {
        let tree = argo.tree("secrets");
        tree.contains("no secret in namespace kube-system")
            .then_some(())
    });
    database(argo);
    ingress(argo);
    for name in ["config", "databases", "reflector"] {
        argo.await_synced(name, &commit);
    }
    let waits = || {
        assert_eq!(argo.application("chat-api"), None);
        let platform = argo.application("platform").unwrap();
        let operation = &platform["status"]["operationState"];
        assert_eq!(operation["phase"], "Running", "{operation}");
        let message = operation["message"].as_str().unwrap();
        assert!(
            message.contains("argoproj.io/Application/secrets"),
            "{message}"
        );
    };
    argo.await_that("only the Secrets are missing", || {
        let platform = argo.application("platform")?;
        let message = &platform["status"]["operationState"]["message"];
        let message = message.as_str()?;
        message
            .ends_with("argoproj.io/Application/secrets")
            .then_some(())
    });
    for _ in 0..5 {
        waits();
        std::thread::sleep(Duration::from_secs(1));
    }
    sealing_key(node, &repository);
    argo.await_that("wave 5 begins", || argo.application("chat-api"));
    for (namespace, name) in [("chat", "chat-api"), ("platform", "dns-provider")] {
        assert!(node.find(namespace, "secret", name).is_some(), "{name}");
    }
    argo.await_synced("secrets", &commit);
    argo.await_synced("chat-api", &commit);
    argo.await_synced("platform", &commit);
    argo.assert_at_rest(&["secrets", "chat-api", "platform"], "chat", "chat-api");
}

/// As the README gives it.
fn sealing_key(node: &Node, repository: &Repository) {
    let [certificate, key] =
        ["crt", "key"].map(|ending| repository.path().join("keys").join(format!("dev.{ending}")));
    let create = [
        "-n",
        "kube-system",
        "create",
        "secret",
        "tls",
        "demo-sealing",
    ];
    let [certificate, key] = [("cert", certificate), ("key", key)]
        .map(|(name, file)| format!("--{name}={}", file.display()));
    node.kubectl(&[&create[..], &[&certificate, &key]].concat());
    node.kubectl(&[
        "-n",
        "kube-system",
        "label",
        "secret",
        "demo-sealing",
        "sealedsecrets.bitnami.com/sealed-secrets-key=active",
    ]);
}

/// As cert-manager does.
fn issuer(argo: &Argo) {
    let ready = json!({"status": {"conditions": [
        {"type": "Ready", "status": "True", "reason": "ACMEAccountRegistered", "message": ""},
    ]}});
    said(
        argo,
        "cert-manager",
        "clusterissuer/letsencrypt",
        &ready,
        true,
    );
}

/// As CloudNativePG does.
fn database(argo: &Argo) {
    argo.node.apply(
        &json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
            "metadata": {"name": "chat-db-cnpg-app", "namespace": "chat-db"},
            "stringData": {
                "username": "chatapi", "user": "chatapi", "password": "p@ss/1", "dbname": "chat",
                "host": "chat-db-cnpg-rw", "port": "5432",
            },
        })
        .to_string(),
    );
    let healthy = json!({"status": {"phase": "Cluster in healthy state", "conditions": []}});
    let cluster = "clusters.postgresql.cnpg.io/chat-db-cnpg";
    said(argo, "chat-db", cluster, &healthy, false);
}

/// As an ingress controller does.
fn ingress(argo: &Argo) {
    let ready = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    said(argo, "chat", "ingress/chat-api", &ready, true);
}

/// Says of an object what its operator would, once it is there.
fn said(argo: &Argo, namespace: &str, object: &str, status: &serde_json::Value, sub: bool) {
    let patch = status.to_string();
    let mut args = vec![
        "-n",
        namespace,
        "patch",
        object,
        "--type=merge",
        "-p",
        &patch,
    ];
    if sub {
        args.push("--subresource=status");
    }
    argo.await_that(&format!("{object} is there"), || {
        (argo.node.try_kubectl(&args, "").code == 0).then_some(())
    });
}
