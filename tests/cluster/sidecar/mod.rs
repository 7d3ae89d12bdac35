//! The sidecar on a real OpenBao: what it does while the server is away, refuses, or ends what it
//! gave. Rows of faults.md.

mod at_length;
mod changed_mount;
mod crowd;
mod denied;
mod leases;
mod login;
mod outages;
mod restart;
mod rights;
mod token_file;
mod tokens;
mod values;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON};

const VALUE: &str = "c4nary-v4lue-one";
const OTHER: &str = "c4nary-v4lue-two";
const RIGHTS: &str = r#"path "*" { capabilities = ["read", "update"] }"#;
const LOGIN: &str = "update auth/approle/login";
const RENEW: &str = "update auth/token/renew-self";

/// An AppRole whose files lie in the server's folder, and the part of a configuration that names
/// it.
struct Identity {
    vault: String,
    role_id: String,
}

fn identity(bao: &OpenBao, rules: &str, settings: &Value) -> Identity {
    bao.policy("app", rules);
    bao.post("sys/auth/approle", &json!({"type": "approle"}));
    let mut settings = settings.clone();
    settings["token_policies"] = json!(["app"]);
    bao.post("auth/approle/role/app", &settings);
    let role_id = bao.get("auth/approle/role/app/role-id")["data"]["role_id"]
        .as_str()
        .unwrap()
        .to_owned();
    secret_file(bao.folder(), "role-id", &role_id);
    new_secret_id(bao);
    let folder = bao.folder().display();
    Identity {
        vault: format!(
            "vault: {{address: '{}', auth: {{appRole: {{roleIdFile: {folder}/role-id, \
             secretIdFile: {folder}/secret-id}}}}}}\n",
            bao.addr()
        ),
        role_id,
    }
}

fn new_secret_id(bao: &OpenBao) {
    let made = bao.post("auth/approle/role/app/secret-id", &json!({}));
    secret_file(
        bao.folder(),
        "secret-id",
        made["data"]["secret_id"].as_str().unwrap(),
    );
}

/// `kv/data/app` to `app.env`, looked at each second.
fn config(identity: &Identity, more: &str) -> String {
    format!(
        "{}sidecar: {{refresh: 1s}}\ndeliveries:\n- name: app\n  from: [{{vault: kv/data/app}}]\n  to: [{{file: {{path: app.env}}}}]\n{more}",
        identity.vault
    )
}

fn put(bao: &OpenBao, value: &str) {
    // After an election a server that calls itself active may still refuse for a moment.
    let body = json!({"data": {"password": value}});
    eventually("a write", SOON, || {
        bao.request(&bao.root_token(), "POST", "kv/data/app", Some(&body))
            .0
            == 200
    });
}

fn delivered(folder: &Path) -> String {
    fs::read_to_string(folder.join("app.env")).unwrap_or_default()
}

fn audited(bao: &OpenBao, call: &str) -> usize {
    bao.audited()
        .iter()
        .filter(|seen| seen.starts_with(call))
        .count()
}

#[test]
fn a_write_is_delivered_within_the_refresh_interval_and_nothing_is_read_in_full_without_need() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    sidecar.ready();
    assert!(delivered(folder.path()).contains(VALUE));
    eventually("it looks at the metadata", SOON, || {
        audited(&bao, "read kv/metadata/app") >= 3
    });
    assert_eq!(audited(&bao, "read kv/data/app"), 1);
    put(&bao, OTHER);
    eventually("the change", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    assert_eq!(audited(&bao, "read kv/data/app"), 2);
    assert_eq!((audited(&bao, LOGIN), audited(&bao, RENEW)), (1, 0));
    let output = sidecar.end().expect(0);
    output.assert_no_canary(&[VALUE, OTHER, &identity.role_id]);
    assert_eq!(
        audited(&bao, "update auth/token/revoke-self"),
        1,
        "its token is given back"
    );
}

#[test]
fn where_metadata_may_not_be_read_the_data_is() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(
        &bao,
        r#"path "kv/data/app" { capabilities = ["read"] }"#,
        &json!({}),
    );
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    sidecar.ready();
    put(&bao, OTHER);
    eventually("the change", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    assert!(sidecar.is_ready());
    assert_eq!(audited(&bao, LOGIN), 1);
}
