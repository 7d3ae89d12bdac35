//! What the `sops` part of a file says: who can open it, what is encrypted, and the checksum.

use crate::base::material::{Node, SecretBytes};
use crate::format::time::Time;

use super::error::SopsError;
use super::fields::{list, shown, truth, word};
use super::limits::{MAX_KEY_BYTES, MAX_RECIPIENTS};
use super::recipient::{AGE, SopsRecipient};
use super::rules::EncryptionRule;
use super::transit::{TRANSIT, TransitKey};
use super::value::{Cipher, LeafKind};

/// Keys that cannot be used here: the list in the metadata, the name for people, and the fields
/// that name one key.
const FOREIGN: [(&str, &str, &[&str]); 5] = [
    ("pgp", "PGP", &["fp"]),
    ("kms", "AWS KMS", &["arn"]),
    ("gcp_kms", "GCP KMS", &["resource_id"]),
    ("azure_kv", "Azure Key Vault", &["vault_url", "name"]),
    ("hckms", "Huawei Cloud KMS", &["key_id"]),
];

/// One way to the data key, or to a share of it.
pub(super) struct KeyGroup<'a> {
    pub(super) age: Vec<KeyEntry<'a>>,
    pub(super) transit: Vec<TransitKey>,
    /// Keys of other kinds.
    pub(super) foreign: Vec<SopsRecipient>,
}

impl KeyGroup<'_> {
    fn is_empty(&self) -> bool {
        self.age.is_empty() && self.transit.is_empty() && self.foreign.is_empty()
    }
}

/// The data key for one recipient.
pub(super) struct KeyEntry<'a> {
    /// As the file says; the checksum does not cover it.
    pub(super) recipient: String,
    /// An armored age file.
    pub(super) encrypted: &'a [u8],
}

pub(super) struct SopsMetadata<'a> {
    pub(super) groups: Vec<KeyGroup<'a>>,
    /// How many groups must open, where there are several.
    pub(super) threshold: usize,
    pub(super) rule: EncryptionRule,
    /// Whether the checksum covers encrypted values only.
    pub(super) mac_only_encrypted: bool,
    mac: &'a [u8],
    /// The additional data of the encrypted checksum.
    pub(super) last_modified: String,
}

impl<'a> SopsMetadata<'a> {
    pub(super) fn read(node: &'a Node) -> Result<Self, SopsError> {
        if !matches!(node, Node::Map(_)) {
            return Err(SopsError::NotSops);
        }
        let last_modified = word(node, "lastmodified")?
            .and_then(Time::rfc3339)
            .ok_or(SopsError::Metadata("lastmodified"))?;
        // rops writes no version, and nothing here depends on it.
        if word(node, "version")?.is_some_and(|version| !is_version(version)) {
            return Err(SopsError::Metadata("version"));
        }
        let mac = match node.entry("mac") {
            None | Some(Node::Null) => return Err(SopsError::NoMac),
            Some(Node::Text(mac)) if mac.is_empty() => return Err(SopsError::NoMac),
            Some(Node::Text(mac)) => mac.expose(),
            Some(_) => return Err(SopsError::Metadata("mac")),
        };
        Ok(Self {
            groups: groups(node)?,
            threshold: threshold(node)?,
            rule: EncryptionRule::read(node)?,
            mac_only_encrypted: truth(node, "mac_only_encrypted")?,
            mac,
            last_modified: last_modified.seconds(),
        })
    }

    /// The checksum that the file was written with.
    pub(super) fn opened_mac(&self, cipher: &Cipher) -> Result<SecretBytes, SopsError> {
        match cipher.open(self.mac, &self.last_modified) {
            Ok((LeafKind::Text, mac)) => Ok(mac),
            _ => Err(SopsError::Mac),
        }
    }

    /// How many groups must open.
    pub(super) fn needed(&self) -> usize {
        match &self.groups[..] {
            [_] => 1,
            _ => self.threshold,
        }
    }

    /// All recipients, as the file says.
    pub(super) fn recipients(&self) -> Vec<SopsRecipient> {
        recipients(&self.groups)
    }
}

/// All recipients of these groups.
pub(super) fn recipients(groups: &[KeyGroup<'_>]) -> Vec<SopsRecipient> {
    let mut all = Vec::new();
    for group in groups {
        all.extend(group.age.iter().map(|entry| SopsRecipient {
            kind: AGE,
            name: entry.recipient.clone(),
        }));
        all.extend(group.transit.iter().map(|key| SopsRecipient {
            kind: TRANSIT,
            name: key.recipient(),
        }));
        all.extend(group.foreign.iter().cloned());
    }
    all
}

/// Three numbers and what a build adds: SOPS opens no file with another.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits && (part == "0" || !part.starts_with('0'))
    };
    core.split('.').count() == 3 && core.split('.').all(number)
}

fn threshold(node: &Node) -> Result<usize, SopsError> {
    let wrong = SopsError::Metadata("shamir_threshold");
    match node.entry("shamir_threshold") {
        None | Some(Node::Null) => Ok(2),
        Some(Node::Number(text) | Node::Text(text)) => match text.expose_str() {
            Some("") => Ok(2),
            Some(text) => Ok(text.parse::<usize>().map_err(|_| wrong)?.max(2)),
            None => Err(wrong),
        },
        Some(Node::Bool(_) | Node::Time(_) | Node::List(_) | Node::Map(_)) => Err(wrong),
    }
}

/// Keys at the top are one group; otherwise there are groups by name. Empty lists, as old versions
/// write them, are none.
pub(super) fn groups(node: &Node) -> Result<Vec<KeyGroup<'_>>, SopsError> {
    if !matches!(node, Node::Map(_)) {
        return Err(SopsError::NotSops);
    }
    let top = group(node)?;
    let groups = if !top.is_empty() {
        vec![top]
    } else {
        let groups = list(node, "key_groups")?.iter().map(group);
        groups.collect::<Result<Vec<_>, _>>()?
    };
    if groups.is_empty() {
        return Err(SopsError::Metadata("age"));
    }
    let entries = || groups.iter().flat_map(|group| &group.age);
    let transit = || groups.iter().flat_map(|group| &group.transit);
    let foreign: usize = groups.iter().map(|group| group.foreign.len()).sum();
    let recipients = entries().count() + transit().count() + foreign;
    let of_age: usize = entries().map(|entry| entry.encrypted.len()).sum();
    let of_transit: usize = transit().map(|key| key.encrypted.len()).sum();
    let bytes = of_age + of_transit;
    if groups.len() > 255 || recipients > MAX_RECIPIENTS || bytes > MAX_KEY_BYTES {
        return Err(SopsError::TooManyKeys);
    }
    Ok(groups)
}

fn group(node: &Node) -> Result<KeyGroup<'_>, SopsError> {
    let mut foreign = Vec::new();
    for (list_name, kind, fields) in FOREIGN {
        for node in list(node, list_name)? {
            let mut parts = Vec::new();
            for field in fields {
                parts.extend(word(node, field)?);
            }
            foreign.push(SopsRecipient {
                kind,
                name: shown(&parts.join("/")),
            });
        }
    }
    let age = list(node, "age")?.iter().map(entry);
    let transit = list(node, "hc_vault")?.iter().map(TransitKey::read);
    Ok(KeyGroup {
        age: age.collect::<Result<_, _>>()?,
        transit: transit.collect::<Result<_, _>>()?,
        foreign,
    })
}

fn entry(node: &Node) -> Result<KeyEntry<'_>, SopsError> {
    let recipient = word(node, "recipient")?.unwrap_or("an unnamed recipient");
    let encrypted = word(node, "enc")?.ok_or(SopsError::Metadata("enc"))?;
    Ok(KeyEntry {
        recipient: shown(recipient),
        encrypted: encrypted.as_bytes(),
    })
}
