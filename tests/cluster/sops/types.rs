//! What a SOPS file is delivered as: the types that `sops -d` gives, and what JSON and INI can hold
//! of them.

use std::fmt::Write as _;
use std::process::Command;

use keyferry::base::material::SecretBytes;
use keyferry::envelope::sops::SopsError;
use keyferry::format::document::{self, DocumentFormat};

use super::{Desk, generate, values};
use crate::support::random::Random;
use crate::support::run::{Output, keyferry};
use crate::support::tools;

/// What YAML has beside JSON's types, each in a spelling of people.
const TYPES: &str = "date: 2024-01-02\nquoted: '2024-01-02'\nat: 2001-12-14t21:59:43.10-05:00\nsome_clear: 2024-02-29 01:02:03\n\
    up: .inf\ndown: -.Inf\nup_clear: .inf\nnone: .NaN\nbase: &b {x: 1, when: 2024-01-02}\nm:\n  <<: *b\n  y: 3\n\
    several:\n  <<: [*b, {z: .nan}]\nbig: 1e30\nwords: [yes, 'null', ~, 010, 0x1F, 1_000]\n";

/// Runs one job that delivers these encrypted files.
fn deliver(desk: &Desk, files: &[(String, &str)]) -> Output {
    let mut config = "keys: {age: [{file: both.key}]}\ndeliveries:\n".to_owned();
    for (index, (file, target)) in files.iter().enumerate() {
        writeln!(
            config,
            "  - {{name: d{index}, from: [{{sops: {file}, allowUnauthenticated: true}}], to: \
             [{{file: {{path: {target}, createDirs: true}}}}]}}"
        )
        .expect("a String takes text");
    }
    desk.scratch.write("keyferry.yaml", config);
    let config = desk.scratch.path().join("keyferry.yaml");
    keyferry().args(["job", "--config"]).args([config]).run()
}

/// The same bytes of a file mean the same to Go whether sops or keyferry opened it.
#[test]
fn row_169_sops_yaml_keeps_its_types() {
    let desk = Desk::new();
    let own = vec![vec![desk.keys[0].recipient().to_owned()]];
    let mut plain = vec![TYPES.to_owned()];
    plain.extend((1..=60).map(|seed| generate::yaml(&mut Random::new(seed * 7919))));
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for (index, plain) in plain.iter().enumerate() {
        let format = DocumentFormat::Yaml;
        let rule = "    unencrypted_suffix: _clear\n";
        let encrypted = desk
            .encrypt(plain.as_bytes(), format, &own, rule)
            .expect("encrypted");
        let file = desk.scratch.write(&format!("{index}.enc.yaml"), encrypted);
        let Ok(text) = desk.sops(&["decrypt", "--input-type", "yaml"], &file) else {
            continue;
        };
        theirs.push(desk.scratch.write(&format!("{index}.theirs.yaml"), text));
        ours.push((format!("{index}.enc.yaml"), format!("out/{index}.yaml")));
    }
    assert!(ours.len() > 50, "{}", ours.len());
    let files: Vec<(String, &str)> = ours
        .iter()
        .map(|(file, to)| (file.clone(), to.as_str()))
        .collect();
    deliver(&desk, &files).expect(0);
    let read = |files: &mut dyn Iterator<Item = std::path::PathBuf>| {
        let output = Command::new(tools::goyaml())
            .args(files)
            .output()
            .expect("it runs");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let expected = read(&mut theirs.into_iter());
    let seen = read(&mut ours.iter().map(|(_, to)| desk.scratch.path().join(to)));
    assert!(
        expected.contains("float64 +Inf") && expected.contains("time 2024"),
        "{expected}"
    );
    let different: Vec<String> = expected
        .lines()
        .zip(seen.lines())
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| format!("SOPS {theirs}\nOURS {ours}"))
        .collect();
    assert_eq!(seen.lines().count(), expected.lines().count());
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

#[test]
fn row_170_json_has_no_infinities_for_sops_and_none_for_us() {
    let desk = Desk::new();
    let own = vec![vec![desk.keys[0].recipient().to_owned()]];
    for plain in ["a: .inf\n", "a: {b: [-.inf]}\n", "a_unencrypted: .nan\n"] {
        let encrypted = desk.encrypt(plain.as_bytes(), DocumentFormat::Yaml, &own, "");
        let file = desk
            .scratch
            .write("inf.enc.yaml", encrypted.expect("encrypted"));
        let arguments = ["decrypt", "--input-type", "yaml", "--output-type", "json"];
        let theirs = desk.sops(&arguments, &file).expect_err("no JSON");
        assert!(theirs.contains("unsupported value"), "{theirs}");
        let refused = deliver(&desk, &[("inf.enc.yaml".to_owned(), "out.json")]).expect(6);
        let last = refused.last_line();
        assert!(
            last.contains("the number has no such spelling in this format"),
            "{last}"
        );
        assert!(!desk.scratch.path().join("out.json").exists());
    }
}

#[test]
fn row_171_sections_of_one_name_become_a_list() {
    let desk = Desk::new();
    let own = vec![vec![desk.keys[0].recipient().to_owned()]];
    let plain = "[Interface]\nPrivateKey = canary-1\n\n[Peer]\nPublicKey = one\nAllowedIPs = 10.0.0.0/8, ::/0\n\n\
        [Peer]\nPublicKey = two\nPresharedKey = canary-2\n";
    let encrypted = desk
        .encrypt(plain.as_bytes(), DocumentFormat::Ini, &own, "")
        .expect("encrypted");
    let file = desk.scratch.write("wg.enc.ini", &encrypted);
    deliver(&desk, &[("wg.enc.ini".to_owned(), "wg.json")]).expect(0);
    let text = std::fs::read_to_string(desk.scratch.path().join("wg.json")).expect("written");
    let seen: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let expected = serde_json::json!({
        "Interface": {"PrivateKey": "canary-1"},
        "Peer": [
            {"PublicKey": "one", "AllowedIPs": "10.0.0.0/8, ::/0"},
            {"PublicKey": "two", "PresharedKey": "canary-2"}
        ]
    });
    assert_eq!(seen, expected);
    // What sops itself writes of it means the same.
    let theirs = desk.sops(
        &["decrypt", "--input-type", "ini", "--output-type", "ini"],
        &file,
    );
    let theirs = document::parse(
        SecretBytes::from(theirs.expect("decrypted")),
        DocumentFormat::Ini,
    );
    let opened = desk
        .open(&encrypted, DocumentFormat::Ini, false)
        .expect("opened");
    assert_eq!(values(&opened.documents), values(&theirs.expect("INI")));
}

/// A clear value outside of the checksum is known by its section's place in the list, and refused
/// there.
#[test]
fn row_171_a_clear_value_of_a_repeated_section_is_refused_where_it_is_used() {
    let desk = Desk::new();
    let own = vec![vec![desk.keys[0].recipient().to_owned()]];
    let plain = "[Peer]\nname_clear = one\nkey = a\n[Peer]\nkey = b\n";
    let rule = "    mac_only_encrypted: true\n    unencrypted_suffix: _clear\n";
    let encrypted = desk.encrypt(plain.as_bytes(), DocumentFormat::Ini, &own, rule);
    desk.scratch
        .write("p.enc.ini", encrypted.expect("encrypted"));
    for (pick, code) in [
        ("Peer.1.key", 0),
        ("Peer.0.key", 0),
        ("Peer.0.name_clear", 6),
        ("Peer", 6),
    ] {
        let config = format!(
            "keys: {{age: [{{file: both.key}}]}}\ndeliveries:\n  - {{name: d, from: [{{sops: \
             p.enc.ini, pick: [{pick}]}}], to: [{{file: {{path: p.json}}}}]}}\n"
        );
        desk.scratch.write("keyferry.yaml", config);
        let config = desk.scratch.path().join("keyferry.yaml");
        let done = keyferry().args(["job", "--config"]).args([config]).run();
        assert_eq!(done.code, code, "{pick}: {}", done.stderr);
    }
}

/// By rules of comments nobody but sops knows what is encrypted: what opens is, and what does not
/// is told from a damaged value.
#[test]
fn row_174_a_clear_value_may_look_encrypted() {
    let desk = Desk::new();
    let own = vec![vec![desk.keys[0].recipient().to_owned()]];
    let plain = "# encrypt this\na: secret\nb: ENC[AES256_GCM\nc: ENC[AES256_GCM,data:x]\nd: \
        'ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]'\n";
    let format = DocumentFormat::Yaml;
    for mac_only in ["", "    mac_only_encrypted: true\n"] {
        let rule = format!("    encrypted_comment_regex: encrypt\n{mac_only}");
        let encrypted = desk.encrypt(plain.as_bytes(), format, &own, &rule);
        let encrypted = encrypted.expect("encrypted");
        let expected = desk.decrypt(&encrypted, format).expect("decrypted");
        let opened = desk.open(&encrypted, format, true).expect("opened");
        assert_eq!(values(&opened.documents), expected);
        let text = String::from_utf8(encrypted).expect("text");
        let (at, _) = text
            .match_indices("data:")
            .next()
            .expect("an encrypted value");
        let other = if &text[at + 5..at + 6] == "A" {
            "B"
        } else {
            "A"
        };
        let damaged = format!("{}{other}{}", &text[..at + 5], &text[at + 6..]);
        let error = desk
            .open(damaged.as_bytes(), format, true)
            .expect_err("damaged");
        assert_eq!(
            error,
            SopsError::Value {
                path: "a".to_owned()
            }
        );
    }
}
