//! `mac_only_encrypted`: encrypted values are delivered, clear ones are refused where they are
//! used.

use super::{Desk, refused, text};

fn desk(from: &str) -> Desk {
    let desk = Desk::new().carry(
        &format!("sops: mac-only.enc.yaml{from}"),
        "path: out, format: json",
    );
    desk.put("mac-only.enc.yaml", text("sops/mac-only.enc.yaml"));
    desk
}

#[test]
fn encrypted_values_are_delivered_and_stay_so_when_clear_ones_were_changed() {
    for changed in [false, true] {
        let desk = desk(", pick: [password, nested.token]");
        if changed {
            let whole = text("sops/mac-only.enc.yaml").replace("db.example", "evil.example");
            desk.put("mac-only.enc.yaml", whole);
        }
        desk.run(&["job"]).expect(0);
        let out = desk.read("out");
        assert!(
            out.contains("canary-value-7") && out.contains("canary-nested-7"),
            "{out}"
        );
    }
}

#[test]
fn a_clear_value_is_refused_alone_inside_of_another_and_in_the_whole() {
    for (from, path) in [
        ("", "host_clear"),
        (", pick: [password, host_clear]", "host_clear"),
        (", pick: [nested]", "nested.user_clear"),
        (", pick: [nested], encoding: json", "nested.user_clear"),
        (", pick: [nested], flatten: _", "nested.user_clear"),
        (", prefix: X_", "host_clear"),
    ] {
        let what = format!("the value at `{path}` is neither encrypted nor covered");
        refused(&desk(from), 6, &what);
    }
}

#[test]
fn clear_values_are_delivered_when_that_is_allowed() {
    for from in [
        ", allowUnauthenticated: true",
        ", allowUnauthenticated: true, pick: [host_clear]",
    ] {
        let desk = desk(from);
        desk.run(&["job"]).expect(0);
        assert!(desk.read("out").contains("db.example"));
    }
}

/// The same file for two deliveries: one may, the other may not.
#[test]
fn what_one_delivery_allows_another_does_not() {
    let desk = desk(", allowUnauthenticated: true").carry(
        "sops: mac-only.enc.yaml, pick: [host_clear]",
        "path: second, format: json",
    );
    let output = desk.run(&["job"]).expect(6);
    assert!(output.stderr.contains("`host_clear`"), "{}", output.stderr);
    assert!(desk.read("out").contains("db.example"));
    assert!(!desk.folder.path().join("second").exists());
}
