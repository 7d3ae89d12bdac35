//! Opens SOPS files with age identities: bytes and keys in, trees of secret leaves out.
//!
//! `stores` reads the five formats and takes the metadata out, `metadata` reads that, `keys` and `shamir` win the data
//! key, `rules` says which leaves are encrypted, `value` opens one leaf and `walk` all of them under one checksum.
//!
//! Architecture invariant: no document leaves before the checksum over all of them was right. The checksum covers
//! values, not the keys of clear values: whoever reads a target out of clear parts must not trust them.

mod error;
mod flat;
mod keys;
mod metadata;
mod pattern;
mod rules;
mod shamir;
mod stores;
mod value;
mod walk;

use crate::config::DocumentFormat;
use crate::envelope::age::Identity;
use crate::material::Node;

pub use error::SopsError;

use metadata::Metadata;
use value::Cipher;

/// What is accepted beyond the safe default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Clear values of a file whose checksum covers encrypted ones only.
    pub allow_unauthenticated: bool,
}

/// An opened file.
#[derive(Debug)]
pub struct Opened {
    /// Its documents without the metadata; a binary file is one field `content`.
    pub documents: Vec<Node>,
    /// The recipients of the identities that opened it.
    pub by: String,
    /// Everyone it is encrypted to, as the file says.
    pub recipients: Vec<String>,
}

/// Opens a file with these identities and checks its checksum.
pub fn open(
    bytes: &[u8],
    format: DocumentFormat,
    keys: &[Identity],
    policy: Policy,
) -> Result<Opened, SopsError> {
    let stores::File {
        mut documents,
        metadata,
        spell,
    } = stores::read(bytes, format)?;
    let metadata = Metadata::read(&metadata)?;
    let data_key = keys::data_key(&metadata, keys)?;
    let cipher = Cipher::new(&data_key.key);
    let mac = metadata.opened_mac(&cipher)?;
    let mut walk = walk::Walk::new(&metadata, &cipher, policy, spell);
    walk.documents(&mut documents)?;
    walk.verify(&mac)?;
    Ok(Opened {
        documents: stores::finish(documents, format)?,
        by: data_key.by,
        recipients: metadata.recipients(),
    })
}
