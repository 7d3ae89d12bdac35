//! age files: the vectors of the standard, files of the real tools, and damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyferry::base::failure::{Class, Failure, Fault};
use keyferry::base::material::SecretBytes;
use keyferry::envelope::age::{self, AgeError, Identity, IdentityProblem};
use sha2::{Digest, Sha256};

const CANARY: &[u8] = b"canary-value-7\n";

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/age")
}

fn made(name: &str) -> Vec<u8> {
    fs::read(vectors().join("made").join(name)).unwrap()
}

fn key(name: &str) -> Result<Vec<Identity>, AgeError> {
    age::identities(&SecretBytes::from(made(name)))
}

/// One vector of the standard's kit.
#[derive(Default)]
struct Vector {
    expect: String,
    payload: Option<String>,
    keys: Vec<Identity>,
    armored: bool,
    file: Vec<u8>,
}

impl Vector {
    fn parse(bytes: &[u8]) -> Self {
        let mut vector = Self::default();
        let mut compressed = false;
        let mut rest = bytes;
        loop {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
            let line = std::str::from_utf8(&rest[..end]).unwrap();
            rest = &rest[end + 1..];
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            match name {
                "expect" => vector.expect = value.to_owned(),
                "payload" => vector.payload = Some(value.to_owned()),
                "identity" => vector
                    .keys
                    .extend(age::identities(&SecretBytes::from(value)).unwrap()),
                "passphrase" => vector
                    .keys
                    .push(Identity::passphrase(SecretBytes::from(value))),
                "compressed" => compressed = value == "zlib",
                "armored" => vector.armored = value == "yes",
                "file key" | "comment" => {}
                other => panic!("unknown header key {other}"),
            }
        }
        vector.file = if compressed {
            miniz_oxide::inflate::decompress_to_vec_zlib(rest).unwrap()
        } else {
            rest.to_vec()
        };
        vector
    }

    /// What came of it, in the kit's words.
    fn outcome(&self) -> &'static str {
        // The kit has a payload of 16.1 MiB; our own limit is shown elsewhere.
        match age::open_up_to(17 * 1024 * 1024, &self.file, &self.keys) {
            Ok(opened) => {
                let hash: String = Sha256::digest(opened.plaintext.expose())
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                match Some(hash) == self.payload {
                    true => "success",
                    false => "another payload",
                }
            }
            Err(error) => match error {
                AgeError::NotAge if self.armored => "armor failure",
                AgeError::NotAge
                | AgeError::MalformedHeader
                | AgeError::HeaderTooLarge
                | AgeError::TooMuchWork { .. } => "header failure",
                AgeError::MalformedArmor => "armor failure",
                AgeError::HeaderMac => "HMAC failure",
                AgeError::MalformedPayload => "payload failure",
                AgeError::NoMatch { .. } => "no match",
                AgeError::TooLarge { .. }
                | AgeError::PassphraseNotOffered
                | AgeError::Line { .. }
                | AgeError::KeyFile(_) => "an error the kit does not know",
            },
        }
    }
}

#[test]
fn every_vector_of_the_standard_is_answered_as_it_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(vectors().join("testkit")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let vector = Vector::parse(&fs::read(&path).unwrap());
        let outcome = vector.outcome();
        if outcome != vector.expect {
            wrong.push(format!("{name}: {outcome} instead of {}", vector.expect));
        }
        count += 1;
    }
    wrong.sort();
    assert_eq!(wrong.join("\n"), "");
    assert_eq!(count, 147);
}

fn opens(file: &str, keys: &[&str], by: &str) {
    let keys: Vec<Identity> = keys.iter().flat_map(|name| key(name).unwrap()).collect();
    let opened = age::open(&made(file), &keys).unwrap();
    assert_eq!(opened.plaintext.expose(), CANARY, "{file}");
    assert!(opened.by.starts_with(by), "{file}: {}", opened.by);
}

#[test]
fn files_of_the_real_tool_open_and_say_with_which_key() {
    opens("x25519.age", &["x25519.key"], "age16hc");
    opens("hybrid.age", &["hybrid.key"], "age1pq1");
    opens("ssh_ed25519.age", &["ssh_ed25519"], "ssh-ed25519 AAAA");
    opens("ssh_rsa2048.age", &["ssh_rsa2048"], "ssh-rsa AAAA");
    opens("ssh_rsa4096.age", &["ssh_rsa4096"], "ssh-rsa AAAA");
    opens("three.age", &["hybrid.key", "ssh_rsa2048"], "ssh-rsa AAAA");
    opens(
        "three.age",
        &["ssh_rsa4096", "ssh_ed25519"],
        "ssh-ed25519 AAAA",
    );
    opens("three.age", &["hybrid.key", "x25519.key"], "age16hc");

    let keys = [Identity::passphrase(SecretBytes::from("throw-away-phrase"))];
    let opened = age::open(&made("passphrase.age"), &keys).unwrap();
    assert_eq!(opened.plaintext.expose(), CANARY);
    assert_eq!(opened.by, "a passphrase");
}

fn refused(file: &[u8], keys: &[Identity], class: Class, what: &str) {
    let started = Instant::now();
    let failure = Failure::from(age::open(file, keys).unwrap_err());
    assert_eq!(failure.what, what);
    assert_eq!(failure.class, class);
    assert!(started.elapsed() < Duration::from_secs(1), "{what}");
}

#[test]
fn without_the_key_the_recipients_are_listed() {
    refused(
        &made("three.age"),
        &key("hybrid.key").unwrap(),
        Class::Undecryptable,
        "age: no identity matched: it is encrypted to 1 \u{d7} X25519, 1 \u{d7} ssh-ed25519, 1 \
         \u{d7} ssh-rsa; 1 identity was tried",
    );
    refused(
        &made("hybrid.age"),
        &[],
        Class::Undecryptable,
        "age: no identity matched: it is encrypted to 1 \u{d7} mlkem768x25519; 0 identities were \
         tried",
    );
    let wrong = [Identity::passphrase(SecretBytes::from("hunter2"))];
    refused(
        &made("passphrase.age"),
        &wrong,
        Class::Undecryptable,
        "age: no identity matched: it is encrypted to 1 \u{d7} scrypt; 1 identity was tried",
    );
}

#[test]
fn a_passphrase_is_tried_only_when_one_is_configured_and_its_price_is_bounded() {
    refused(
        &made("passphrase.age"),
        &key("x25519.key").unwrap(),
        Class::Undecryptable,
        "age: it is encrypted with a passphrase, and none was configured",
    );
    let right = [Identity::passphrase(SecretBytes::from("throw-away-phrase"))];
    refused(
        &made("passphrase_19.age"),
        &right,
        Class::Corrupt,
        "age: its passphrase asks for 2^19 rounds of scrypt; at most 2^18 are done",
    );
}

#[test]
fn monsters_are_refused_at_once() {
    let keys = key("x25519.key").unwrap();
    let mut stanzas = b"age-encryption.org/v1\n".to_vec();
    stanzas.extend(b"-> X25519 AAAA\nAAAA\n".repeat(100_000));
    let too_large = "age: the header is larger than 64 KiB or has more than 64 recipients";
    refused(&stanzas, &keys, Class::Corrupt, too_large);

    let mut line = b"age-encryption.org/v1\n-> ".to_vec();
    line.resize(100 * 1024 * 1024, b'A');
    refused(&line, &keys, Class::Corrupt, too_large);

    let mut armor = b"-----BEGIN AGE ENCRYPTED FILE-----\n".to_vec();
    armor.extend(b"%%%%\n".repeat(1000));
    refused(&armor, &keys, Class::Corrupt, "age: the armor is malformed");
    armor.resize(100 * 1024 * 1024, b'A');
    refused(
        &armor,
        &keys,
        Class::Refused,
        "age: the file is larger than 16 MiB",
    );

    let large = Vector::parse(&fs::read(vectors().join("testkit/stream_258_chunks")).unwrap());
    refused(
        &large.file,
        &large.keys,
        Class::Refused,
        "age: the file is larger than 16 MiB",
    );
    refused(
        b"password: hunter2",
        &keys,
        Class::Corrupt,
        "not an age file",
    );
}

#[test]
fn ssh_keys_that_cannot_be_used_are_refused_by_name() {
    for (file, problem) in [
        ("ssh_ed25519_passphrase", IdentityProblem::EncryptedSsh),
        ("ssh_rsa_pem", IdentityProblem::ForeignSsh),
        ("ssh_ecdsa", IdentityProblem::SshType),
    ] {
        let error = key(file).unwrap_err();
        assert_eq!(error, AgeError::KeyFile(problem), "{file}");
        assert!(file == "ssh_ecdsa" || error.hint().is_some(), "{file}");
    }
    let whole = made("ssh_ed25519");
    let cut = [&whole[..100], b"\n-----END OPENSSH PRIVATE KEY-----\n"].concat();
    assert_eq!(
        Identity::ssh(&SecretBytes::from(cut)).unwrap_err(),
        AgeError::KeyFile(IdentityProblem::DamagedSsh)
    );
}

/// Every byte of every file, one at a time: no plaintext but the true one, and no panic.
#[test]
fn no_damaged_file_gives_another_plaintext() {
    for (file, keyfile) in [
        ("x25519.age", "x25519.key"),
        ("ssh_ed25519.age", "ssh_ed25519"),
        ("ssh_rsa2048.age", "ssh_rsa2048"),
        ("hybrid.age", "hybrid.key"),
    ] {
        let keys = key(keyfile).unwrap();
        let whole = made(file);
        // RSA and ML-KEM are slow without optimisation: every byte of the small files, samples of
        // the others.
        let step = whole.len() / 200 + 1;
        for at in (0..whole.len()).step_by(step) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 7);
            let cut = whole[..at].to_vec();
            for damaged in [flipped, cut] {
                if let Ok(opened) = age::open(&damaged, &keys) {
                    assert_eq!(opened.plaintext.expose(), CANARY, "{file} at {at}");
                }
            }
        }
    }
}

/// Key files bent in the same way: some other key, or an error, and no panic.
#[test]
fn damaged_key_files_do_no_harm() {
    for file in ["x25519.key", "hybrid.key", "ssh_ed25519", "ssh_rsa2048"] {
        let whole = made(file);
        for at in (0..whole.len()).step_by(whole.len() / 100 + 1) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            for damaged in [flipped, whole[..at].to_vec()] {
                if let Err(error) = age::identities(&SecretBytes::from(damaged)) {
                    let text = Failure::from(error).what;
                    assert!(!text.contains("AGE-SECRET-KEY-"), "{file} at {at}: {text}");
                }
            }
        }
    }
}
