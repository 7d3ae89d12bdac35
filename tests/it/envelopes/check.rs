//! `check --keys`: who can read what, which key opens it, whether it was changed, what is clear in
//! it.

use serde_json::Value;

use super::{Desk, OTHER, RECIPIENT, text, vector};

fn desk(keys: &str, files: &[&str]) -> Desk {
    let mut desk = Desk::new().keys(keys);
    for name in files {
        let (folder, kind) = match *name {
            name if name.ends_with(".age") => ("age/made", "age"),
            name if name.contains(".enc.") => ("sops", "sops"),
            _ => ("sealed", "sealed"),
        };
        desk.put(name, vector(&format!("{folder}/{name}")));
        // Of these a field is no text, or nothing protects it.
        let pick = match *name {
            "strict.yaml" | "mac-only.enc.yaml" => ", pick: [password]",
            _ => "",
        };
        desk = desk.carry(
            &format!("{kind}: {name}{pick}"),
            &format!("path: {name}.out, format: json"),
        );
    }
    desk.put("old.pem", vector("sealed/old.pem"));
    desk
}

const BOTH: &str = "age: [{file: x25519.key}], sealed: [{file: old.pem}]";

fn document(desk: &Desk, code: i32) -> Value {
    let output = desk
        .run(&["check", "--keys", "--output", "json"])
        .expect(code);
    desk.assert_nothing_left(&output);
    serde_json::from_str(&output.stdout).expect("it is JSON")
}

/// Text of a field of the only source.
fn only<'a>(document: &'a Value, field: &str) -> &'a Value {
    assert_eq!(document["sources"].as_array().map(Vec::len), Some(1));
    &document["sources"][0][field]
}

#[test]
fn everything_that_opens_is_told_with_its_recipients_and_its_key() {
    let files = ["two.enc.env", "x25519.age", "strict.yaml"];
    let desk = desk(BOTH, &files);
    let output = desk.run(&["check", "--keys"]).expect(0);
    desk.assert_nothing_left(&output);
    let fingerprint = "SHA256:vV6vlroNvNbKCQH6bRo8eM5dsZp6PVTyZS8oguGHf6Y";
    assert_eq!(
        output.stdout,
        format!(
            "configuration: 3 deliveries, 0 Vault servers
age keys at hand: {RECIPIENT}
sealing keys at hand: {fingerprint}
age file x25519.age (raw), for d1
  recipients  X25519
  opened by   {RECIPIENT}
  integrity   good
sops file two.enc.env (dotenv), for d0
  recipients  {RECIPIENT}, {OTHER}
  opened by   {RECIPIENT}
  integrity   good
sealed file strict.yaml (strict), for d2
  recipients  sealing key {fingerprint}
  opened by   {fingerprint}
  integrity   good
"
        )
    );
    let document = document(&desk, 0);
    assert_eq!(document["keys"]["age"][0], RECIPIENT);
    assert_eq!(document["keys"]["sealing"][0], fingerprint);
    for source in document["sources"].as_array().unwrap() {
        assert_eq!(source["integrity"], "good", "{source}");
        assert_eq!(
            source["failures"].as_array().map(Vec::len),
            Some(0),
            "{source}"
        );
        assert_eq!(
            source["openedBy"].as_array().map(Vec::len),
            Some(1),
            "{source}"
        );
    }
}

#[test]
fn what_no_key_opens_still_names_its_recipients() {
    let document = document(&desk(BOTH, &["other.enc.yaml"]), 5);
    assert_eq!(only(&document, "recipients")[0]["name"], OTHER);
    assert_eq!(only(&document, "integrity"), "unknown");
    assert_eq!(
        only(&document, "openedBy").as_array().map(Vec::len),
        Some(0)
    );
    assert_eq!(only(&document, "failures")[0]["class"], "undecryptable");
}

#[test]
fn a_sealed_secret_without_its_key_names_the_fingerprints_at_hand() {
    let document = document(&desk(BOTH, &["new-key.json"]), 5);
    let hint = only(&document, "failures")[0]["hint"].as_str().unwrap();
    assert!(
        hint.contains("our keys: SHA256:vV6vlroNvNbKCQH6bRo8eM5dsZp6PVTyZS8oguGHf6Y"),
        "{hint}"
    );
    assert_eq!(only(&document, "format"), "strict");
}

#[test]
fn a_changed_file_is_called_bad() {
    let desk = desk(BOTH, &["two.enc.yaml", "two.enc.env"]);
    desk.put(
        "two.enc.yaml",
        text("sops/two.enc.yaml").replace("tls:", "ssl:"),
    );
    desk.put(
        "two.enc.env",
        text("sops/two.enc.env").replace("PORT=", "PORTS="),
    );
    let document = document(&desk, 5);
    for source in document["sources"].as_array().unwrap() {
        assert_eq!(source["integrity"], "bad", "{source}");
        assert_eq!(source["recipients"][0]["name"], RECIPIENT, "{source}");
    }
}

#[test]
fn keys_of_other_kinds_are_named_as_not_supported() {
    let whole = text("sops/two.enc.yaml");
    let pgp = "    pgp:\n        - enc: x\n          fp: \
        85D77543B3D624B63CEA9E6DBC17301B491B3F21\n    kms:\n        - arn: arn:aws:kms:x\n          \
        enc: x\n    lastmodified:";
    let plugin = "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t";
    let desk = desk(BOTH, &["two.enc.yaml"]);
    let whole = whole.replace("    lastmodified:", pgp);
    desk.put("two.enc.yaml", whole.replace(OTHER, plugin));
    let output = desk.run(&["check", "--keys"]).expect(0);
    let line = "PGP 85D77543B3D624B63CEA9E6DBC17301B491B3F21 (not supported), AWS KMS \
        arn:aws:kms:x (not supported)";
    assert!(output.stdout.contains(line), "{}", output.stdout);
    let line = format!("{RECIPIENT}, {plugin} (not supported), PGP");
    assert!(output.stdout.contains(&line), "{}", output.stdout);
}

#[test]
fn clear_values_that_look_like_secrets_are_named_and_are_no_failure() {
    let desk = desk(BOTH, &["clear.enc.yaml"]);
    let output = desk.run(&["check", "--keys"]).expect(0);
    desk.assert_nothing_left(&output);
    assert!(
        output.stderr.contains("2 clear values look like secrets"),
        "{}",
        output.stderr
    );
    let document = document(&desk, 0);
    assert_eq!(
        *only(&document, "clearSecrets"),
        serde_json::json!(["backupPassword", "url"])
    );
}

#[test]
fn values_that_nothing_covers_are_counted() {
    let document = document(&desk(BOTH, &["mac-only.enc.yaml"]), 0);
    assert_eq!(*only(&document, "unverified"), 2);
}

#[test]
fn what_opens_and_cannot_be_delivered_is_told_too() {
    let desk = Desk::new().carry(
        "sops: two.enc.yaml, pick: [db.passwort]",
        "path: out, format: json",
    );
    desk.put("two.enc.yaml", vector("sops/two.enc.yaml"));
    for args in [["check", "--keys"], ["check", "--targets"]] {
        let output = desk.run(&args).expect(4);
        assert!(
            output.stdout.contains("integrity   good"),
            "{}",
            output.stdout
        );
        let all = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(all.matches("field `db.passwort`").count(), 1, "{all}");
    }
    let document = document(&desk, 4);
    assert_eq!(document["unrendered"][0]["failure"]["class"], "missing");
}

#[test]
fn recipients_outside_of_the_list_fail_the_check_and_are_a_warning_in_a_pass() {
    let keys = format!("{BOTH}, recipients: [{RECIPIENT}]");
    let outside = desk(&keys, &["two.enc.json"]);
    let document = document(&outside, 6);
    assert_eq!(only(&document, "integrity"), "good");
    assert_eq!(only(&document, "recipients")[1]["listed"], false);
    let reason = only(&document, "failures")[0]["reason"].as_str().unwrap();
    assert_eq!(
        reason,
        format!("two.enc.json: it is encrypted to {OTHER}, not among keys.recipients")
    );
    let output = outside.run(&["job"]).expect(0);
    let warned = output
        .stderr
        .lines()
        .any(|line| line.contains("WARN") && line.contains(OTHER));
    assert!(warned, "{}", output.stderr);
    assert!(outside.read("two.enc.json.out").contains("canary-value-7"));
}

#[test]
fn listed_recipients_of_every_kind_pass() {
    let ssh = |name: &str| {
        let sops = text(&format!("sops/{name}.enc.yaml"));
        let line = sops
            .lines()
            .find(|line| line.contains("recipient:"))
            .unwrap();
        line.split_once("recipient: ").unwrap().1.trim().to_owned()
    };
    let [ed, rsa, hybrid] = ["ssh_ed25519", "ssh_rsa2048", "hybrid"].map(ssh);
    let keys = format!(
        "age: [{{file: x25519.key}}, {{file: hybrid.key}}, {{ssh: ssh_ed25519}}, {{ssh: \
         ssh_rsa2048}}], recipients: [{RECIPIENT}, '{ed} me@host', '{rsa}', {hybrid}]"
    );
    let files = [
        "ssh_ed25519.enc.yaml",
        "ssh_rsa2048.enc.yaml",
        "hybrid.enc.yaml",
        "three.age",
        "hybrid.age",
        "x25519.age",
        "clear.enc.yaml",
    ];
    let desk = desk(&keys, &files);
    for key in ["hybrid.key", "ssh_ed25519", "ssh_rsa2048"] {
        desk.put(key, vector(&format!("age/made/{key}")));
    }
    let document = document(&desk, 0);
    let listed = |source: &Value| {
        let recipients = source["recipients"].as_array().unwrap();
        recipients.iter().all(|one| one["listed"] != false)
    };
    assert!(
        document["sources"].as_array().unwrap().iter().all(listed),
        "{document}"
    );
    // The same without the SSH key of one of three: its short hash in the file tells.
    let desk = desk.keys(
        &keys
            .replace(&rsa, OTHER)
            .replace("'age1", "age1")
            .replace("68kh6'", "68kh6"),
    );
    let output = desk.run(&["check", "--keys"]).expect(6);
    assert!(
        output
            .stdout
            .contains("ssh-rsa wv27Tg (not in keys.recipients)"),
        "{}",
        output.stdout
    );
}

#[test]
fn a_sealing_key_outside_of_the_list_fails_the_check() {
    let keys = format!("{BOTH}, recipients: ['SHA256:other']");
    let document = document(&desk(&keys, &["strict.yaml"]), 6);
    assert_eq!(only(&document, "recipients")[0]["listed"], false);
}

#[test]
fn a_private_key_is_no_recipient() {
    let keys = format!("{BOTH}, recipients: [AGE-SECRET-KEY-1QQQQ]");
    let output = desk(&keys, &["strict.yaml"]).run(&["check"]).expect(2);
    assert!(
        output.stderr.contains("this recipient is a private key"),
        "{}",
        output.stderr
    );
}

#[test]
fn an_optional_file_that_is_absent_is_no_failure() {
    let desk = Desk::new()
        .carry(
            "sops: absent.yaml, optional: true",
            "path: out, format: json",
        )
        .carry("sops: gone.yaml", "path: out2, format: json");
    let document = document(&desk, 4);
    assert_eq!(
        document["sources"][0]["failures"].as_array().map(Vec::len),
        Some(0)
    );
    assert_eq!(
        document["sources"][1]["failures"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn manifests_are_opened_and_held_to_what_a_pass_would_ask() {
    let mut desk = desk(BOTH, &[]);
    desk.put("strict.yaml", vector("sealed/strict.yaml"));
    desk.put("secret.enc.yaml", vector("sops/secret-mac-only.enc.yaml"));
    for (options, code) in [("", 6), (", allowUnauthenticated: true", 0)] {
        desk.deliveries = format!(
            "  []\nname: check\nmanifests:\n  - {{sealed: strict.yaml, namespaces: [platform]}}\n  - {{sops: secret.enc.yaml, namespaces: [platform]{options}}}\n"
        );
        let document = document(&desk, code);
        let sources = document["sources"].as_array().unwrap();
        assert_eq!(sources.len(), 2, "{document}");
        assert!(
            sources.iter().all(|one| one["integrity"] == "good"),
            "{document}"
        );
        assert_eq!(
            document["unrendered"].as_array().map(Vec::is_empty),
            Some(code == 0)
        );
    }
}
