//! What may not be read, is not there, or fails beside others.

use serde_json::json;

use super::{LOGIN, OTHER, RIGHTS, VALUE, audited, config, delivered, identity, put};
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::stay::{SOON, Staying};

#[test]
fn row_18_a_right_that_is_taken_away_keeps_what_was_delivered() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let data_only = r#"path "kv/data/app" { capabilities = ["read"] }"#;
    let identity = identity(&bao, data_only, &json!({}));
    let staying = Staying::start(folder.path(), &config(&identity, "  onDenied: unready\n"));
    staying.ready();
    bao.policy("app", r#"path "kv/data/other" { capabilities = ["read"] }"#);
    eventually("it is told", SOON, || !staying.is_ready());
    assert!(
        staying.reasons().contains("may not read `kv/data/app`"),
        "{}",
        staying.reasons()
    );
    assert!(delivered(folder.path()).contains(VALUE));
    bao.policy("app", data_only);
    eventually("it recovers", SOON, || staying.is_ready());
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
        let more = "- {name: withdrawn, onMissing: delete, from: [{vault: kv/data/app}], to: [{file: {path: other.env}}]}\n";
        let staying = Staying::start(folder.path(), &config(&identity, more));
        staying.ready();
        fault(&bao);
        eventually(words, SOON, || {
            staying.reasons().matches(words).count() == 2
        });
        assert!(
            staying.reasons().starts_with("app: ok"),
            "{}",
            staying.reasons()
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
        staying.ready();
    }
}

#[test]
fn row_30_one_that_fails_stops_no_other() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    bao.put("second", &json!({"a": "b"}));
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({}));
    let more = "- {name: both, from: [{vault: kv/data/second}, {vault: kv/data/none}], to: [{file: {path: both.env}}]}\n- {name: second, from: [{vault: kv/data/second}], to: [{file: {path: second.env}}]}\n";
    let staying = Staying::start(folder.path(), &config(&identity, more));
    eventually("two are ready", SOON, || {
        let reasons = staying.reasons();
        reasons.contains("app: ok")
            && reasons.contains("second: ok")
            && reasons.contains("both: not ready")
    });
    assert!(!folder.path().join("both.env").exists());
    bao.put("none", &json!({"c": "d"}));
    staying.ready();
}
