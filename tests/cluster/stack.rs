//! The stack itself: each server starts and is what it says, each tool works, before anything else relies on them.

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;

#[test]
fn the_api_server_has_its_pinned_version() {
    let (status, version) = Cluster::shared().request("GET", "/version", None);
    assert_eq!(
        (status, version["gitVersion"].as_str()),
        (200, Some("v1.36.3"))
    );
}

#[test]
fn a_secret_is_applied_read_and_audited() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    cluster.apply_yaml(
        &namespace,
        "apiVersion: v1\nkind: Secret\nmetadata: {name: one}\nstringData: {key: value}\n",
    );
    assert_eq!(
        cluster.secret_value(&namespace, "one", "key").as_deref(),
        Some(b"value".as_slice())
    );
    let audited = cluster.audited(&namespace);
    assert!(
        audited.contains(&"patch secrets/one 201".to_owned()),
        "{audited:?}"
    );
}

#[test]
fn openbao_keeps_a_secret_and_audits_the_read() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"user": "u"}));
    assert_eq!(
        bao.get("/v1/kv/data/app")["data"]["data"],
        json!({"user": "u"})
    );
    assert!(
        bao.audited().contains(&"read kv/data/app".to_owned()),
        "{:?}",
        bao.audited()
    );
}

#[test]
fn a_service_account_logs_in_to_openbao() {
    let cluster = Cluster::shared();
    let bao = cluster.vault_with_kubernetes_auth();
    bao.put("app", &json!({"user": "u"}));
    let namespace = cluster.namespace();
    let login = |audience| {
        let body =
            json!({"role": "platform", "jwt": cluster.token(&namespace, "default", audience)});
        bao.request("", "POST", "auth/kubernetes/login", Some(&body))
    };
    let (status, answer) = login("vault");
    assert_eq!(status, 200, "{answer}");
    let token = answer["auth"]["client_token"].as_str().expect("a token");
    assert_eq!(bao.request(token, "GET", "kv/data/app", None).0, 200);
    assert_eq!(bao.request(token, "GET", "sys/mounts", None).0, 403);
    assert_eq!(login("").0, 403, "another audience is refused");
}
