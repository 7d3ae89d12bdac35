//! SealedSecrets that must not open, through the binary.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Desk, refused, text, vector};

fn desk(key: &str, file: &str, manifest: impl AsRef<[u8]>) -> Desk {
    let desk = Desk::new()
        .keys(&format!("sealed: [{{file: {key}}}]"))
        .carry(
            &format!("sealed: {file}, pick: [password]"),
            "path: out, format: dotenv",
        );
    desk.put(key, vector(&format!("sealed/{key}")));
    desk.put(file, manifest);
    desk
}

#[track_caller]
fn refused_manifest(manifest: impl AsRef<[u8]>, code: i32, what: &str) {
    refused(&desk("old.pem", "app.yaml", manifest), code, what);
}

fn strict() -> String {
    text("sealed/strict.yaml")
}

/// The sealed value under a key.
fn blob(manifest: &str, key: &str) -> String {
    let key = format!("    {key}: ");
    let line = manifest
        .lines()
        .find(|line| line.starts_with(&key))
        .unwrap();
    line[key.len()..].to_owned()
}

#[test]
fn what_was_sealed_opens_and_the_log_names_the_key() {
    let desk = desk("old.pem", "app.yaml", strict());
    let output = desk.run(&["job"]).expect(0);
    assert!(desk.read("out").starts_with("password="));
    assert!(
        output.stderr.contains("sealed secret opened") && output.stderr.contains("SHA256:"),
        "{}",
        output.stderr
    );
}

#[test]
fn row_38_renamed_moved_and_widened_secrets_do_not_open() {
    let whole = strict();
    let annotated = |name: &str| {
        let annotation = format!("  annotations: {{sealedsecrets.bitnami.com/{name}: \"true\"}}\n");
        whole.replacen("metadata:\n", &format!("metadata:\n{annotation}"), 1)
    };
    for (edited, what) in [
        (
            whole.replace("name: app\n", "name: other\n"),
            "no key opens `binary` (scope strict)",
        ),
        (
            whole.replace("namespace: platform\n", "namespace: other\n"),
            "no key opens `binary` (scope strict)",
        ),
        (
            annotated("namespace-wide"),
            "no key opens `binary` (scope namespace-wide)",
        ),
        (
            annotated("cluster-wide"),
            "no key opens `binary` (scope cluster-wide)",
        ),
    ] {
        assert_ne!(edited, whole);
        refused_manifest(edited, 5, what);
    }
}

/// As in the controller: name and namespace of the template decide nothing, those of the object do.
#[test]
fn row_168_what_the_template_says_of_its_name_changes_nothing() {
    for (file, strict) in [
        ("strict", true),
        ("namespace-wide", false),
        ("cluster-wide", false),
    ] {
        let whole = text(&format!("sealed/{file}.yaml"));
        let inside = whole.replace("      name: app\n", "      name: other\n");
        let inside = inside.replace(
            "      namespace: platform\n",
            "      namespace: elsewhere\n",
        );
        assert_ne!(inside, whole);
        let moved = desk("old.pem", "app.yaml", &inside);
        moved.run(&["job"]).expect(0);
        assert!(moved.read("out").starts_with("password="), "{file}");
        // The other way round: renamed outside, as kustomize does it, and the template left as it
        // was.
        let outside = whole.replace("  name: app\n", "  name: renamed\n");
        let outside = outside.replace("      name: renamed\n", "      name: app\n");
        assert_ne!(outside, whole);
        let renamed = desk("old.pem", "app.yaml", &outside);
        match strict {
            true => refused(&renamed, 5, "no key opens `binary` (scope strict)"),
            false => {
                renamed.run(&["job"]).expect(0);
            }
        }
    }
}

#[test]
fn row_39_one_damaged_value_refuses_the_whole_secret() {
    let whole = strict();
    let value = blob(&whole, "username");
    let mut bytes = STANDARD.decode(&value).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let damaged = whole.replace(&value, &STANDARD.encode(bytes));
    refused_manifest(damaged, 5, "no key opens `username` (scope strict)");
}

#[test]
fn row_40_without_the_right_key_the_fingerprints_at_hand_are_named() {
    let desk = desk("new.pem", "app.yaml", strict());
    refused(&desk, 5, "no key opens `binary` (scope strict)");
    let output = desk.run(&["job"]).expect(5);
    let last = output.last_line();
    assert!(last.contains("our keys: SHA256:"), "{last}");
}

#[test]
fn row_41_templates_ask_for_nothing_that_is_not_theirs() {
    let whole = strict();
    let typed =
        |kind: &str| whole.replace("type: kubernetes.io/basic-auth", &format!("type: {kind}"));
    let templated = |text: &str| {
        whole.replacen(
            "  template:\n",
            &format!("  template:\n    data:\n      made: '{text}'\n"),
            1,
        )
    };
    for (edited, code, what) in [
        (
            typed("kubernetes.io/service-account-token"),
            6,
            "is never written",
        ),
        (
            typed("bootstrap.kubernetes.io/token"),
            6,
            "is never written",
        ),
        (templated("{{ env \"HOME\" }}"), 6, "env"),
        (templated("{{ .missing }}"), 4, "missing"),
    ] {
        assert_ne!(edited, whole);
        refused_manifest(edited, code, what);
    }
    // What would make another tool the owner is left out where the object is made
    // (tests/cluster/sealed), not refused.
    let owned = whole.replacen(
        "      labels:\n",
        "      ownerReferences: [{kind: Pod, name: x}]\n      finalizers: [x/y]\n      labels:\n",
        1,
    );
    assert_ne!(owned, whole);
    desk("old.pem", "app.yaml", owned).run(&["job"]).expect(0);
}

#[test]
fn row_42_both_forms_at_once_are_refused() {
    let whole = strict();
    let value = blob(&whole, "password");
    let both = whole.replacen("spec:\n", &format!("spec:\n  data: {value}\n"), 1);
    refused_manifest(
        both,
        5,
        "has both `encryptedData` and the deprecated `data`",
    );
}

#[test]
fn row_43_lengths_that_contradict_each_other_are_too_short() {
    let whole = strict();
    let value = blob(&whole, "binary");
    let bytes = STANDARD.decode(&value).unwrap();
    let with_length = |length: u16| {
        let mut bytes = bytes.clone();
        bytes[..2].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    for (blob, what) in [
        (with_length(0), "is too short, or its inner length is wrong"),
        (
            with_length(u16::MAX),
            "is too short, or its inner length is wrong",
        ),
        (
            bytes[..2].to_vec(),
            "is too short, or its inner length is wrong",
        ),
        (
            bytes[..1].to_vec(),
            "is too short, or its inner length is wrong",
        ),
        (
            bytes[..257].to_vec(),
            "is too short, or its inner length is wrong",
        ),
        (with_length(255), "no key opens `binary`"),
    ] {
        refused_manifest(whole.replace(&value, &STANDARD.encode(blob)), 5, what);
    }
}
