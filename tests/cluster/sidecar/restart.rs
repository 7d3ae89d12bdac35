//! A workload that is restarted by several sidecars at once.

use std::time::Duration;

use serde_json::json;

use super::{OTHER, RIGHTS, VALUE, identity, put};
use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::sidecar::{RunningSidecar, SOON};

#[test]
fn a_restart_writes_the_secrets_version_once_however_many_see_the_change() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    cluster.service_account(&namespace, "keeper");
    cluster.grant(
        &namespace,
        "keeper",
        &json!([
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app"], "verbs": ["get", "create", "patch"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["app"], "verbs": ["get", "patch"]},
        ]),
    );
    let labels = json!({"app": "app"});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app"}]}},
    }});
    cluster.create(
        &format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        &deployment,
    );
    let stored = || {
        cluster
            .find(&format!(
                "/apis/apps/v1/namespaces/{namespace}/deployments/app"
            ))
            .unwrap()
    };
    let mark = || {
        stored()["spec"]["template"]["metadata"]["annotations"]["keyferry/restarted-for"]
            .as_str()
            .map(str::to_owned)
    };

    let bao = OpenBao::start();
    put(&bao, VALUE);
    let identity = identity(&bao, RIGHTS, &json!({}));
    let config = format!(
        "name: restart\n{}sidecar: {{refresh: 1s, state: .}}\ndeliveries:\n- name: app\n  from: \
         [{{vault: kv/data/app}}]\n  to: [{{secret: {{name: app, namespace: \
         {namespace}}}}}]\n  onChange: [{{restart: {{deployment: {namespace}/app}}}}]\n",
        identity.vault
    );
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "keeper");
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let both = folders.each_ref().map(|folder| {
        let sidecar = RunningSidecar::start_with(folder.path(), &config, |run| {
            run.env("KUBECONFIG", &kubeconfig)
        });
        sidecar.ready();
        sidecar
    });
    assert_eq!(mark(), None, "a first delivery restarts nothing");
    put(&bao, OTHER);
    eventually("restarted", SOON, || mark().is_some());
    let secret = cluster.secret(&namespace, "app").unwrap();
    let version = format!(
        "{namespace}/app@{}.{}",
        secret["metadata"]["uid"].as_str().unwrap(),
        secret["metadata"]["resourceVersion"].as_str().unwrap()
    );
    assert_eq!(mark(), Some(version));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(stored()["metadata"]["generation"], 2, "one rollout");
    for sidecar in both {
        sidecar.end().expect(0).assert_no_canary(&[VALUE, OTHER]);
    }
}
