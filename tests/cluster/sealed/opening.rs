//! Opening: whatever kubeseal recovers we open, and what it refuses we refuse.

use std::time::{Duration, Instant};

use aws_lc_rs::rsa::KeySize;
use keyferry::base::material::SecretBytes;
use keyferry::envelope::sealed::{Keyring, parse, unseal};
use serde_json::{Value, json};

use super::{Key, assert_same, keyring, keys, kubeseal, open, recover, seal, secret};
use crate::support::process::Scratch;

const SCOPES: [&str; 3] = ["strict", "namespace-wide", "cluster-wide"];

#[test]
fn all_scopes_keys_and_sizes_open_as_kubeseal_recovers_them() {
    let ring = keyring(&[&keys()[0].pem, &keys()[1].pem, &keys()[2].pem]);
    let mut seed = 0;
    for key in keys() {
        for scope in SCOPES {
            seed += 1;
            let sealed = seal(
                key,
                scope,
                &secret(seed, &[0, 1, 15, 16, 17, 4096, 100_000]),
            );
            let theirs = recover(&sealed, &[&key.pem_file.display().to_string()])
                .expect("kubeseal opens its own");
            assert_same(&open(&sealed, &ring).expect(scope), &theirs);
        }
    }
}

#[test]
fn items_of_several_keys_in_one_object_open_and_the_report_names_them() {
    let [old, _, new] = keys();
    let mut sealed: Value = serde_json::from_str(
        &kubeseal(
            &["--cert", &old.certificate.display().to_string()],
            secret(1, &[5, 50, 500]).to_string(),
        )
        .expect(0)
        .stdout,
    )
    .expect("kubeseal writes JSON");
    for (scope, size) in [("strict", 7), ("strict", 70)] {
        let args = [
            "--raw",
            "--scope",
            scope,
            "--name",
            "app",
            "-n",
            "platform",
            "--from-file",
            "/dev/stdin",
            "--cert",
        ];
        let certificate = new.certificate.display().to_string();
        let raw = kubeseal(&[&args[..], &[&certificate]].concat(), vec![b'r'; size])
            .expect(0)
            .stdout;
        sealed["spec"]["encryptedData"][format!("raw{size}")] = json!(raw);
    }
    let mut found = parse(sealed.to_string().as_bytes()).expect("well formed");
    let opened = unseal(&found.remove(0), &keyring(&[&new.pem, &old.pem])).expect("it opens");
    assert_eq!(opened.opened_by.len(), 2);
    let theirs = recover(
        &sealed.to_string(),
        &[&old.pem_file, &new.pem_file].map(|file| file.to_str().expect("UTF-8")),
    );
    assert_same(&opened.secret, &theirs.expect("kubeseal opens it"));
    let told = open(&sealed.to_string(), &keyring(&[&old.pem])).expect_err("a key is missing");
    assert_eq!(
        told,
        "sealed secret platform/app: no key opens `raw7` (scope strict)"
    );
}

#[test]
fn backups_of_the_controllers_secrets_are_read_as_kubeseal_reads_them() {
    let [old, retired, new] = keys();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [old.secret("one", "active"), new.secret("two", "active")]});
    let both = json!({"apiVersion": "v1", "kind": "List", "items": [old.secret("one", "compromised"), new.secret("two", "active")]});
    let folder = Scratch::new("backup");
    let yaml = format!(
        "---\n{}\n---\n{}\n",
        old.secret("a", "active"),
        retired.secret("b", "active")
    );
    for (backup, key, opens) in [
        (list.to_string(), new, true),
        (yaml, retired, true),
        (both.to_string(), old, false),
    ] {
        let file = folder.write("main.key", &backup);
        let sealed = seal(key, "strict", &secret(3, &[10]));
        // kubeseal uses a retired key as well: it does not look at labels. The controller, and we,
        // do.
        let theirs = recover(&sealed, &[&file.display().to_string()]).expect("kubeseal opens it");
        match open(&sealed, &keyring(&[&backup])) {
            Ok(ours) => {
                assert!(opens);
                assert_same(&ours, &theirs);
            }
            Err(told) => assert!(!opens, "{told}"),
        }
    }
}

/// Whatever kubeseal refuses we refuse, and what we open is what was sealed. (Where we refuse more,
/// the row says so.)
#[test]
fn what_was_moved_or_damaged_is_judged_as_by_kubeseal() {
    let key = &keys()[0];
    let ring = keyring(&[&key.pem]);
    let annotated = |name: &str| {
        format!("metadata:\n  annotations:\n    sealedsecrets.bitnami.com/{name}: \"true\"\n")
    };
    let mut judged = [0, 0];
    for scope in SCOPES {
        let sealed = seal(key, scope, &secret(9, &[3, 33]));
        let untold = sealed
            .replace("      name: app\n", "")
            .replace("      namespace: platform\n", "");
        let mut changed = vec![
            untold.replacen("  name: app", "  name: other", 1),
            untold.replacen("  namespace: platform", "  namespace: other", 1),
            untold.replacen(
                "metadata:\n  annotations:\n    sealedsecrets.bitnami.com/cluster-wide: \"true\"\n",
                "metadata:\n",
                1,
            ),
            untold.replacen("metadata:\n", &annotated("cluster-wide"), 1),
            untold.replacen("metadata:\n", &annotated("namespace-wide"), 1),
            untold.replace("cluster-wide", "namespace-wide"),
            untold.replace("namespace-wide", "cluster-wide"),
            untold.replacen("spec:\n", "spec:\n  data: AQID\n", 1),
        ];
        let start = untold.find("AQ").expect("a ciphertext of 2048 bits");
        for step in 0..24 {
            let at = start + step * 17;
            let mut bytes = untold.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            changed.push(String::from_utf8(bytes).expect("ASCII"));
        }
        for text in changed {
            let theirs = recover(&text, &[&key.pem_file.display().to_string()]);
            match (open(&text, &ring), theirs) {
                (Ok(ours), Ok(theirs)) => {
                    judged[0] += 1;
                    assert_same(&ours, &theirs);
                }
                (Ok(_), Err(theirs)) => panic!("kubeseal refuses ({theirs}) what we open:\n{text}"),
                // Two keys of one name in YAML: kubeseal takes the last, we refuse.
                (Err(ours), Ok(_)) => assert!(ours.contains("twice"), "{ours}\n{text}"),
                (Err(ours), Err(_)) => {
                    judged[1] += 1;
                    assert!(
                        ours.contains("no key opens")
                            || ours.contains("too short")
                            || ours.contains("both")
                            || ours.contains("YAML"),
                        "{ours}"
                    );
                }
            }
        }
    }
    assert!(judged[0] >= 6 && judged[1] >= 70, "{judged:?}");
}

/// Row 40: 100 keys and 50 values in bounded time. Each value has a key of its own among them, so
/// none is found by remembering.
#[test]
fn many_keys_and_values_open_in_bounded_time() {
    let made: Vec<Key> = (0..100)
        .map(|at| Key::new(&format!("many{at}"), KeySize::Rsa2048))
        .collect();
    let mut keys = Keyring::default();
    for key in &made {
        keys.add("many", &SecretBytes::from(key.pem.as_str()))
            .expect("a key");
    }
    let same_key = seal(
        &made[99],
        "strict",
        &secret(1, &(1..=50).collect::<Vec<_>>()),
    );
    let start = Instant::now();
    assert_eq!(open(&same_key, &keys).expect("it opens").data.len(), 50);
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    let mut scattered: Value = json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "app", "namespace": "platform"}, "spec": {"encryptedData": {}},
    });
    for (at, key) in made.iter().step_by(2).enumerate() {
        let sealed = seal(key, "strict", &secret(1, &[at + 1]));
        let line = sealed
            .lines()
            .find(|line| line.starts_with("    k."))
            .expect("one value");
        let (name, blob) = line.trim().split_once(": ").expect("a key and its value");
        scattered["spec"]["encryptedData"][name] = json!(blob);
    }
    let start = Instant::now();
    assert_eq!(
        open(&scattered.to_string(), &keys)
            .expect("it opens")
            .data
            .len(),
        50
    );
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}
