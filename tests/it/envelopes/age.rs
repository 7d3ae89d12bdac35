//! age files that must not open, through the binary.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::{Desk, RECIPIENT, refused, refused_file, vector};

#[test]
fn row_34_passphrases_are_tried_only_on_request_and_their_price_is_bounded() {
    refused_file(
        "age",
        "passphrase.age",
        vector("age/made/passphrase.age"),
        5,
        "it is encrypted with a passphrase, and none was configured",
    );
    let desk = Desk::new()
        .keys("age: [{passphraseFile: phrase}]")
        .carry("age: passphrase_19.age", "path: out, format: raw");
    desk.put("phrase", "throw-away-phrase\n");
    desk.put("passphrase_19.age", vector("age/made/passphrase_19.age"));
    refused(
        &desk,
        5,
        "its passphrase asks for 2^19 rounds of scrypt; at most 2^18 are done",
    );
    let desk = Desk::new()
        .keys("age: [{passphraseFile: phrase}]")
        .carry("age: passphrase.age", "path: out, format: raw");
    desk.put("phrase", "throw-away-phrase\n");
    desk.put("passphrase.age", vector("age/made/passphrase.age"));
    let output = desk.run(&["job"]).expect(0);
    assert_eq!(desk.read("out"), "canary-value-7\n");
    assert!(
        output.stderr.contains("recipient=a passphrase"),
        "{}",
        output.stderr
    );
}

#[test]
fn row_172_an_identity_file_that_a_passphrase_protects_opens() {
    for file in ["identities.age", "identities_binary.age"] {
        let desk = |keys: &str| {
            let desk = Desk::new()
                .keys(&format!("age: [{keys}]"))
                .carry("age: x25519.age", "path: out, format: raw");
            desk.put(file, vector(&format!("age/made/{file}")));
            desk.put("x25519.age", vector("age/made/x25519.age"));
            desk.put("phrase", "throw-away-phrase\n");
            desk.put("wrong", "another-phrase\n");
            desk
        };
        let opened = desk(&format!("{{file: {file}, passphraseFile: phrase}}"));
        let output = opened.run(&["job"]).expect(0);
        assert_eq!(opened.read("out"), "canary-value-7\n");
        // It names the key that is in the file, not the passphrase.
        assert!(
            output.stderr.contains("recipient=age16hcq"),
            "{}",
            output.stderr
        );
        let without = desk(&format!("{{file: {file}}}"));
        refused(&without, 6, "the key file is itself encrypted with age");
        let output = without.run(&["job"]).expect(6);
        assert!(
            output
                .stderr
                .contains("`{file: FILE, passphraseFile: FILE}`"),
            "{}",
            output.stderr
        );
        let wrong = desk(&format!("{{file: {file}, passphraseFile: wrong}}"));
        refused(&wrong, 5, "no identity matched");
    }
}

#[test]
fn row_34_monstrous_headers_are_refused_at_once() {
    let mut stanzas = b"age-encryption.org/v1\n".to_vec();
    stanzas.extend(b"-> X25519 AAAA\nAAAA\n".repeat(100_000));
    let mut line = b"age-encryption.org/v1\n-> ".to_vec();
    line.resize(8 * 1024 * 1024, b'A');
    let mut endless = line.clone();
    endless.resize(100 * 1024 * 1024, b'A');
    let mut armor = b"-----BEGIN AGE ENCRYPTED FILE-----\n".to_vec();
    armor.extend(b"%%%%\n".repeat(1000));
    let header = "the header is larger than 64 KiB or has more than 64 recipients";
    for (file, code, what) in [
        (stanzas, 5, header),
        (line, 5, header),
        // No file of this size is read at all.
        (endless, 2, "is larger than 24 MiB"),
        (armor, 5, "the armor is malformed"),
        (b"password: hunter2".to_vec(), 5, "not an age file"),
    ] {
        refused_file("age", "x.age", file, code, what);
    }
}

/// A program of the name a plugin would have stands in the PATH, and leaves a file when it runs.
#[test]
fn row_35_plugins_are_refused_and_never_run() {
    for key in [
        "AGE-PLUGIN-YUBIKEY-1QQPQYZQSRJE6Z2",
        "AGE-PLUGIN-../X-1QQ",
        "# a comment\nAGE-PLUGIN-YUBIKEY-1QQ",
    ] {
        let desk = Desk::new()
            .keys("age: [{file: plugin.key}]")
            .carry("age: x25519.age", "path: out, format: raw");
        desk.put("plugin.key", format!("{key}\n"));
        desk.put("x25519.age", vector("age/made/x25519.age"));
        for name in ["age-plugin-yubikey", "age-plugin-x", "x"] {
            let program = desk.put(name, "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\n");
            std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        desk.run(&["check"]).expect(0);
        let path = format!("{}:/usr/bin:/bin", desk.folder.path().display());
        let output = crate::support::run::keyferry()
            .dir(desk.folder.path())
            .env("PATH", path)
            .args(["job"])
            .run()
            .expect(6);
        assert!(
            output
                .stderr
                .contains("is a plugin identity; keyferry runs no programs"),
            "{}",
            output.stderr
        );
        assert!(!output.stderr.contains("YUBIKEY"), "{}", output.stderr);
        assert!(!desk.folder.path().join("ran").exists());
        desk.assert_nothing_left(&output);
    }
}

/// Three whole chunks, and a fourth that is damaged, cut or absent.
#[test]
fn row_36_nothing_of_a_payload_is_released_when_its_end_is_damaged() {
    let recipient: ::age::x25519::Recipient = RECIPIENT.parse().unwrap();
    let recipients = std::iter::once(&recipient as &dyn ::age::Recipient);
    let encryptor = ::age::Encryptor::with_recipients(recipients).unwrap();
    let mut file = Vec::new();
    let mut writer = encryptor.wrap_output(&mut file).unwrap();
    writer
        .write_all(&b"canary-value-7\n".repeat(15_000))
        .unwrap();
    writer.finish().unwrap();

    let whole = Desk::new().carry("age: long.age", "path: out, format: raw");
    whole.put("long.age", &file);
    whole.run(&["job"]).expect(0);
    assert_eq!(whole.read("out").len(), 15 * 15_000);

    let last = file.len() - 1;
    let mut flipped = file.clone();
    flipped[last] ^= 1;
    let three_chunks = file.len() - (15 * 15_000 - 3 * 64 * 1024) - 16;
    for damaged in [
        flipped,
        file[..last].to_vec(),
        file[..three_chunks].to_vec(),
        [file, b"x".to_vec()].concat(),
    ] {
        let what = "the payload is damaged or cut short; nothing of it was used";
        refused_file("age", "long.age", damaged, 5, what);
    }
}

/// An age file is refused as a whole too when what opens is not what its name says.
#[test]
fn row_37_what_is_inside_is_held_to_its_format() {
    let recipient: ::age::x25519::Recipient = RECIPIENT.parse().unwrap();
    for (name, inside, code, what) in [
        (
            "x.yaml.age",
            "password: canary-\npassword: canary-\n",
            5,
            "twice",
        ),
        ("x.yaml.age", "a: [canary-", 5, ""),
        ("x.json.age", "{\"a\":\"canary-\"", 5, ""),
        ("x.env.age", "canary-\n", 5, ""),
    ] {
        let file = ::age::encrypt(&recipient, inside.as_bytes()).unwrap();
        refused_file("age", name, file, code, what);
    }
}
