//! A token that lies in a file and belongs to somebody else: it is used as it is, and read again
//! when its file changes.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::leases::{CREDS, broker};
use super::{OTHER, RIGHTS, VALUE, audited, delivered, put};
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON};

#[test]
fn row_211_a_token_file_is_read_when_it_changes_and_the_same_token_replaces_nothing() {
    let bao = OpenBao::start();
    let _broker = broker(&bao, 600, 3600);
    put(&bao, VALUE);
    bao.policy("app", RIGHTS);
    let token = || bao.token(&json!({"policies": ["app"], "ttl": "1h"}));
    let first = token();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    secret_file(path, "token", &first);
    let config = format!(
        "vault: {{address: '{}', auth: {{token: {{file: token}}}}}}\nsidecar: {{refresh: 1s}}\n\
         deliveries:\n- {{name: app, from: [{{vault: kv/data/app}}], to: [{{file: {{path: \
         app.env}}}}]}}\n- {{name: creds, from: [{{vault: rabbitmq/creds/app}}], to: [{{file: \
         {{path: creds.env}}}}]}}\n",
        bao.addr()
    );
    let sidecar = RunningSidecar::start(path, &config);
    sidecar.ready();
    let creds = || fs::read_to_string(path.join("creds.env")).unwrap();
    let before = creds();

    // Somebody writes the same token again, as a kubelet does when another key changes.
    fs::remove_file(path.join("token")).unwrap();
    secret_file(path, "token", &first);
    let looks = audited(&bao, "read kv/metadata/app");
    eventually("it goes on", SOON, || {
        audited(&bao, "read kv/metadata/app") >= looks + 4
    });
    assert_eq!((audited(&bao, CREDS), creds()), (1, before.clone()));

    bao.post("auth/token/revoke", &json!({"token": first}));
    let refused = "the token was refused";
    eventually("it is told", SOON, || sidecar.reasons().contains(refused));
    let rounds = || audited(&bao, "read auth/token/lookup-self");
    let begun = rounds();
    std::thread::sleep(Duration::from_secs(15));
    let more = rounds() - begun;
    assert!(more <= 10, "{more} rounds in 15 s");
    let reasons = sidecar.reasons();
    assert!(!reasons.contains("may not read"), "{reasons}");
    assert!(delivered(path).contains(VALUE), "what was delivered stays");

    put(&bao, OTHER);
    secret_file(path, "token", &token());
    eventually("the new one is used", Duration::from_secs(8), || {
        delivered(path).contains(OTHER)
    });
    eventually("new credentials", SOON, || creds() != before);
    sidecar
        .end()
        .expect(0)
        .assert_no_canary(&[VALUE, OTHER, &first]);
}
