//! Rows 23 and 24: what a secret holds is not what was asked for, or is written in an unusual way.

use std::fs;

use serde_json::json;

use super::{RIGHTS, VALUE, identity};
use crate::support::openbao::OpenBao;
use crate::support::process::{eventually, poll};
use crate::support::sidecar::{RunningSidecar, SOON};

#[test]
fn rows_23_and_24_a_field_that_is_no_good_keeps_what_was_delivered() {
    // What comes, the class of that, and words of the reason.
    let rows = [
        (
            "is-absent",
            json!({"other": "x"}),
            "missing",
            "`password` is not there",
        ),
        ("is-null", json!({"password": null}), "missing", "is null"),
        ("is-empty", json!({"password": ""}), "refused", "is empty"),
        (
            "is-map",
            json!({"password": {"a": 1}}),
            "refused",
            "is a mapping",
        ),
        ("is-list", json!({"password": [1]}), "refused", "is a list"),
        (
            "is-nul",
            json!({"password": "a\0b"}),
            "refused",
            "a NUL byte",
        ),
    ];
    let bao = OpenBao::start();
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({}));
    let mut config = format!("{}sidecar: {{refresh: 1s}}\ndeliveries:\n", identity.vault);
    for (name, ..) in &rows {
        bao.put(name, &json!({"password": VALUE}));
        // A field that is gone is no secret that is gone: nothing is deleted for it.
        config += &format!(
            "- {{name: {name}, onMissing: delete, from: [{{vault: kv/data/{name}, pick: \
             [password]}}], to: [{{file: {{path: {name}.env}}}}]}}\n"
        );
    }
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    let file = |name: &str| {
        fs::read_to_string(folder.path().join(format!("{name}.env"))).unwrap_or_default()
    };
    for (name, data, ..) in &rows {
        bao.put(name, data);
    }
    for (name, _, class, words) in &rows {
        let told = || {
            let reasons = sidecar.reasons();
            let line = reasons
                .lines()
                .find(|line| line.starts_with(&format!("{name}: ")));
            line.unwrap_or_default().to_owned()
        };
        eventually(name, SOON, || told().contains(&format!("{class}: ")));
        assert!(told().contains(words), "{}", told());
        assert!(file(name).contains(VALUE), "{name} stays");
    }
    // Scalars come as they are written, and nothing of the failures is left.
    let scalars = [
        json!(9_007_199_254_740_991_u64),
        json!(true),
        json!(-1),
        json!(0.5),
        json!(0),
        json!("0x1"),
    ];
    for ((name, ..), scalar) in rows.iter().zip(&scalars) {
        bao.put(name, &json!({ "password": scalar }));
    }
    for ((name, ..), scalar) in rows.iter().zip(&scalars) {
        let text = scalar.as_str().map_or(scalar.to_string(), str::to_owned);
        let whole = || {
            poll(SOON, || {
                file(name).contains(&format!("={text}\n")).then_some(())
            })
        };
        assert!(
            whole().is_some(),
            "{name}: {text}: {} {}",
            file(name),
            sidecar.reasons()
        );
    }
    sidecar.ready();
    sidecar.end().expect(0).assert_no_canary(&[VALUE]);
}
