//! SOPS files that must not open, through the binary.

use crate::support::run::keyferry;

use super::{Desk, OTHER, RECIPIENT, refused, refused_file, text, vector};

fn two() -> String {
    text("sops/two.enc.yaml")
}

/// The file with other keys in its metadata: what they are called is protected by nothing.
fn keyed_by(keys: &str) -> String {
    let whole = two();
    let from = whole.find("    age:\n").unwrap();
    let to = whole.find("    lastmodified:").unwrap();
    format!("{}{keys}{}", &whole[..from], &whole[to..])
}

/// One field (`data`, `iv` or `tag`) of the value under a key.
fn field_of(file: &str, key: &str, field: &str) -> String {
    let line = file
        .lines()
        .find(|line| line.trim_start().starts_with(key))
        .unwrap();
    let (_, rest) = line.split_once(&format!("{field}:")).unwrap();
    rest.split([',', ']']).next().unwrap().to_owned()
}

#[test]
fn row_31_no_identity_matches_and_the_recipients_are_listed() {
    refused_file(
        "sops",
        "other.enc.yaml",
        vector("sops/other.enc.yaml"),
        5,
        &format!("no identity matched: it is encrypted to {OTHER}; 1 identity was tried"),
    );
    refused_file(
        "age",
        "hybrid.age",
        vector("age/made/hybrid.age"),
        5,
        "no identity matched: it is encrypted to 1 \u{d7} mlkem768x25519; 1 identity was tried",
    );
}

#[test]
fn a_key_that_is_absent_is_not_forgiven_by_an_optional_source() {
    let desk = Desk::new().keys("age: [{file: gone.key}]").carry(
        "sops: two.enc.yaml, optional: true",
        "path: out, format: json",
    );
    desk.put("two.enc.yaml", vector("sops/two.enc.yaml"));
    refused(&desk, 4, "gone.key does not exist");
}

#[test]
fn the_key_file_that_sops_uses_is_used() {
    let desk = Desk::new()
        .keys("")
        .carry("sops: two.enc.env", "path: out, format: dotenv");
    desk.put("two.enc.env", vector("sops/two.enc.env"));
    refused(&desk, 2, "no age key is configured");
    let key = desk.folder.path().join("x25519.key");
    let output = desk.run_by(keyferry().env("SOPS_AGE_KEY_FILE", key), &["job"]);
    output.expect(0);
    assert!(desk.read("out").contains("canary-value-7"));
}

#[test]
fn row_32_damaged_values_and_checksums_are_refused_with_their_place() {
    let whole = two();
    let value = |key, field| field_of(&whole, key, field);
    let data = value("password:", "data");
    let flipped = format!(
        "{}{}",
        if data.starts_with('A') { "B" } else { "A" },
        &data[1..]
    );
    let line = |key: &str| {
        let mut lines = whole.lines();
        let line = lines
            .find(|line| line.trim_start().starts_with(key))
            .unwrap();
        line.trim_start().split_once(": ").unwrap().1
    };
    let swapped = whole
        .replace(line("password:"), "SWAP")
        .replace(line("api.token:"), line("password:"))
        .replace("SWAP", line("api.token:"));
    let without_mac: String = whole
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("    mac:"))
        .collect();
    let other_mac = whole.replace(
        &field_of(&whole, "mac:", "data"),
        &field_of(&text("sops/clear.enc.yaml"), "mac:", "data"),
    );
    let without_value: String = whole
        .split_inclusive('\n')
        .filter(|line| !line.trim_start().starts_with("api.token:"))
        .collect();
    for (damaged, what) in [
        (whole.replace(&data, &flipped), "`db.password` was changed"),
        (
            whole.replace(&data, "%%%"),
            "`db.password` is not an encrypted value",
        ),
        (
            whole.replace(&value("password:", "iv"), ""),
            "`db.password` is not an encrypted value",
        ),
        (
            whole.replace(&value("password:", "tag"), "AAAAAAAAAAAAAAAAAAAA"),
            "`db.password` is not an encrypted value",
        ),
        (swapped, "`db.password` was changed"),
        (without_mac, "it has no checksum"),
        (other_mac, "does not fit"),
        (without_value, "does not fit"),
        (whole.replace("tls:", "ssl:"), "`db.ssl` was changed"),
        (
            whole[..whole.find("sops:").unwrap()].to_owned(),
            "not a SOPS file",
        ),
        (whole[..whole.len() / 2].to_owned(), ""),
    ] {
        assert_ne!(damaged, whole, "{what}");
        refused_file("sops", "two.enc.yaml", damaged, 5, what);
    }
}

#[test]
fn row_32_clear_values_keys_and_order_are_covered_too() {
    let whole = text("sops/clear.enc.yaml");
    let no_match = "its checksum (`mac`) does not fit";
    for (damaged, what) in [
        (whole.replace("db.example", "evil.example"), no_match),
        (whole.replace("db.example", "\"\""), no_match),
        (format!("added: x\n{whole}"), no_match),
        (whole.replace("host: db.example\n", ""), no_match),
        (format!("added: [x, {{y: z}}]\n{whole}"), no_match),
        ("password: canary-plain\n".to_owned(), "not a SOPS file"),
        ("sops: {}\n".to_owned(), ""),
        ("sops: x\n".to_owned(), "not a SOPS file"),
        (String::new(), "not a SOPS file"),
        ("- a\n- b\n".to_owned(), "not a SOPS file"),
    ] {
        assert_ne!(damaged, whole);
        refused_file("sops", "clear.enc.yaml", damaged, 5, what);
    }
    let list = two();
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("- name: "))
        .collect();
    let swapped = list
        .replace(names[0], "SWAP")
        .replace(names[1], names[0])
        .replace("SWAP", names[1]);
    refused_file("sops", "two.enc.yaml", swapped, 5, no_match);
    let json = text("sops/two.enc.json");
    let twice = json.replacen('{', "{\"db\": \"x\",", 1);
    refused_file("sops", "two.enc.json", twice, 5, "twice");
    for name in ["two.enc.env", "two.enc.ini", "two.enc.json", "two.enc.bin"] {
        refused_file("sops", name, "", 5, "");
        refused_file("sops", name, "plain: canary-plain", 5, "");
        refused_file("sops", name, b"\xff\xfe\x00", 5, "");
    }
}

#[test]
fn row_32_every_format_is_refused_without_its_checksum_or_cut_short() {
    for (name, mac) in [
        ("two.enc.env", "sops_mac="),
        ("two.enc.ini", "mac "),
        ("two.enc.json", "\"mac\":"),
        ("two.enc.bin", "\"mac\":"),
    ] {
        let whole = text(&format!("sops/{name}"));
        let without: String = whole
            .split_inclusive('\n')
            .filter(|line| !line.trim_start().starts_with(mac))
            .collect();
        assert_ne!(without, whole, "{name}");
        refused_file("sops", name, without, 5, "it has no checksum");
        refused_file("sops", name, &whole[..whole.len() / 3], 5, "");
    }
}

#[test]
fn row_33_other_kinds_of_keys_are_named() {
    let pgp = "    pgp:\n        - created_at: \"2026-01-01T00:00:00Z\"\n          enc: x\n          fp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21\n";
    let kms = "    kms:\n        - arn: arn:aws:kms:eu-west-1:1:key/x\n          created_at: \
        \"2026-01-01T00:00:00Z\"\n          enc: x\n          aws_profile: \"\"\n";
    let transit = "    hc_vault:\n        - vault_address: https://vault.example\n          engine_path: \
        transit\n          key_name: app\n          enc: vault:v1:x\n";
    for (keys, needs) in [
        (pgp.to_owned(), "it needs PGP"),
        (transit.to_owned(), "it needs Vault transit"),
        (kms.to_owned(), "it needs AWS KMS"),
        (format!("{pgp}{kms}"), "it needs PGP or AWS KMS"),
    ] {
        let what = format!("no age key group usable: {needs}");
        refused_file("sops", "two.enc.yaml", keyed_by(&keys), 5, &what);
    }
    // There is no server to ask, and the file's is none.
    let what = "add `vault: {address";
    refused_file("sops", "two.enc.yaml", keyed_by(transit), 5, what);
    refused_file(
        "sops",
        "threshold.enc.yaml",
        vector("sops/threshold.enc.yaml"),
        5,
        "1 of its 3 key groups open, and it takes 2",
    );
}

/// A document with this text in front of the metadata of a true file.
fn with(text: &str) -> String {
    let whole = two();
    format!("{text}{}", &whole[whole.find("sops:\n").unwrap()..])
}

#[test]
fn row_37_bombs_and_odd_yaml_are_refused_at_once() {
    let mut aliases = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in "bcdefghi".chars().zip("abcdefgh".chars()) {
        let many = vec![format!("*{before}"); 9].join(", ");
        aliases.push_str(&format!("{name}: &{name} [{many}]\n"));
    }
    let deep = format!("a: {}\n", "[".repeat(100_000));
    let block: String = (0..2_000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    for (text, code, what) in [
        (aliases.as_str(), 6, ""),
        (&deep, 6, "deep"),
        (&block, 6, "deep"),
        ("a: x\na: x\n", 5, "twice"),
        ("a: !!python/object/apply:os.system [x]\n", 5, ""),
        ("a:\n\tb: x\n", 5, ""),
        ("a: x\n---\nb: x\n", 5, ""),
        ("{{{{{{\n", 5, ""),
        ("a: \"\u{0}\"\n", 5, ""),
    ] {
        refused_file("sops", "two.enc.yaml", with(text), code, what);
    }
}

#[test]
fn row_37_a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let whole = two();
    for written in [format!("\u{feff}{whole}"), whole.replace('\n', "\r\n")] {
        let desk = Desk::new().carry(
            "sops: two.enc.yaml, pick: [db.password]",
            "path: out, format: json",
        );
        desk.put("two.enc.yaml", written);
        let output = desk.run(&["job"]).expect(0);
        assert!(desk.read("out").contains("canary-value-7"));
        assert!(output.stderr.contains(RECIPIENT), "{}", output.stderr);
    }
}

#[test]
fn row_37_several_documents_are_each_a_tree() {
    let whole = text("sops/documents.enc.yaml");
    let desk = Desk::new()
        .carry("sops: documents.enc.yaml", "path: all.json")
        .carry(
            "sops: documents.enc.yaml, pick: [1.password]",
            "path: one.json",
        );
    desk.put("documents.enc.yaml", whole);
    desk.run(&["job"]).expect(0);
    assert_eq!(
        desk.read("all.json").split_whitespace().collect::<String>(),
        r#"[{"user":"app"},{"password":"canary-value-7"}]"#
    );
    assert!(desk.read("one.json").contains("canary-value-7"));
    let fields = Desk::new().carry("sops: documents.enc.yaml", "path: out, format: dotenv");
    fields.put("documents.enc.yaml", text("sops/documents.enc.yaml"));
    refused(
        &fields,
        6,
        "it holds 2 documents, not one mapping of fields",
    );
}
