//! Every kind of recipient that sops writes and we can be: each opens alone, and the report names
//! it.

use std::path::Path;

use keyferry::base::material::SecretBytes;
use keyferry::envelope::age::{self, Identity};
use keyferry::envelope::sops::{self, SopsPolicy};
use keyferry::format::document::DocumentFormat;

use super::{Desk, FORMATS, values};

fn made(name: &str) -> SecretBytes {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/age/made");
    SecretBytes::from(std::fs::read(folder.join(name)).unwrap())
}

fn identities() -> Vec<Identity> {
    let mut all = Vec::new();
    for name in ["x25519.key", "hybrid.key"] {
        all.extend(age::identities(&made(name)).unwrap());
    }
    for name in ["ssh_ed25519", "ssh_rsa2048", "ssh_rsa4096"] {
        all.push(Identity::ssh(&made(name)).unwrap());
    }
    all
}

fn plain(format: DocumentFormat) -> &'static [u8] {
    match format {
        DocumentFormat::Yaml => b"a:\n  b: [canary-value-7, 2]\n",
        DocumentFormat::Json => b"{\"a\":{\"b\":[\"canary-value-7\",2]}}",
        DocumentFormat::Dotenv => b"A=canary-value-7\n",
        DocumentFormat::Ini => b"[a]\nb = canary-value-7\n",
        DocumentFormat::Raw => b"\x00canary-value-7\n",
    }
}

#[test]
fn files_of_every_kind_of_recipient_open_with_its_key_alone() {
    let desk = Desk::new();
    for identity in identities() {
        for format in FORMATS {
            let recipient = identity.recipient().to_owned();
            let groups = [vec![desk.stranger.clone(), recipient.clone()]];
            let file = desk.encrypt(plain(format), format, &groups, "").unwrap();
            let told = sops::recipients(&file, format).unwrap();
            let told: Vec<&str> = told.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(told, [desk.stranger.as_str(), recipient.as_str()]);
            let keys = std::slice::from_ref(&identity);
            let opened = sops::open(&file, format, keys, SopsPolicy::default()).unwrap();
            assert_eq!(opened.by, [recipient], "{format:?}");
            assert!(
                format!("{:?}", values(&opened.documents)).contains("canary")
                    || format == DocumentFormat::Raw
            );
        }
    }
}

/// What sops delivers of a file whose clear values were changed, we deliver of its encrypted ones,
/// and know the others.
#[test]
fn clear_values_outside_of_the_checksum_are_known_one_by_one() {
    let desk = Desk::new();
    let rule = "    mac_only_encrypted: true\n    unencrypted_suffix: _clear\n";
    let own = desk.keys[0].recipient().to_owned();
    let plain =
        b"a: secret\nb_clear: open\nlist:\n  # a comment\n  - c: secret\n  - d_clear: [1, x]\n";
    let file = desk
        .encrypt(plain, DocumentFormat::Yaml, &[vec![own]], rule)
        .unwrap();
    let changed = String::from_utf8(file)
        .unwrap()
        .replace("open", "evil")
        .into_bytes();
    let expected = desk.decrypt(&changed, DocumentFormat::Yaml).unwrap();
    let opened = sops::open_in_part(
        &changed,
        DocumentFormat::Yaml,
        &desk.keys,
        SopsPolicy::default(),
    )
    .unwrap();
    assert_eq!(values(&opened.documents), expected);
    assert!(opened.clear_is_unverified);
    let clear: Vec<String> = opened
        .clear
        .iter()
        .map(|leaf| leaf.steps.join("."))
        .collect();
    assert_eq!(clear, ["b_clear", "list.1.d_clear.0", "list.1.d_clear.1"]);
    assert!(desk.open(&changed, DocumentFormat::Yaml, false).is_err());
    assert!(desk.open(&changed, DocumentFormat::Yaml, true).is_ok());
}

/// Beyond the number that is told one by one the whole file is refused, unless its clear values are
/// allowed.
#[test]
fn too_many_clear_values_outside_of_the_checksum_are_refused_as_a_whole() {
    let desk = Desk::new();
    let own = vec![vec![desk.keys[0].recipient().to_owned()]];
    let lines =
        |count: usize| -> String { (0..count).map(|at| format!("k{at}_clear: x\n")).collect() };
    for (count, rule, refused) in [
        (sops::MAX_CLEAR, "    mac_only_encrypted: true\n", false),
        (sops::MAX_CLEAR + 1, "    mac_only_encrypted: true\n", true),
        (sops::MAX_CLEAR + 1, "", false),
    ] {
        let plain = format!("secret: s\n{}", lines(count));
        let rule = format!("{rule}    unencrypted_suffix: _clear\n");
        let format = DocumentFormat::Yaml;
        let file = desk.encrypt(plain.as_bytes(), format, &own, &rule).unwrap();
        let strict = sops::open_in_part(&file, format, &desk.keys, SopsPolicy::default());
        match strict {
            Ok(opened) => {
                assert!(!refused);
                assert_eq!(opened.clear.len(), sops::MAX_CLEAR);
            }
            Err(error) => assert!(refused && error == sops::SopsError::TooManyClear, "{error}"),
        }
        assert!(desk.open(&file, format, true).is_ok());
    }
}
