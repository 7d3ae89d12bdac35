//! Row 29 and the engines that make what they answer: leased data outlives us, all else is revoked.

use keyferry::config::VaultRead;
use keyferry::vault::Renewal;
use serde_json::{Value, json};

use super::{SOON, VALUE, app_role, audited, fails};
use crate::support::openbao::OpenBao;
use crate::support::session::{fields, path, read_once, session, watched, write};
use crate::support::stub::{Reply, Stub};

const MAKE_ALL: &str = r#"path "*" { capabilities = ["read", "update"] }"#;

fn engines() -> OpenBao {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    bao.post("sys/mounts/ssh", &json!({"type": "ssh"}));
    bao.post(
        "ssh/roles/otp",
        &json!({"key_type": "otp", "default_user": "u", "cidr_list": "127.0.0.0/8"}),
    );
    bao.post("sys/mounts/pki", &json!({"type": "pki"}));
    bao.post(
        "pki/root/generate/internal",
        &json!({"common_name": "ca", "ttl": "24h"}),
    );
    let role =
        |lease: bool| json!({"allow_any_name": true, "max_ttl": "1h", "generate_lease": lease});
    bao.post("pki/roles/plain", &role(false));
    bao.post("pki/roles/leased", &role(true));
    bao
}

/// Leases beneath a prefix that are alive.
fn alive(bao: &OpenBao, prefix: &str) -> usize {
    let root = bao.root_token();
    let (_, answer) = bao.request(&root, "LIST", &format!("sys/leases/lookup/{prefix}"), None);
    answer["data"]["keys"].as_array().map_or(0, Vec::len)
}

#[test]
fn row_29_only_a_leased_answer_keeps_the_token_alive() {
    let bao = engines();
    let body = r#"{"common_name":"web.example"}"#;
    let rows: [(VaultRead, &[&str], bool); 5] = [
        (path("kv/data/app"), &["password"], false),
        (
            write("pki/issue/plain", body),
            &["certificate", "private_key", "issuing_ca"],
            false,
        ),
        (
            write("pki/issue/leased", body),
            &["certificate", "private_key"],
            true,
        ),
        (
            write("ssh/creds/otp", r#"{"ip":"127.0.0.1"}"#),
            &["key", "username"],
            true,
        ),
        (
            write("auth/token/create", r#"{"ttl":"1h"}"#),
            &["client_token", "accessor"],
            true,
        ),
    ];
    for (read, names, leased) in rows {
        let (secrets, server) = app_role(&bao, MAKE_ALL, &json!({"token_ttl": "10m"}));
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
        let before = audited(&bao, "revoke-self");
        let material = read_once(&secrets, &server, SOON, &read).expect(&read.path);
        let fields = fields(&material);
        for name in names {
            assert!(!fields[*name].is_empty(), "{}: {name}", read.path);
        }
        assert_eq!(material.lease.is_some(), leased, "{}", read.path);
        assert_eq!(
            audited(&bao, "revoke-self") - before,
            usize::from(!leased),
            "{}",
            read.path
        );
        if let Some(lease) = &material.lease {
            assert!(lease.seconds > 60 && !lease.id.is_empty(), "{lease:?}");
        }
    }
    assert_eq!(
        (
            alive(&bao, "ssh/creds/otp/"),
            alive(&bao, "pki/issue/leased/")
        ),
        (1, 1)
    );
}

#[test]
fn row_29_a_token_made_with_ours_works_after_us() {
    let bao = engines();
    let (_, server) = app_role(&bao, MAKE_ALL, &json!({"token_ttl": "10m"}));
    let read = write("auth/token/create", r#"{"ttl":"1h"}"#);
    let material = read_once(&[VALUE], &server, SOON, &read).expect("a token");
    let token = fields(&material)["client_token"].clone();
    let (status, _) = bao.request(&token, "GET", "auth/token/lookup-self", None);
    assert_eq!(status, 200);
}

#[test]
fn credentials_that_are_read_come_with_a_lease_that_can_be_renewed() {
    let bao = engines();
    // The broker is no server of ours to run: any that accepts the two requests for a user will do.
    let broker = Stub::start(|_| Reply::text(204, "application/json", ""));
    bao.post("sys/mounts/rabbitmq", &json!({"type": "rabbitmq"}));
    let connection = json!({
        "connection_uri": broker.url(), "username": "admin", "password": "admin", "verify_connection": false,
    });
    bao.post("rabbitmq/config/connection", &connection);
    bao.post(
        "rabbitmq/config/lease",
        &json!({"ttl": 1800, "max_ttl": 3600}),
    );
    bao.post(
        "rabbitmq/roles/app",
        &json!({"vhosts": r#"{"/": {"read": ".*"}}"#}),
    );
    let (secrets, server) = app_role(&bao, MAKE_ALL, &json!({}));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let material =
        read_once(&secrets, &server, SOON, &path("rabbitmq/creds/app")).expect("credentials");
    let names: Vec<String> = fields(&material).into_keys().collect();
    assert_eq!(names, ["password", "username"]);
    let lease = material.lease.expect("a lease");
    assert_eq!((lease.seconds, lease.renewable), (1800, true));
    assert!(lease.id.starts_with("rabbitmq/creds/app/"));
    assert_eq!(alive(&bao, "rabbitmq/creds/app/"), 1);
    assert_eq!(audited(&bao, "revoke-self"), 0);
    assert_eq!(audited(&bao, "read rabbitmq/creds/app"), 1, "made once");
}

#[test]
fn row_153_a_lease_that_was_revoked_is_known_to_be_gone() {
    let bao = engines();
    let (secrets, server) = app_role(&bao, MAKE_ALL, &json!({}));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    watched(&secrets, async {
        let session = session(&server, SOON);
        let read = write("pki/issue/leased", r#"{"common_name":"web.example"}"#);
        let material = session.read(&read).await.expect("a certificate");
        let lease = &material.lease.as_ref().expect("a lease").id;
        bao.post(
            "sys/leases/revoke",
            &json!({"lease_id": lease, "sync": true}),
        );
        match session.renew_lease(lease).await {
            Renewal::Gone(failure) => assert!(failure.what.contains("the lease is not there")),
            other => panic!("{other:?}"),
        }
        session.close().await;
    });
}

#[test]
fn a_write_that_is_refused_says_why() {
    let bao = engines();
    bao.post(
        "pki/roles/narrow",
        &json!({"allowed_domains": ["a.example"], "max_ttl": "1h"}),
    );
    let (_, server) = app_role(&bao, MAKE_ALL, &json!({}));
    let rows = [
        (
            write("pki/issue/narrow", r#"{"common_name":"evil.example"}"#),
            "refused",
            "common name evil.example not allowed",
        ),
        (
            write("pki/issue/none", r#"{"common_name":"x"}"#),
            "refused",
            "unknown role",
        ),
        (
            write("pki/issue/plain", "[]"),
            "configuration",
            "`write` is no JSON object",
        ),
        (
            write("pki/issue/plain", "{"),
            "configuration",
            "`write` is no JSON object",
        ),
        (write("nomount/x", "{}"), "missing", "mount not found"),
        (
            write("ssh/roles/two", r#"{"key_type":"otp","default_user":"u"}"#),
            "missing",
            "no data",
        ),
        (
            path("pki/issue/plain"),
            "configuration",
            "does not answer reads",
        ),
    ];
    for (read, class, words) in rows {
        fails(read_once(&[VALUE], &server, SOON, &read), class, &[words]);
    }
    let (_, denied) = app_role(&bao, r#"path "x" { capabilities = ["read"] }"#, &json!({}));
    let result = read_once(&[VALUE], &denied, SOON, &write("pki/issue/plain", "{}"));
    let failure = fails(result, "denied", &["may not write `pki/issue/plain`"]);
    assert!(failure.hint.is_some_and(|hint| hint.contains("\"update\"")));
}

#[test]
fn row_57_many_passes_leave_no_token_behind() {
    let bao = engines();
    let (secrets, server) = app_role(&bao, MAKE_ALL, &json!({}));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
    let tokens = || {
        let answer = bao.list("auth/token/accessors");
        answer["data"]["keys"].as_array().map_or(0, Vec::len)
    };
    let before = tokens();
    for _ in 0..20 {
        watched(&secrets, async {
            let session = session(&server, SOON);
            session.read(&path("kv/data/app")).await.expect("data");
            let missing = session.read(&path("kv/data/none")).await;
            fails(missing, "missing", &[]);
            session.close().await;
        });
    }
    let state: Value = json!({"before": before, "after": tokens()});
    assert_eq!(state["before"], state["after"]);
}
