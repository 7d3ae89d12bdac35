//! SealedSecrets beside the tools that make them: kubeseal seals and recovers, Go renders, and we
//! must say the same.

mod opening;
mod sources;
mod templates;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aws_lc_rs::rsa::KeySize;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry::base::material::SecretBytes;
use keyferry::envelope::manifest::Manifest;
use keyferry::envelope::sealed::{Keyring, parse, unseal};
use serde_json::{Value, json};

use crate::support::sealing::{Key, kubeseal};

/// Keys of the three usual sizes, made once.
fn keys() -> &'static [Key; 3] {
    static KEYS: OnceLock<[Key; 3]> = OnceLock::new();
    KEYS.get_or_init(|| {
        [
            ("small", KeySize::Rsa2048),
            ("middle", KeySize::Rsa3072),
            ("large", KeySize::Rsa4096),
        ]
        .map(|(name, size)| Key::new(name, size))
    })
}

fn keyring(files: &[&str]) -> Keyring {
    let mut keys = Keyring::default();
    for file in files {
        keys.add("test", &SecretBytes::from(*file)).expect("a key");
    }
    keys
}

fn seal(key: &Key, scope: &str, secret: &Value) -> String {
    let certificate = key.certificate.display().to_string();
    kubeseal(
        &["--cert", &certificate, "--scope", scope, "-o", "yaml"],
        secret.to_string(),
    )
    .expect(0)
    .stdout
}

/// What kubeseal recovers, or its refusal.
fn recover(sealed: &str, key_files: &[&str]) -> Result<Value, String> {
    let done = kubeseal(
        &[
            "--recovery-unseal",
            "--recovery-private-key",
            &key_files.join(","),
            "-o",
            "json",
        ],
        sealed,
    );
    if done.code == 0 {
        Ok(serde_json::from_str(&done.stdout).expect("kubeseal writes JSON"))
    } else {
        Err(done.stderr)
    }
}

fn open(sealed: &str, keys: &Keyring) -> Result<Manifest, String> {
    let mut found = parse(sealed.as_bytes()).map_err(|error| error.to_string())?;
    assert_eq!(found.len(), 1, "{sealed}");
    Ok(unseal(&found.remove(0), keys)
        .map_err(|error| error.to_string())?
        .secret)
}

/// All that both sides must agree on.
fn assert_same(ours: &Manifest, theirs: &Value) {
    let data: BTreeMap<String, Vec<u8>> = theirs["data"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            (
                key.clone(),
                STANDARD
                    .decode(value.as_str().unwrap_or_default())
                    .expect("base64"),
            )
        })
        .collect();
    let opened: BTreeMap<String, Vec<u8>> = ours
        .data
        .iter()
        .map(|(key, value)| (key.clone(), value.expose().to_vec()))
        .collect();
    assert_eq!(opened, data);
    assert_eq!(
        Some(ours.name.as_str()),
        theirs["metadata"]["name"].as_str()
    );
    assert_eq!(
        ours.namespace.as_deref(),
        theirs["metadata"]["namespace"].as_str()
    );
    assert_eq!(ours.kind, theirs["type"].as_str().unwrap_or("Opaque"));
    assert_eq!(
        ours.immutable,
        theirs["immutable"].as_bool().unwrap_or(false)
    );
    let texts = |map: &BTreeMap<String, String>| serde_json::to_value(map).expect("a map");
    let or_empty = |value: &Value| {
        if value.is_null() {
            json!({})
        } else {
            value.clone()
        }
    };
    assert_eq!(texts(&ours.labels), or_empty(&theirs["metadata"]["labels"]));
    assert_eq!(
        texts(&ours.annotations),
        or_empty(&theirs["metadata"]["annotations"])
    );
}

/// A Secret with values of all sizes; the same for the same `seed`.
fn secret(seed: u8, sizes: &[usize]) -> Value {
    let data: BTreeMap<String, String> = sizes
        .iter()
        .map(|size| {
            let bytes: Vec<u8> = (0..*size)
                .map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed))
                .collect();
            (format!("k.{size}_{seed}"), STANDARD.encode(bytes))
        })
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "example.org/kind", "immutable": seed.is_multiple_of(2),
        "metadata": {"name": "app", "namespace": "platform", "labels": {"a": "b"}, "annotations": {"c": "d"}},
        "data": data,
    })
}
