//! What people keep as backups of sealing keys, and what they keep by mistake.

use super::{KEY_LABEL, Keyring};
use crate::base::failure::{Class, Failure};
use crate::base::material::SecretBytes;

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/vectors/sealed/", $name))
    };
}

/// As `ssh-keygen -lf` shows them.
const OLD: &str = "SHA256:vV6vlroNvNbKCQH6bRo8eM5dsZp6PVTyZS8oguGHf6Y";
const NEW: &str = "SHA256:+OFZ7NgbblZ/ISWcRAM1XlDvF0FTI2bEaCK+156iTTY";

fn add(text: &str) -> Result<Keyring, Failure> {
    let mut keys = Keyring::default();
    keys.add("main.key", &SecretBytes::from(text))?;
    Ok(keys)
}

#[test]
fn keys_are_found_in_all_that_people_keep() {
    let backup = vector!("backup.yaml");
    let with_legacy = format!(
        "{backup}---\n{}",
        backup.replace(
            "      sealedsecrets.bitnami.com/sealed-secrets-key: active\n",
            "      a: b\n"
        )
    );
    let one = |text: &str| {
        text.split("- apiVersion")
            .nth(1)
            .expect("an item")
            .replace("\n  ", "\n")
            .replacen("", "apiVersion", 1)
    };
    let single = one(backup);
    for (what, text, prints) in [
        ("PKCS#1", vector!("old.pem").to_owned(), &[OLD][..]),
        ("PKCS#8", vector!("old.pkcs8.pem").to_owned(), &[OLD]),
        (
            "line ends of Windows",
            vector!("old.pem").replace('\n', "\r\n"),
            &[OLD],
        ),
        (
            "text around",
            format!(
                "Bag Attributes\n  x: y\n{}{}\n",
                vector!("old.crt"),
                vector!("old.pem")
            ),
            &[OLD],
        ),
        (
            "both",
            format!(
                "{}{}{}",
                vector!("new.pem"),
                vector!("old.pem"),
                vector!("old.pkcs8.pem")
            ),
            &[NEW, OLD],
        ),
        ("a backup", backup.to_owned(), &[OLD]),
        (
            "a backup with the key of old controllers",
            with_legacy,
            &[OLD],
        ),
        ("one Secret", single, &[OLD]),
    ] {
        let keys = add(&text).expect(what);
        assert_eq!(keys.fingerprints(), prints, "{what}");
    }
}

#[test]
fn a_compromised_key_is_passed_over_and_named() {
    let keys = add(vector!("backup.yaml")).expect("a backup");
    assert_eq!(
        keys.passed_over(),
        ["secret kube-system/sealed-secrets-keyh9k4r in main.key"]
    );
    let all = vector!("backup.yaml").replace("key: active", "key: compromised");
    let failure = add(&all).expect_err("none is left");
    assert!(
        failure
            .what
            .starts_with("main.key holds no active sealing key: secret kube-system/"),
        "{failure}"
    );
}

#[test]
fn what_is_no_sealing_key_is_told_by_what_it_is() {
    let old = vector!("old.pem");
    let cut = old.replace("-----END RSA PRIVATE KEY-----", "");
    let bent: String = old
        .lines()
        .enumerate()
        .map(|(at, line)| {
            if at == 5 {
                "AAAA\n".to_owned()
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    let not_base64 = old.replacen("\nMII", "\n!!!", 1);
    let locked = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: \
        AES-128-CBC,3FDD282A07C73ED9D50B45A2823D9A28\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let locked8 =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let ec = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/nIOdlmOfYA3SLx8\n5wwlEyPM7f/Xu00bTVnTDAN0RCKhRANCAASVwpAy3YfLxspTNZWdWt3UEuJc+GaJ\nMM4tpvEMBh0UyUfQHalkNbiE3ny40Lcy/lhZqU+Bcp6vnwEkzBL93kop\n-----END PRIVATE KEY-----\n";
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    let small = vector!("small.pem");
    let secret = |data: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: k, namespace: ns, labels: \
             {{{KEY_LABEL}: active}}}}\ndata: {data}\n"
        )
    };
    for (text, what) in [
        (
            vector!("old.crt"),
            "main.key holds a certificate, and no private key",
        ),
        (cut.as_str(), "main.key holds a damaged private key"),
        (&bent, "main.key holds a damaged private key"),
        (&not_base64, "main.key holds a damaged private key"),
        (
            locked,
            "main.key holds a private key that is encrypted with a passphrase",
        ),
        (
            locked8,
            "main.key holds a private key that is encrypted with a passphrase",
        ),
        (
            ec,
            "main.key holds a private key that is not RSA, or not in PKCS#1 or PKCS#8",
        ),
        (
            ssh,
            "main.key holds a private key that is not RSA, or not in PKCS#1 or PKCS#8",
        ),
        (
            small,
            "main.key holds an RSA key of 1024 bits: 2048 to 8192 are used",
        ),
        ("", "main.key holds no sealing key"),
        (
            "a: [",
            "main.key is no sealing key: YAML is malformed at line 1 column 4",
        ),
        (
            "AGE-SECRET-KEY-1QQQ",
            "main.key is no backup of sealing keys: document: it is no mapping",
        ),
        (
            "kind: ConfigMap\napiVersion: v1",
            "main.key is no backup of sealing keys: a document of kind `v1 ConfigMap` is no Secret",
        ),
        (
            &secret("{tls.crt: AA==}"),
            "secret ns/k in main.key has no `tls.key`",
        ),
        (
            &secret("{tls.key: /w==}"),
            "secret ns/k in main.key holds a damaged private key",
        ),
        (
            &secret("{tls.key: YQ==}"),
            "secret ns/k in main.key holds no sealing key",
        ),
        (
            &secret("{tls.key: '%'}"),
            "main.key is no backup of sealing keys: secret ns/k: `data.tls.key` is no base64",
        ),
    ] {
        let failure = add(text).expect_err(what);
        assert_eq!(
            (failure.what.as_str(), failure.class),
            (what, Class::Corrupt)
        );
        let told = format!("{failure:?}");
        assert!(!told.contains("MIIE") && !told.contains("QQQ"), "{told}");
    }
}

#[test]
fn no_bent_key_file_makes_a_panic() {
    let mut seed = 0x9e37_79b9_u64;
    for text in [
        vector!("old.pem"),
        vector!("old.pkcs8.pem"),
        vector!("backup.yaml"),
    ] {
        for _ in 0..400 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = text.as_bytes().to_vec();
            let at = usize::try_from(seed >> 33).expect("64 bits") % bytes.len();
            match seed >> 20 & 3 {
                0 => bytes[at] ^= 1 << (seed >> 16 & 7),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b'A'),
                _ => bytes.truncate(at),
            }
            drop(Keyring::default().add("main.key", &SecretBytes::from(bytes)));
        }
    }
}
