//! A mount becomes another engine while a sidecar runs.

use serde_json::json;

use super::{OTHER, RIGHTS, VALUE, delivered, identity};
use crate::support::openbao::OpenBao;
use crate::support::process::{eventually, poll};
use crate::support::sidecar::{RunningSidecar, SOON};

/// A move ends a moment after it was asked for.
fn moved(bao: &OpenBao, from: &str, to: &str) {
    bao.post("sys/remount", &json!({"from": from, "to": to}));
    let there = || {
        let mounts = bao.get("sys/mounts");
        let has = |name: &str| mounts["data"].get(format!("{name}/")).is_some();
        (!has(from) && has(to)).then_some(())
    };
    poll(SOON, there).expect("moved");
}

#[test]
fn row_212_a_mount_that_becomes_another_engine_is_noticed_and_nothing_counts_as_absent() {
    let bao = OpenBao::start();
    bao.enable_kv2("sw");
    bao.post("sw/data/app", &json!({"data": {"password": VALUE}}));
    bao.enable_kv1("next");
    bao.post("next/app", &json!({"password": OTHER}));
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "{}sidecar: {{refresh: 1s}}\ndeliveries: [{{name: app, onMissing: delete, from: [{{vault: \
         sw/app}}], to: [{{file: {{path: app.env}}}}]}}]\n",
        identity.vault
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    let holds = |value: &str| delivered(folder.path()).contains(value);
    assert!(holds(VALUE));
    // From version 2 to version 1, which holds the secret too.
    moved(&bao, "sw", "before");
    moved(&bao, "next", "sw");
    eventually("read as version 1", SOON, || holds(OTHER));
    // And from version 1 to version 2, in place.
    bao.post("sys/mounts/sw/tune", &json!({"options": {"version": "2"}}));
    eventually("written", SOON, || {
        let body = json!({"data": {"password": VALUE}});
        let token = bao.root_token();
        bao.request(&token, "POST", "sw/data/app", Some(&body)).0 == 200
    });
    eventually("read as version 2", SOON, || holds(VALUE));
    let output = sidecar.end().expect(0);
    output.assert_no_canary(&[VALUE, OTHER]);
    assert!(!output.stderr.contains("removed"), "{}", output.stderr);
}
