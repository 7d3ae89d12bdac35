//! What may not be read, is not there, or fails beside others.

use serde_json::json;

use super::{LOGIN, OTHER, RIGHTS, VALUE, audited, config, delivered, identity, put};
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON};
use crate::support::stub::{Reply, Stub};

#[test]
fn row_18_a_right_that_is_taken_away_keeps_what_was_delivered() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let data_only = r#"path "kv/data/app" { capabilities = ["read"] }"#;
    let identity = identity(&bao, data_only, &json!({}));
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, "  onDenied: unready\n"));
    sidecar.ready();
    bao.policy("app", r#"path "kv/data/other" { capabilities = ["read"] }"#);
    eventually("it is told", SOON, || !sidecar.is_ready());
    assert!(
        sidecar.reasons().contains("may not read `kv/data/app`"),
        "{}",
        sidecar.reasons()
    );
    assert!(delivered(folder.path()).contains(VALUE));
    bao.policy("app", data_only);
    eventually("it recovers", SOON, || sidecar.is_ready());
    assert_eq!(audited(&bao, LOGIN), 1);
}

#[test]
fn row_21_and_22_what_is_gone_is_kept_and_each_absence_is_told_apart() {
    type Fault = fn(&OpenBao);
    // What happens, the words for it, and whether it is the secret itself that is gone for certain.
    let rows: [(Fault, &str, bool); 4] = [
        (|bao| drop(bao.delete("kv/data/app")), "deleted at", true),
        (
            |bao| drop(bao.post("kv/destroy/app", &json!({"versions": [1]}))),
            "is destroyed",
            true,
        ),
        (
            |bao| drop(bao.delete("kv/metadata/app")),
            "nothing is there",
            true,
        ),
        (
            |bao| drop(bao.delete("sys/mounts/kv")),
            "mount not found",
            false,
        ),
    ];
    for (fault, words, certain) in rows {
        let bao = OpenBao::start();
        put(&bao, VALUE);
        let folder = tempfile::tempdir().unwrap();
        let identity = identity(&bao, RIGHTS, &json!({}));
        let more = "- {name: withdrawn, onMissing: delete, from: \
            [{vault: kv/data/app}], to: [{file: {path: other.env}}]}\n";
        let sidecar = RunningSidecar::start(folder.path(), &config(&identity, more));
        sidecar.ready();
        fault(&bao);
        eventually(words, SOON, || {
            sidecar.reasons().matches(words).count() == 2
        });
        assert!(
            sidecar.reasons().starts_with("app: ok"),
            "{}",
            sidecar.reasons()
        );
        assert!(delivered(folder.path()).contains(VALUE));
        let other = || folder.path().join("other.env").exists();
        assert_eq!(other(), !certain, "{words}");
        if !certain {
            bao.enable_kv2("kv");
        }
        put(&bao, OTHER);
        eventually("it comes back", SOON, || {
            delivered(folder.path()).contains(OTHER) && other()
        });
        sidecar.ready();
    }
}

#[test]
fn row_30_one_that_fails_stops_no_other() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    bao.put("second", &json!({"a": "b"}));
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({}));
    let more = "- {name: both, from: [{vault: kv/data/second}, \
        {vault: kv/data/none}], to: [{file: {path: both.env}}]}\n- {name: second, from: \
        [{vault: kv/data/second}], to: [{file: {path: second.env}}]}\n";
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, more));
    eventually("two are ready", SOON, || {
        let reasons = sidecar.reasons();
        reasons.contains("app: ok")
            && reasons.contains("second: ok")
            && reasons.contains("both: not ready")
    });
    assert!(!folder.path().join("both.env").exists());
    bao.put("none", &json!({"c": "d"}));
    sidecar.ready();
}

#[test]
fn row_157_a_secret_that_is_deleted_and_made_again_is_followed() {
    let bao = OpenBao::start();
    let folder = tempfile::tempdir().unwrap();
    put(&bao, VALUE);
    let identity = identity(&bao, RIGHTS, &json!({}));
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    sidecar.ready();
    for value in [OTHER, VALUE, OTHER] {
        bao.delete("kv/metadata/app");
        put(&bao, value);
        eventually("the change", SOON, || {
            delivered(folder.path()).contains(value)
        });
    }
    eventually("it is well", SOON, || sidecar.is_ready());
}

#[test]
fn row_158_a_healthy_delivery_stays_fresh_while_another_that_shares_its_path_fails() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({}));
    let more = "- {name: broken, from: [{vault: kv/data/app}, {vault: kv/data/none}], to: \
        [{file: {path: broken.env}}]}\n";
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, more));
    eventually("delivered", SOON, || {
        delivered(folder.path()).contains(VALUE)
    });
    eventually("it is looked at each second", SOON * 3, || {
        audited(&bao, "read kv/metadata/app") >= 12
    });
    let broken = audited(&bao, "read kv/data/none");
    assert!(broken >= 2, "the other one is tried on");
    assert!(broken <= 8, "and ever more seldom: {broken}");
    put(&bao, OTHER);
    eventually("the change", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    assert_eq!(
        audited(&bao, "read kv/data/app"),
        2,
        "what both share is read once"
    );
    drop(sidecar);
}

#[test]
fn row_159_a_server_that_hangs_holds_up_no_delivery_of_another_server() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({}));
    let hanging = Stub::start(|_| Reply::Hang);
    let token = secret_file(bao.folder(), "token", "s.c4naryTokenOfAFile24");
    let config = format!(
        "{}- {{name: slow, from: [{{vault: kv/data/app}}, {{vault: kv/data/b, server: slow}}], to: [{{file: {{path: slow.env}}}}]}}\n\
         vaults: {{slow: {{address: '{}', auth: {{token: {{file: {}}}}}}}}}\n",
        config(&identity, ""),
        hanging.url(),
        token.display()
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    eventually("delivered", SOON, || {
        delivered(folder.path()).contains(VALUE)
    });
    // Each of these is delivered before the other server's time is over, which is longer than we
    // wait.
    for value in [OTHER, VALUE, OTHER] {
        put(&bao, value);
        eventually("the change", SOON, || {
            delivered(folder.path()).contains(value)
        });
    }
    drop(sidecar);
}

#[test]
fn row_164_a_look_up_that_was_refused_is_not_asked_again_and_is_no_error_for_ever() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let data_only = r#"path "kv/data/app" { capabilities = ["read"] }"#;
    let identity = identity(&bao, data_only, &json!({}));
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    sidecar.ready();
    let reads = || audited(&bao, "read kv/data/app");
    eventually("it is read at each refresh", SOON, || reads() >= 4);
    let errors = sidecar.metric("keyferry_vault_errors_total");
    eventually("it is read on", SOON, || reads() >= 8);
    assert_eq!(audited(&bao, "read kv/metadata/app"), 1);
    assert_eq!(sidecar.metric("keyferry_vault_errors_total"), errors);
    put(&bao, OTHER);
    eventually("the change", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
}
