//! Rows 17 and 20: a token that ends while it is needed.

use std::time::Duration;

use keyferry::config::VaultAuth;
use serde_json::json;

use super::{READ_ALL, SOON, VALUE, app_role, audited, fails, logins};
use crate::support::openbao::OpenBao;
use crate::support::session::{path, session, watched};

fn mount(auth: &VaultAuth) -> &str {
    let VaultAuth::AppRole { mount, .. } = auth else {
        panic!("an app role");
    };
    mount
}

#[test]
fn row_17_a_token_revoked_between_reads_costs_exactly_one_login() {
    let bao = OpenBao::start();
    for number in 0..12 {
        bao.put(&format!("app{number}"), &json!({"password": VALUE}));
    }
    let (secrets, server) = app_role(&bao, READ_ALL, &json!({}));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
    watched(&secrets, async {
        let session = session(&server, SOON);
        session.read(&path("kv/app0")).await.expect("before");
        let prefix = format!(
            "sys/leases/revoke-prefix/auth/{}/login",
            mount(&server.auth)
        );
        bao.post(&prefix, &json!({}));
        let written = ["kv/app", "kv/data/app"];
        let paths: Vec<_> = (0..12)
            .map(|number| path(&format!("{}{number}", written[number % 2])))
            .collect();
        for result in
            futures_util::future::join_all(paths.iter().map(|path| session.read(path))).await
        {
            result.expect("after");
        }
        session.close().await;
    });
    assert_eq!((logins(&bao), audited(&bao, "revoke-self")), (2, 1));
}

#[test]
fn row_17_a_denied_read_beside_a_revoked_token_stays_denied() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    let rules = r#"path "kv/data/app" { capabilities = ["read"] }"#;
    let (secrets, server) = app_role(&bao, rules, &json!({}));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
    watched(&secrets, async {
        let session = session(&server, SOON);
        session.read(&path("kv/data/app")).await.expect("before");
        let prefix = format!(
            "sys/leases/revoke-prefix/auth/{}/login",
            mount(&server.auth)
        );
        bao.post(&prefix, &json!({}));
        let (allowed, denied) = (path("kv/data/app"), path("kv/data/denied"));
        let (denied, allowed) = tokio::join!(session.read(&denied), session.read(&allowed));
        fails(denied, "denied", &["may not read `kv/data/denied`"]);
        allowed.expect("after");
        session.close().await;
    });
    assert_eq!(logins(&bao), 2);
}

#[test]
fn row_20_a_token_of_one_second_is_enough() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    let (secrets, server) = app_role(
        &bao,
        READ_ALL,
        &json!({"token_ttl": "1s", "token_max_ttl": "1s"}),
    );
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
    watched(&secrets, async {
        let session = session(&server, SOON);
        for _ in 0..3 {
            session.read(&path("kv/data/app")).await.expect("data");
            tokio::time::sleep(Duration::from_millis(1300)).await;
        }
        session.close().await;
    });
    assert_eq!(logins(&bao), 3);
}
