//! A new cluster from Git: what is not there is made, what a backup brought back is ours still, and
//! what somebody else made meanwhile is left alone.

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::process::Scratch;
use crate::support::run::{Output, keyferry};

/// Three Secrets in the namespace `shop`.
const GIT: &str = "name: shop\ndeliveries:\n\
    - {name: a, fields: {K: one}, to: [{secret: {name: a, namespace: shop}}]}\n\
    - {name: b, fields: {K: two}, to: [{secret: {name: b, namespace: shop}}]}\n\
    - {name: c, fields: {K: three}, to: [{secret: {name: c, namespace: shop}}]}\n";

fn pass(cluster: &Cluster, folder: &Scratch) -> Output {
    let file = folder.write("keyferry.yaml", GIT);
    let run = keyferry().args(["job", "--config"]).args([file]);
    run.env("KUBECONFIG", cluster.kubeconfig()).run()
}

/// As a backup has it: without what the server gives.
fn backup(secret: &Value) -> Value {
    let (metadata, data) = (&secret["metadata"], &secret["data"]);
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": secret["type"], "data": data,
        "metadata": {
            "name": metadata["name"], "labels": metadata["labels"],
            "annotations": metadata["annotations"],
        },
    })
}

#[test]
fn a_new_cluster_gets_all_that_git_describes_and_nothing_foreign_is_overwritten() {
    const SECRETS: &str = "/api/v1/namespaces/shop/secrets";
    let folder = Scratch::new("rebuilt");
    let old = Cluster::start_own();
    old.named_namespace("shop", &json!({}));
    pass(&old, &folder).expect(0);

    let new = Cluster::start_own();
    new.named_namespace("shop", &json!({}));
    let restored = new.create(SECRETS, &backup(&old.secret("shop", "b").unwrap()));
    let theirs = new.create(
        SECRETS,
        &json!({"metadata": {"name": "c"}, "stringData": {"K": "of somebody else"}}),
    );
    let output = pass(&new, &folder).expect(6);
    assert!(output.stderr.contains("shop/c"), "{}", output.stderr);
    let data =
        |cluster: &Cluster, name: &str| cluster.secret("shop", name).unwrap()["data"].clone();
    assert_eq!(
        data(&new, "a"),
        data(&old, "a"),
        "what is not there is made"
    );
    let ours = new.secret("shop", "b").unwrap();
    assert_eq!(ours["metadata"]["uid"], restored["metadata"]["uid"]);
    assert_eq!(
        ours["data"], restored["data"],
        "what a backup brought back is ours still"
    );
    assert_eq!(
        new.secret("shop", "c"),
        Some(theirs),
        "not a byte of it changed"
    );

    // Nothing is left to do but what a person decides.
    let all = || ["a", "b", "c"].map(|name| new.secret("shop", name));
    let before = all();
    pass(&new, &folder).expect(6);
    assert_eq!(all(), before);
}
