//! The Vault client on a real OpenBao and a real Kubernetes.
//!
//! Tests carry the number of their row in the list of faults. Each fails when a token or a value
//! shows up in a log or error.

mod auth;
mod kv;
mod leases;
mod methods;
mod outages;
mod tokens;
mod whole;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyferry::base::failure::Failure;
use keyferry::config::{VaultAuth, VaultServer};
use serde_json::{Value, json};

use crate::support::openbao::OpenBao;
use crate::support::session::{secret_file, server};

/// A value in every secret of these tests.
const VALUE: &str = "c4nary-v4lue-/+x";

/// Enough for anything that is not about waiting.
const SOON: Duration = Duration::from_secs(30);

/// One server for all tests that do not break it or count its requests.
fn shared() -> &'static OpenBao {
    static SHARED: OnceLock<OpenBao> = OnceLock::new();
    SHARED.get_or_init(|| {
        let bao = OpenBao::start();
        bao.enable_kv1("kv1");
        bao
    })
}

/// A name that no other test has.
fn unique(name: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A token in a file, with a policy of these rules.
fn token_file(bao: &OpenBao, rules: &str, settings: &Value) -> (String, PathBuf) {
    let name = unique("policy");
    bao.policy(&name, rules);
    let mut settings = settings.clone();
    settings["policies"] = json!([name]);
    let token = bao.token(&settings);
    let file = secret_file(bao.folder(), &unique("token"), &format!("{token}\n"));
    (token, file)
}

/// A server whose identity is such a token, and the token.
fn with_policy(bao: &OpenBao, rules: &str) -> (String, VaultServer) {
    let (token, file) = token_file(bao, rules, &json!({}));
    (token, server(&bao.addr(), VaultAuth::Token { file }))
}

/// An AppRole with a policy of these rules: logs in and out as often as it likes.
fn app_role(bao: &OpenBao, rules: &str, settings: &Value) -> (Vec<String>, VaultServer) {
    let (mount, policy) = (unique("approle"), unique("policy"));
    bao.policy(&policy, rules);
    bao.post(&format!("sys/auth/{mount}"), &json!({"type": "approle"}));
    let mut settings = settings.clone();
    settings["token_policies"] = json!([policy]);
    bao.post(&format!("auth/{mount}/role/app"), &settings);
    let role = bao.get(&format!("auth/{mount}/role/app/role-id"));
    let secret = bao.post(&format!("auth/{mount}/role/app/secret-id"), &json!({}));
    let role_id = role["data"]["role_id"]
        .as_str()
        .expect("a role id")
        .to_owned();
    let secret_id = secret["data"]["secret_id"]
        .as_str()
        .expect("a secret id")
        .to_owned();
    let auth = VaultAuth::AppRole {
        mount,
        role_id_file: secret_file(bao.folder(), &unique("role-id"), &role_id),
        secret_id_file: secret_file(bao.folder(), &unique("secret-id"), &secret_id),
        wrapped: false,
    };
    (vec![role_id, secret_id], server(&bao.addr(), auth))
}

/// Class and words of a failure.
fn fails<T: std::fmt::Debug>(result: Result<T, Failure>, class: &str, words: &[&str]) -> Failure {
    let failure = result.expect_err("must fail");
    assert_eq!(failure.class.word(), class, "{failure}");
    for word in words {
        assert!(failure.what.contains(word), "no {word:?} in: {failure}");
    }
    failure
}

/// What of the audited requests ends like this.
fn audited(bao: &OpenBao, end: &str) -> usize {
    bao.audited()
        .iter()
        .filter(|call| call.ends_with(end))
        .count()
}

/// Logins so far.
fn logins(bao: &OpenBao) -> usize {
    let calls = bao.audited().into_iter();
    calls
        .filter(|call| call.starts_with("update auth/") && call.ends_with("/login"))
        .count()
}

const READ_ALL: &str = r#"path "*" { capabilities = ["read"] }"#;
