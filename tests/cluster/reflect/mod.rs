//! Copies in other namespaces, on a real API server: declared ones by `job`, and those by
//! annotation.

mod annotations;
mod audit;
mod brakes;
mod connections;
mod costs;
mod declared;
mod estate;
mod faults;
mod mittwald;
mod platform;
mod pruned;
mod replicas;
mod signatures;
mod status_page;
mod switch;
mod taken;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;

/// In every value of these tests, and in no message.
const CANARY: &str = "c4naryvalue";

/// Keys and decoded values of a Secret, without the canary: `a=1 b=2`; nothing when it is not
/// there.
fn held(cluster: &Cluster, namespace: &str, name: &str) -> Option<String> {
    let secret = cluster.secret(namespace, name)?;
    let keys = secret["data"].as_object().cloned().unwrap_or_default();
    let pairs = keys.iter().map(|(key, value)| {
        let value = STANDARD.decode(value.as_str().expect("text"));
        let value = String::from_utf8(value.expect("base64")).expect("text");
        format!("{key}={}", value.replace(CANARY, ""))
    });
    Some(pairs.collect::<Vec<_>>().join(" "))
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][key].as_str()
}

/// Rights in all namespaces for an account of a namespace; gives its kubeconfig.
fn grant_everywhere(cluster: &Cluster, home: &str, account: &str, rules: &[Value]) -> PathBuf {
    cluster.service_account(home, account);
    let name = format!("{home}-{account}");
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let role = json!({"metadata": {"name": name}, "rules": rules});
    cluster.create(&format!("{rbac}/clusterroles"), &role);
    let binding = json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": home}],
    });
    cluster.create(&format!("{rbac}/clusterrolebindings"), &binding);
    cluster.service_account_kubeconfig(home, account)
}
