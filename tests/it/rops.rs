//! Files that rops writes, in what it shares with sops: they open, and what was changed in them
//! does not.

use std::fs;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use rops::cryptography::{cipher::AES256GCM, hasher::SHA512};
use rops::file::builder::RopsFileBuilder;
use rops::file::format::{JsonFileFormat, YamlFileFormat};
use rops::file::metadata::PartialEncryptionConfig;
use rops::integration::{AgeIntegration, Integration as _};
use serde_json::{Value, json};

use crate::support::process::Scratch;
use crate::support::run::keyferry;

const PASSWORD: &str = "c4nary p@ss: #1 'é'";

fn tree() -> Value {
    json!({
        "password": PASSWORD,
        "nested": {"port": 5432, "ratio": 1.5, "on": true, "off": null, "hosts": ["a", "b c"]},
        "multi": "one\ntwo\n",
        "region_unencrypted": "eu",
    })
}

/// The text as rops encrypts it to a recipient.
macro_rules! closed {
    ($format:ty, $text:expr, $recipient:expr) => {
        RopsFileBuilder::<$format>::new(&$text)
            .unwrap()
            .with_partial_encryption(PartialEncryptionConfig::UnencryptedSuffix(
                "_unencrypted".to_owned(),
            ))
            .add_integration_key::<AgeIntegration>(
                AgeIntegration::parse_key_id(&$recipient).unwrap(),
            )
            .encrypt::<AES256GCM, SHA512>()
            .unwrap()
            .to_string()
    };
}

#[test]
fn what_rops_writes_opens_unless_it_was_changed() {
    let key = Identity::generate();
    let recipient = key.to_public().to_string();
    // JSON is YAML too; rops writes each in its own way.
    let text = tree().to_string();
    for (name, closed) in [
        ("all.yaml", closed!(YamlFileFormat, text, recipient)),
        ("all.json", closed!(JsonFileFormat, text, recipient)),
    ] {
        assert!(closed.contains("ENC[AES256_GCM") && !closed.contains("c4nary"));
        let scratch = Scratch::new("rops");
        scratch.write("key", key.to_string().expose_secret());
        scratch.write(
            "keyferry.yaml",
            format!(
                "keys: {{age: [{{file: key}}]}}\ndeliveries: [{{name: all, from: [{{sops: \
                {name}}}], to: [{{file: {{path: out.json}}}}]}}]\n"
            ),
        );
        let job = || keyferry().args(["job"]).dir(scratch.path()).run();
        scratch.write(name, &closed);
        job().expect(0).assert_no_canary(&[PASSWORD]);
        let out = fs::read(scratch.path().join("out.json")).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&out).unwrap(),
            tree(),
            "{name}"
        );
        // A clear value is under the checksum as well.
        scratch.write(name, closed.replace("eu", "us"));
        job().expect(5);
        let left = fs::read(scratch.path().join("out.json")).unwrap();
        assert_eq!(left, out, "{name}: nothing was emptied");
    }
}
