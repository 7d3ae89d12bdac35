//! Copies in other namespaces, on a real API server: declared ones by `job`, and those by annotation.

mod declared;

use serde_json::Value;

use crate::support::cluster::Cluster;

/// In every value of these tests, and in no message.
const CANARY: &str = "c4naryvalue";

/// Keys and decoded values of a Secret, without the canary: `a=1 b=2`; nothing when it is not there.
fn held(cluster: &Cluster, namespace: &str, name: &str) -> Option<String> {
    let secret = cluster.secret(namespace, name)?;
    let keys = secret["data"].as_object().cloned().unwrap_or_default();
    let pairs = keys.keys().map(|key| {
        let value = cluster.secret_value(namespace, name, key);
        let value = String::from_utf8(value.expect("the key is there")).expect("text");
        format!("{key}={}", value.replace(CANARY, ""))
    });
    Some(pairs.collect::<Vec<_>>().join(" "))
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][key].as_str()
}
