//! soft-yt: an application for each overlay, and a commit of a secret that arrives.

use serde_json::{Value, json};

use super::argo::Argo;
use super::repository::Repository;
use crate::support::cluster::kinds;
use crate::support::node::Node;
use crate::support::run::Run;
use crate::support::tools;

const OVERLAYS: [&str; 4] = ["onprem", "sber", "vk", "yc"];

#[test]
fn softyt_has_an_application_for_each_overlay_and_a_changed_secret_arrives() {
    let argo = Argo::shared();
    let node = argo.node;
    // What their clusters know besides.
    for file in [
        "monitoring.coreos.com_podmonitors.yaml",
        "300-clusterimagepolicy.yaml",
    ] {
        node.apply(&kinds::known(file).to_string());
    }
    for name in OVERLAYS {
        give_name(node, name);
    }
    let repository = Repository::of(
        "softyt",
        "https://git.example.com/soft-yt/deploy.git",
        &[
            "ghcr.io/soft-yt/app-base-go-react-backend:1.0.0",
            "ghcr.io/soft-yt/app-base-go-react-frontend:1.0.0",
        ],
    );
    let first = repository.commit();
    let key = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "sops-age", "namespace": "default"},
        "stringData": {"age.agekey": repository.read("keys/yc.key")},
    });
    node.apply(&key.to_string());
    node.apply(&repository.read("clusters/applicationset.yaml"));
    one_for_each_overlay(argo);
    argo.await_synced("cluster-yc", &first);
    argo.await_synced("webapp-yc", &first);
    let value = |key: &str| node.secret_value("default", "webapp-env", key).unwrap();
    assert!(value("DATABASE_URL").ends_with("@db.yc.example.com:5432/webapp"));
    argo.assert_at_rest(&["webapp-yc"], "default", "webapp-env");

    // As the README says it.
    let file = "deploy/kustomize/apps/webapp/overlays/yc/env.enc.yaml";
    Run::of(tools::sops())
        .dir(repository.path())
        .env("HOME", "/nonexistent")
        .env("SOPS_AGE_KEY_FILE", "keys/yc.key")
        .args(["set", file, r#"["stringData"]["SESSION_KEY"]"#])
        .args([r#""new value""#])
        .run()
        .expect(0);
    let second = repository.commit();
    argo.refresh("webapp-yc");
    argo.await_synced("webapp-yc", &second);
    assert_eq!(value("SESSION_KEY"), "new value");
    argo.await_that("new pods have it", || {
        let webapp = node.find("default", "deployment", "webapp")?;
        let annotations = &webapp["spec"]["template"]["metadata"]["annotations"];
        annotations["keyferry/restarted-for"].as_str().map(drop)
    });
    argo.await_synced("webapp-yc", &second);
    argo.assert_at_rest(&["webapp-yc"], "default", "webapp-env");
}

/// Argo CD knows a cluster by this name. `yc` is the node; nobody answers for the others.
fn give_name(node: &Node, name: &str) {
    let known = node.get(&["config", "view", "--raw", "--flatten", "-o", "json"]);
    let (cluster, user) = (&known["clusters"][0]["cluster"], &known["users"][0]["user"]);
    let config = json!({"tlsClientConfig": {
        "caData": cluster["certificate-authority-data"],
        "certData": user["client-certificate-data"],
        "keyData": user["client-key-data"],
    }});
    let server = match name {
        "yc" => cluster["server"].as_str().unwrap().to_owned(),
        _ => format!("https://{name}.invalid"),
    };
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": format!("cluster-{name}"), "namespace": "argocd",
            "labels": {"argocd.argoproj.io/secret-type": "cluster"},
        },
        "stringData": {"name": name, "server": server, "config": config.to_string()},
    });
    node.apply(&secret.to_string());
}

fn one_for_each_overlay(argo: &Argo) {
    let wanted = |set: &str, folder: &str| {
        OVERLAYS.map(|name| {
            let path = format!("{folder}/{name}");
            (format!("{set}-{name}"), path, name.to_owned())
        })
    };
    let webapp = wanted("webapp", "deploy/kustomize/apps/webapp/overlays");
    let wanted = [wanted("cluster", "clusters"), webapp].concat();
    argo.await_that("an application for each overlay", || {
        let list = argo
            .node
            .get(&["-n", "argocd", "get", "applications", "-o", "json"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = list["items"].as_array().unwrap().iter().map(|application| {
            let spec = &application["spec"];
            let name = text(&application["metadata"]["name"]);
            let path = text(&spec["source"]["path"]);
            (name, path, text(&spec["destination"]["name"]))
        });
        let mut all: Vec<_> = all.filter(|(_, _, cluster)| !cluster.is_empty()).collect();
        all.sort();
        (all == wanted).then_some(())
    });
}
