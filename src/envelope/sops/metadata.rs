//! What the `sops` part of a file says: who can open it, what is encrypted, and the checksum.

use crate::envelope::time::Time;
use crate::material::{Node, SecretBytes};

use super::SopsError;
use super::keys::{MAX_KEY_BYTES, MAX_RECIPIENTS};
use super::rules::Rule;
use super::value::{Cipher, Kind};

/// Lists of keys that are not age's, and what they are called.
const FOREIGN: [(&str, &str); 6] = [
    ("pgp", "PGP"),
    ("kms", "AWS KMS"),
    ("gcp_kms", "GCP KMS"),
    ("azure_kv", "Azure Key Vault"),
    ("hc_vault", "Vault transit"),
    ("hckms", "Huawei Cloud KMS"),
];
/// What the names of recipients may measure in a message.
const MAX_NAME: usize = 200;

/// One way to the data key, or to a share of it.
pub(super) struct Group<'a> {
    pub(super) age: Vec<Entry<'a>>,
    /// Other kinds of keys, as a person calls them.
    pub(super) foreign: Vec<&'static str>,
}

/// The data key for one recipient.
pub(super) struct Entry<'a> {
    /// As the file says; covered by nothing.
    pub(super) recipient: String,
    /// An armored age file.
    pub(super) encrypted: &'a [u8],
}

pub(super) struct Metadata<'a> {
    pub(super) groups: Vec<Group<'a>>,
    /// How many groups it takes when there are several.
    pub(super) threshold: usize,
    pub(super) rule: Rule,
    /// Whether the checksum covers encrypted values only.
    pub(super) mac_only_encrypted: bool,
    mac: &'a [u8],
    /// What binds the checksum to its time.
    last_modified: String,
}

impl<'a> Metadata<'a> {
    pub(super) fn read(node: &'a Node) -> Result<Self, SopsError> {
        if !matches!(node, Node::Map(_)) {
            return Err(SopsError::NotSops);
        }
        let last_modified = word(node, "lastmodified")?
            .and_then(Time::rfc3339)
            .ok_or(SopsError::Metadata("lastmodified"))?;
        if !word(node, "version")?.is_some_and(is_version) {
            return Err(SopsError::Metadata("version"));
        }
        let mac = match field(node, "mac") {
            None | Some(Node::Null) => return Err(SopsError::NoMac),
            Some(Node::Text(mac)) if mac.is_empty() => return Err(SopsError::NoMac),
            Some(Node::Text(mac)) => mac.expose(),
            Some(_) => return Err(SopsError::Metadata("mac")),
        };
        Ok(Self {
            groups: groups(node)?,
            threshold: threshold(node)?,
            rule: Rule::read(node)?,
            mac_only_encrypted: truth(node, "mac_only_encrypted")?,
            mac,
            last_modified: last_modified.seconds(),
        })
    }

    /// The checksum that the file was written with.
    pub(super) fn opened_mac(&self, cipher: &Cipher) -> Result<SecretBytes, SopsError> {
        match cipher.open(self.mac, &self.last_modified) {
            Ok((Kind::Text, mac)) => Ok(mac),
            _ => Err(SopsError::Mac),
        }
    }

    /// All recipients, as the file says.
    pub(super) fn recipients(&self) -> Vec<String> {
        let entries = self.groups.iter().flat_map(|group| &group.age);
        entries.map(|entry| entry.recipient.clone()).collect()
    }
}

/// Three numbers and what a build adds: SOPS opens no file without.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits && (part == "0" || !part.starts_with('0'))
    };
    core.split('.').count() == 3 && core.split('.').all(number)
}

/// A field that is there at most once: the parsers see to it.
pub(super) fn field<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match node {
        Node::Map(entries) => entries
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, node)| node),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => None,
    }
}

/// A text that is not empty; SOPS takes an empty one for none.
pub(super) fn word<'a>(node: &'a Node, name: &'static str) -> Result<Option<&'a str>, SopsError> {
    match field(node, name) {
        None | Some(Node::Null) => Ok(None),
        Some(Node::Text(text)) => {
            let text = text.expose_str().ok_or(SopsError::Metadata(name))?;
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        Some(_) => Err(SopsError::Metadata(name)),
    }
}

/// Formats without types spell it.
fn truth(node: &Node, name: &'static str) -> Result<bool, SopsError> {
    match field(node, name) {
        None | Some(Node::Null) => Ok(false),
        Some(Node::Bool(value)) => Ok(*value),
        Some(Node::Number(text) | Node::Text(text)) => match text.expose() {
            b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Ok(true),
            b"" | b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Ok(false),
            _ => Err(SopsError::Metadata(name)),
        },
        Some(Node::List(_) | Node::Map(_)) => Err(SopsError::Metadata(name)),
    }
}

fn threshold(node: &Node) -> Result<usize, SopsError> {
    let wrong = SopsError::Metadata("shamir_threshold");
    match field(node, "shamir_threshold") {
        None | Some(Node::Null) => Ok(2),
        Some(Node::Number(text) | Node::Text(text)) => match text.expose_str() {
            Some("") => Ok(2),
            Some(text) => Ok(text.parse::<usize>().map_err(|_| wrong)?.max(2)),
            None => Err(wrong),
        },
        Some(Node::Bool(_) | Node::List(_) | Node::Map(_)) => Err(wrong),
    }
}

/// Keys at the top are one group; otherwise there are groups by name. Empty lists, as old versions write them, are none.
fn groups(node: &Node) -> Result<Vec<Group<'_>>, SopsError> {
    let top = group(node)?;
    let groups = if !top.age.is_empty() || !top.foreign.is_empty() {
        vec![top]
    } else {
        let groups = list(node, "key_groups")?.iter().map(group);
        groups.collect::<Result<Vec<_>, _>>()?
    };
    if groups.is_empty() {
        return Err(SopsError::Metadata("age"));
    }
    let entries = || groups.iter().flat_map(|group| &group.age);
    let bytes: usize = entries().map(|entry| entry.encrypted.len()).sum();
    if groups.len() > 255 || entries().count() > MAX_RECIPIENTS || bytes > MAX_KEY_BYTES {
        return Err(SopsError::TooManyKeys);
    }
    Ok(groups)
}

fn group(node: &Node) -> Result<Group<'_>, SopsError> {
    let mut foreign = Vec::new();
    for (name, word) in FOREIGN {
        if !list(node, name)?.is_empty() {
            foreign.push(word);
        }
    }
    let age = list(node, "age")?.iter().map(entry);
    Ok(Group {
        age: age.collect::<Result<_, _>>()?,
        foreign,
    })
}

fn entry(node: &Node) -> Result<Entry<'_>, SopsError> {
    let recipient = word(node, "recipient")?.unwrap_or("an unnamed recipient");
    let encrypted = word(node, "enc")?.ok_or(SopsError::Metadata("enc"))?;
    Ok(Entry {
        recipient: recipient
            .chars()
            .take(MAX_NAME)
            .flat_map(char::escape_debug)
            .collect(),
        encrypted: encrypted.as_bytes(),
    })
}

fn list<'a>(node: &'a Node, name: &'static str) -> Result<&'a [Node], SopsError> {
    match field(node, name) {
        None | Some(Node::Null) => Ok(&[]),
        Some(Node::List(items)) => Ok(items),
        Some(_) => Err(SopsError::Metadata(name)),
    }
}
