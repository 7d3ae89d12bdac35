//! Opens SOPS files with age identities and what Vault decrypted: bytes and keys in, trees of
//! secret leaves out.
//!
//! `stores` reads the five formats and takes the metadata out, `metadata` reads the metadata,
//! `keys` and `shamir` decrypt the data key, `rules` says which leaves are encrypted, `value` opens
//! one leaf and `walk` all of them under one checksum.
//!
//! Architecture invariant: no document is returned before the checksum over all of them was right.
//! The checksum covers values, not the keys of clear values: code that reads a target out of clear
//! parts must not trust them.

mod clear;
mod error;
mod fields;
mod flat;
mod keys;
mod limits;
mod metadata;
mod pattern;
mod recipient;
mod rules;
mod shamir;
mod stores;
mod suspect;
mod transit;
mod value;
mod walk;

use crate::base::material::Node;
use crate::envelope::age::Identity;
use crate::format::document::{self, DocumentFormat};

pub use clear::{ClearLeaf, SopsPolicy};
pub use error::SopsError;
pub use keys::DataKey;
pub use limits::MAX_CLEAR;
pub use recipient::SopsRecipient;
pub use transit::{NeededTransit, Share, Transit, TransitKey};

use metadata::SopsMetadata;
use value::Cipher;

/// An opened file.
#[derive(Debug)]
pub struct OpenedSops {
    /// Its documents without the metadata; a binary file is one field `content`.
    pub documents: Vec<Node>,
    /// The recipients of the identities that opened it.
    pub by: Vec<String>,
    /// Everyone it is encrypted to, as the file says.
    pub recipients: Vec<SopsRecipient>,
    /// When sops last changed the file; the checksum is bound to this time.
    pub last_modified: String,
    /// Leaves that are not encrypted, the first [`MAX_CLEAR`] of them.
    pub clear: Vec<ClearLeaf>,
    /// Whether the checksum does not cover clear leaves (`mac_only_encrypted`): then anybody can
    /// change them.
    pub clear_is_unverified: bool,
}

/// Opens a file with these identities and verifies its checksum. Every value is authentic, unless
/// the policy allows otherwise.
pub fn open(
    bytes: &[u8],
    format: DocumentFormat,
    keys: &[Identity],
    policy: SopsPolicy,
) -> Result<OpenedSops, SopsError> {
    let opened = open_in_part(bytes, format, keys, policy)?;
    match opened.clear.first() {
        Some(leaf) if opened.clear_is_unverified && !policy.allow_unauthenticated => {
            Err(SopsError::Unauthenticated {
                path: leaf.steps.join(".").escape_debug().to_string(),
            })
        }
        _ => Ok(opened),
    }
}

/// Everyone a file is encrypted to, without any key.
pub fn recipients(bytes: &[u8], format: DocumentFormat) -> Result<Vec<SopsRecipient>, SopsError> {
    let file = stores::read(bytes, format)?;
    Ok(metadata::recipients(&metadata::groups(&file.metadata)?))
}

/// Like [`open`], but the caller must refuse each clear leaf that nothing protects.
pub fn open_in_part(
    bytes: &[u8],
    format: DocumentFormat,
    keys: &[Identity],
    policy: SopsPolicy,
) -> Result<OpenedSops, SopsError> {
    let file = Locked::read(bytes, format)?;
    let key = file.key(keys, &[])?;
    file.open(key, policy)
}

/// A file that was read and is not opened yet.
pub struct Locked {
    file: stores::File,
    format: DocumentFormat,
}

impl Locked {
    /// Reads a file in its format.
    pub fn read(bytes: &[u8], format: DocumentFormat) -> Result<Self, SopsError> {
        let file = stores::read(bytes, format)?;
        Ok(Self { file, format })
    }

    fn metadata(&self) -> Result<SopsMetadata<'_>, SopsError> {
        SopsMetadata::read(&self.file.metadata)
    }

    /// When sops last changed the file, as the file says.
    pub fn last_modified(&self) -> Result<String, SopsError> {
        Ok(self.metadata()?.last_modified)
    }

    /// The transit keys that it names.
    pub fn transit(&self) -> Result<Transit, SopsError> {
        Ok(keys::transit(&self.metadata()?))
    }

    /// What Vault must decrypt where these identities do not open the file; `None` where Vault
    /// cannot help.
    pub fn missing(&self, keys: &[Identity]) -> Result<Option<NeededTransit>, SopsError> {
        Ok(keys::missing(&self.metadata()?, keys))
    }

    /// The data key, decrypted with these identities, and with Vault's shares for groups that they
    /// do not open.
    pub fn key(&self, keys: &[Identity], given: &[Share]) -> Result<DataKey, SopsError> {
        keys::data_key(&self.metadata()?, keys, given)
    }

    /// Opens the file. The caller must refuse each clear leaf that nothing protects.
    pub fn open(self, data_key: DataKey, policy: SopsPolicy) -> Result<OpenedSops, SopsError> {
        let Self { file, format } = self;
        let stores::File {
            mut documents,
            metadata,
            spell,
        } = file;
        let metadata = SopsMetadata::read(&metadata)?;
        let cipher = Cipher::new(&data_key.key);
        let mac = metadata.opened_mac(&cipher)?;
        let sections = format == DocumentFormat::Ini;
        let mut walk = walk::Walk::new(&metadata, &cipher, policy, spell, sections);
        walk.documents(&mut documents)?;
        let mut clear = walk.take_clear();
        walk.verify(&mac)?;
        if format == DocumentFormat::Raw {
            // The only value gets our name for raw content.
            for step in clear.iter_mut().filter_map(|leaf| leaf.steps.first_mut()) {
                *step = document::RAW_FIELD.to_owned();
            }
        }
        Ok(OpenedSops {
            clear,
            clear_is_unverified: metadata.mac_only_encrypted,
            documents: stores::finish(documents, format)?,
            by: data_key.by,
            recipients: metadata.recipients(),
            last_modified: metadata.last_modified,
        })
    }
}
