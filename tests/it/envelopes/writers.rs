//! Files as old and new versions of sops write them: each opens to the very tree that was
//! encrypted.

use std::fs;
use std::path::Path;

use keyferry::base::material::{Node, SecretBytes};
use keyferry::envelope::age::{self, Identity};
use keyferry::envelope::sops::{self, SopsError, SopsPolicy};
use keyferry::format::document::{self, DocumentFormat};

use super::vector;

const FORMATS: [(&str, DocumentFormat); 5] = [
    ("yaml", DocumentFormat::Yaml),
    ("json", DocumentFormat::Json),
    ("env", DocumentFormat::Dotenv),
    ("ini", DocumentFormat::Ini),
    ("bin", DocumentFormat::Raw),
];
/// What every version wrote; `NAME.EXTENSION` in `tests/vectors/sops/versions/VERSION/`.
const ALL: &[&str] = &[
    "default.bin",
    "default.env",
    "default.ini",
    "default.json",
    "default.yaml",
    "encrypted-regex.yaml",
    "encrypted-suffix.env",
    "encrypted-suffix.json",
    "groups.bin",
    "groups.json",
    "groups.yaml",
    "recipients.env",
    "recipients.ini",
    "recipients.yaml",
    "unencrypted-regex.json",
    "unencrypted-suffix.ini",
    "unencrypted-suffix.yaml",
];
/// Since 3.9.
const MAC_ONLY: &[&str] = &["mac-only.env", "mac-only.yaml"];
/// Since 3.10; before, sops wrote no key groups into a `.env` file, and into an INI file what it
/// could not read itself.
const NEWEST: &[&str] = &[
    "encrypted-comment.yaml",
    "groups.env",
    "groups.ini",
    "unencrypted-comment.yaml",
];

fn keys() -> Vec<Identity> {
    age::identities(&SecretBytes::from(vector("age/made/x25519.key"))).expect("a key file")
}

fn format(extension: &str) -> DocumentFormat {
    let found = FORMATS.iter().find(|(name, _)| *name == extension);
    found.expect("a known extension").1
}

fn open(file: &str, allow_unauthenticated: bool) -> Result<Vec<Node>, SopsError> {
    let (_, extension) = file.rsplit_once('.').expect("it has an extension");
    let policy = SopsPolicy {
        allow_unauthenticated,
    };
    sops::open(&vector(file), format(extension), &keys(), policy).map(|opened| opened.documents)
}

/// What was encrypted, read as any other plain document.
fn plain(extension: &str) -> Vec<Node> {
    let bytes = SecretBytes::from(vector(&format!("sops/versions/plain.{extension}")));
    document::parse(bytes, format(extension)).expect("the plain file is well formed")
}

/// The trees are equal. They are no secrets, yet a `Node` shows none of its leaves: the file's name
/// must do.
#[track_caller]
fn opens(file: &str) {
    let (_, extension) = file.rsplit_once('.').expect("it has an extension");
    match open(file, true) {
        Ok(documents) => assert_eq!(documents, plain(extension), "{file}"),
        Err(error) => panic!("{file}: {error}"),
    }
}

fn listed(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let entries = fs::read_dir(path.join(folder)).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("it is listed").file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.contains(".enc.")).collect();
    names.sort();
    names
}

fn every_file_opens(version: &str, expected: &[&[&str]]) {
    let folder = format!("sops/versions/{version}");
    let mut names: Vec<String> = expected.concat().iter().map(|&name| named(name)).collect();
    names.sort();
    assert_eq!(listed(&folder), names, "{version}");
    for name in names {
        opens(&format!("{folder}/{name}"));
    }
}

fn named(name: &str) -> String {
    name.replace('.', ".enc.")
}

#[test]
fn files_of_sops_3_7_open() {
    every_file_opens("3.7.3", &[ALL]);
}

#[test]
fn files_of_sops_3_9_open() {
    every_file_opens("3.9.4", &[ALL, MAC_ONLY]);
}

#[test]
fn files_of_sops_3_13_open() {
    every_file_opens("3.13.3", &[ALL, MAC_ONLY, NEWEST]);
}

#[test]
fn a_threshold_that_no_sops_reads_is_refused() {
    // 3.7.3 and 3.9.4 wrote `2.000000` into INI files; neither they nor 3.13.3 open it.
    let file = "sops/versions/groups-3.9.4.enc.ini";
    let expected = SopsError::Metadata("shamir_threshold");
    assert_eq!(open(file, true), Err(expected), "{file}");
}

#[test]
fn clear_values_that_nothing_covers_are_refused_whoever_wrote_them() {
    for file in [
        "sops/versions/3.9.4/mac-only.enc.yaml",
        "sops/versions/3.13.3/mac-only.enc.env",
    ] {
        let refused = matches!(open(file, false), Err(SopsError::Unauthenticated { .. }));
        assert!(refused, "{file}");
    }
}
