//! The stack itself: each server starts and is what it says, each tool works, before anything else
//! relies on them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::http::Client;
use crate::support::openbao::{OpenBao, Settings, Tls};
use crate::support::process::{Scratch, eventually};
use crate::support::run::Run;
use crate::support::tls::{Authority, sealing_key};
use crate::support::tools;

#[test]
fn every_binary_has_its_pinned_version() {
    let rows = [
        (tools::etcd(), "--version", "3.7.3"),
        (tools::kube_apiserver(), "--version", "v1.36.3"),
        (tools::kube_controller_manager(), "--version", "v1.36.3"),
        (tools::bao(), "version", "v2.7.2"),
        (tools::sops(), "--version", "3.13.3"),
        (tools::age(), "--version", "v1.3.2"),
        (tools::age_keygen(), "--version", "v1.3.2"),
        (tools::kubeseal(), "--version", "v0.36.6"),
        (tools::sealed_secrets_controller(), "--version", "v0.36.6"),
        (tools::kubectl(), "version --client", "v1.36.3"),
    ];
    for (tool, flags, version) in rows {
        let said = Run::of(tool)
            .args(flags.split(' '))
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .run()
            .expect(0);
        let first = said.stdout.lines().next().unwrap_or_default();
        assert!(
            first.contains(version),
            "{}: {first:?} is not {version}",
            tool.display()
        );
    }
}

#[test]
fn the_api_server_says_its_pinned_version() {
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
    let manifest = "
apiVersion: v1
kind: Secret
metadata: {name: one}
stringData: {key: value}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: one}
rules: []
";
    cluster.apply_yaml(&namespace, manifest);
    assert_eq!(
        cluster.secret_value(&namespace, "one", "key").as_deref(),
        Some(b"value".as_slice())
    );
    let audited = cluster.audited_by(&namespace, "admin");
    for line in [
        "patch secrets/one 201",
        "patch roles/one 201",
        "get secrets/one 200",
    ] {
        assert!(
            audited.contains(&line.to_owned()),
            "no {line} in {audited:?}"
        );
    }
}

#[test]
fn a_service_account_has_its_own_rights_only() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"], "verbs": ["get", "create", "patch"]}]);
    cluster.grant(&namespace, "writer", &rules);
    let token = cluster.token(&namespace, "writer", "");
    let secrets = format!("/api/v1/namespaces/{namespace}/secrets");
    let apply = |name: &str| {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
        cluster
            .request_as(
                &token,
                "PATCH",
                &format!("{secrets}/{name}?fieldManager=test"),
                Some(&object),
            )
            .0
    };
    assert_eq!((apply("one"), apply("two")), (201, 403));
    assert_eq!(
        cluster.request_as(&token, "GET", &secrets, None).0,
        403,
        "it may not list"
    );
    let file = std::fs::read_to_string(cluster.service_account_kubeconfig(&namespace, "writer"));
    assert!(file.expect("a kubeconfig").contains(&cluster.url()));
}

#[test]
fn pod_security_is_enforced_where_asked_for() {
    let cluster = Cluster::shared();
    let namespace =
        cluster.namespace_with(&json!({"pod-security.kubernetes.io/enforce": "restricted"}));
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: \
        [{name: c, image: i}]}}";
    let answers = cluster.try_apply(&namespace, pod);
    assert_eq!(answers[0].0, 403, "{answers:?}");
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

#[test]
fn a_cluster_of_ones_own_can_be_stopped_killed_and_restarted() {
    let cluster = Cluster::start_own();
    cluster.named_namespace("platform", &json!({}));
    let ask = || {
        Client::tls(cluster.port(), cluster.ca())
            .limit(Duration::from_millis(300))
            .call("GET", "/livez", "", b"")
    };
    cluster.stop_api();
    assert!(ask().is_err(), "a stopped server says nothing");
    cluster.cont_api();
    eventually("it answers again", Duration::from_secs(20), || {
        ask().is_ok()
    });
    cluster.kill_api();
    assert!(ask().is_err(), "a killed server is gone");
    cluster.restart_api();
    assert!(
        cluster.find("/api/v1/namespaces/platform").is_some(),
        "its data is still there"
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
fn openbao_speaks_tls_to_those_who_trust_its_authority() {
    let bao = OpenBao::start_tls();
    let ca = std::fs::read_to_string(bao.ca_file()).expect("the authority's file");
    let answer = Client::tls(bao.tls_port(), &ca)
        .call("GET", "/v1/sys/health", "", b"")
        .expect("an answer");
    assert_eq!(
        (answer.status, &answer.json()["sealed"]),
        (200, &Value::Bool(false))
    );
    assert!(bao.addr().starts_with("https://"));
}

#[test]
fn openbao_can_serve_tls_that_nobody_should_accept() {
    let authority = Authority::new();
    let good = || authority.issue(&["127.0.0.1"]);
    let rows = [
        (authority.issue_expired(&["127.0.0.1"]), "", "Expired"),
        (
            authority.issue(&["elsewhere.example"]),
            "",
            "NotValidForName",
        ),
        (Authority::new().issue(&["127.0.0.1"]), "", "UnknownIssuer"),
        (
            good(),
            "tls_min_version = \"tls11\"\ntls_max_version = \"tls11\"",
            "ProtocolVersion",
        ),
    ];
    for (identity, lines, why) in rows {
        let tls = Tls {
            identity,
            ca: authority.pem().to_owned(),
            lines: lines.to_owned(),
        };
        let bao = OpenBao::start_with(&Settings {
            durable: false,
            tls: Some(tls),
        });
        let answer =
            Client::tls(bao.tls_port(), authority.pem()).call("GET", "/v1/sys/health", "", b"");
        let error = answer
            .err()
            .map(|error| format!("{error:?}"))
            .unwrap_or_default();
        assert!(error.contains(why), "not {why}: {error:?}");
    }
}

#[test]
fn a_durable_openbao_is_sealed_killed_and_comes_back() {
    let bao = OpenBao::start_sealable();
    bao.put("app", &json!({"user": "u"}));
    let read = || bao.request(&bao.root_token(), "GET", "kv/data/app", None).0;
    bao.seal();
    assert_eq!(read(), 503);
    bao.unseal();
    assert_eq!(read(), 200);
    bao.kill();
    bao.restart();
    assert_eq!(read(), 503, "it comes back sealed");
    bao.unseal();
    assert_eq!(read(), 200);
}

#[test]
fn sops_and_age_open_what_they_closed() {
    let scratch = Scratch::new("sops");
    let key = scratch.path().join("age.key");
    Run::of(tools::age_keygen())
        .args(["-o".as_ref(), key.as_os_str()])
        .run()
        .expect(0);
    let recipient = Run::of(tools::age_keygen())
        .args(["-y".as_ref(), key.as_os_str()])
        .run()
        .expect(0)
        .stdout;
    let age = |args: &[&str], input: Vec<u8>| {
        Run::of(tools::age())
            .args(args)
            .dir(scratch.path())
            .stdin(input)
            .run()
            .expect(0)
            .bytes
    };
    let closed = age(&["-r", recipient.trim()], b"text".to_vec());
    assert_eq!(age(&["-d", "-i", "age.key"], closed), b"text");

    let plain = scratch.write("plain.yaml", "key: value\n");
    let sops = |args: &[&str]| {
        let run = Run::of(tools::sops())
            .args(args)
            .env("SOPS_AGE_KEY_FILE", &key)
            .dir(scratch.path());
        run.run().expect(0).stdout
    };
    let closed = sops(&[
        "encrypt",
        "--age",
        recipient.trim(),
        &plain.display().to_string(),
    ]);
    assert!(
        closed.contains("ENC[AES256_GCM,") && !closed.contains("key: value"),
        "{closed}"
    );
    scratch.write("closed.yaml", closed);
    assert_eq!(sops(&["decrypt", "closed.yaml"]), "key: value\n");
}

#[test]
fn kubeseal_opens_what_it_sealed() {
    let scratch = Scratch::new("kubeseal");
    let identity = sealing_key();
    scratch.write("sealing.crt", identity.certificate);
    scratch.write("sealing.key", identity.key);
    let secret = "{apiVersion: v1, kind: Secret, metadata: \
        {name: one, namespace: a}, stringData: {key: value}}";
    let kubeseal = |args: &[&str], input: String| {
        Run::of(tools::kubeseal())
            .args(args)
            .dir(scratch.path())
            .stdin(input)
            .run()
            .expect(0)
            .stdout
    };
    let sealed = kubeseal(&["--cert", "sealing.crt"], secret.to_owned());
    let fields: Value = serde_json::from_str(&sealed).expect("kubeseal writes JSON");
    assert!(
        fields["spec"]["encryptedData"]["key"].is_string(),
        "{sealed}"
    );
    let opened = kubeseal(
        &["--recovery-unseal", "--recovery-private-key", "sealing.key"],
        sealed,
    );
    let opened: Value = serde_json::from_str(&opened).expect("kubeseal writes JSON");
    assert_eq!(opened["data"]["key"], "dmFsdWU=");
}
