//! archpad: the pull secret is there before what needs it, Argo CD leaves it alone, and a failing
//! Job fails the sync and says why.

use serde_json::{Value, json};

use super::argo::Argo;
use super::repository::Repository;
use crate::support::archpad::{PASSWORD, allow_role_job, fill};

const BACKEND: &str = "infra/timeweb/10-gitops/apps/backend";
const SYNC: &str = "registry-secret-sync";
const SECRET: &str = "archpad-registry-secret";
const SERVICES: [&str; 3] = ["arch-repo-service", "tenant-service", "hasura-sync-service"];

#[test]
fn archpads_pull_secret_comes_first_and_stays() {
    let argo = Argo::shared();
    argo.node.namespace("platform");
    let bao = &argo.node.bao;
    allow_role_job(bao);
    fill(bao);
    bao.delete("kv/metadata/container-register");
    let images = SERVICES.map(|name| format!("registry.timeweb.cloud/archpad/{name}:1.0.0"));
    let repository = Repository::of(
        "archpad",
        "https://git.example.com/archpad/infra.git",
        &images.each_ref().map(String::as_str),
    );
    // Its program ends, as that of a service does not.
    let job = format!("{BACKEND}/hasura-sync-service/hasura-sync-service.job.yaml");
    repository.replace(&job, "exec node", "exec echo");
    let commit = repository.commit();
    argo.node
        .apply(&repository.read("infra/timeweb/10-gitops/backend.app.yaml"));

    // Vault has no registry yet.
    argo.await_failed_hook(SYNC);
    says_why(argo);
    let there = |kind: &str, name: &str| argo.node.find("platform", kind, name);
    let absent = || {
        assert_eq!(there("configmap", "keyferry-tracked"), None);
        assert_eq!(there("secret", SECRET), None);
        for name in SERVICES {
            assert_eq!(argo.application(name), None);
        }
    };
    absent();
    put(argo, PASSWORD);
    argo.await_synced(SYNC, &commit);
    let secret = there("secret", SECRET).unwrap();
    let resources = ["keyferry-tracked"].map(|name| there("configmap", name).unwrap());
    for later in &resources {
        assert!(made(&secret) <= made(later), "{later}");
    }
    for name in SERVICES {
        argo.await_synced(name, &commit);
    }
    for kind in ["deployment", "job"] {
        let all = argo
            .node
            .get(&["-n", "platform", "get", kind, "-o", "json"]);
        let uses = |one: &&Value| {
            let pulls = &one["spec"]["template"]["spec"]["imagePullSecrets"][0]["name"];
            pulls == SECRET
        };
        let users: Vec<&Value> = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(uses)
            .collect();
        assert!(!users.is_empty(), "{kind}");
        for later in users {
            assert!(made(&secret) <= made(later), "{later}");
        }
    }

    let applications = [&SERVICES[..], &["backend", "hasura-vault-role", SYNC]].concat();
    argo.assert_at_rest(&applications, "platform", SECRET);
    an_edit_is_synced_and_prunes_nothing(argo, &repository);
    a_rotation_is_delivered_and_not_reverted(argo);
    a_failing_job_fails_the_sync_and_says_why(argo);
}

fn made(object: &Value) -> &str {
    object["metadata"]["creationTimestamp"].as_str().unwrap()
}

fn put(argo: &Argo, password: &str) {
    let data = json!({"server": "cr.example.com", "username": "robot", "password": password});
    argo.node.bao.put("container-register", &data);
}

fn delivered(argo: &Argo) -> String {
    let value = argo
        .node
        .secret_value("platform", SECRET, ".dockerconfigjson");
    let value: Value = serde_json::from_str(&value.unwrap()).unwrap();
    let password = value["auths"]["cr.example.com"]["password"].as_str();
    password.unwrap().to_owned()
}

fn says_why(argo: &Argo) {
    argo.await_that("the tree says why", || {
        let tree = argo.tree(SYNC);
        let why = tree.contains("missing: ") && tree.contains("kv/data/container-register");
        why.then_some(())
    });
}

fn an_edit_is_synced_and_prunes_nothing(argo: &Argo, repository: &Repository) {
    let uid = || {
        let secret = argo.node.find("platform", "secret", SECRET).unwrap();
        secret["metadata"]["uid"].clone()
    };
    let before = uid();
    let config = format!("{BACKEND}/registry-secret-sync/keyferry.yaml");
    repository.replace(&config, "deliveries:", "# An edit.\ndeliveries:");
    let commit = repository.commit();
    argo.refresh(SYNC);
    argo.await_synced(SYNC, &commit);
    assert_eq!(uid(), before);
    assert_eq!(delivered(argo), PASSWORD);
}

fn a_rotation_is_delivered_and_not_reverted(argo: &Argo) {
    put(argo, "rotated");
    argo.command(&["app", "sync", SYNC]).expect(0);
    assert_eq!(delivered(argo), "rotated");
    argo.assert_at_rest(&[SYNC], "platform", SECRET);
    assert_eq!(delivered(argo), "rotated");
}

fn a_failing_job_fails_the_sync_and_says_why(argo: &Argo) {
    argo.node.bao.delete("kv/metadata/container-register");
    let sync = argo.command(&["app", "sync", SYNC]);
    assert_ne!(sync.code, 0, "{sync:?}");
    let application = argo.application(SYNC).unwrap();
    let operation = &application["status"]["operationState"];
    assert_eq!(operation["phase"], "Failed", "{operation}");
    says_why(argo);
    assert_eq!(delivered(argo), "rotated");
}
