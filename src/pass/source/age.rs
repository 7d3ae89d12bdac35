//! An age file as a source: read carefully, opened with the available keys, and parsed as its inner
//! format.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};

use crate::base::coding::hex;
use crate::base::failure::{Failure, Fault};
use crate::base::material::Material;
use crate::config::Keys;
use crate::disk::{read_by, read_document};
use crate::envelope::age;
use crate::envelope::allowed_recipients::{OutsidePolicy, RecipientPolicy};
use crate::envelope::recipient::shortened;
use crate::format::document::{self, DocumentFormat};
use crate::pass::world::World;

use super::decryption_keys;
use super::opening::opened;

/// Reads and opens one age file.
pub async fn fetch(
    file: &Path,
    format: DocumentFormat,
    configured: &Keys,
    world: &World,
) -> Result<Material, Failure> {
    let bytes = read_by(read_document, file, "age file", world.time_limit.of_disk()).await?;
    let recipients = age::recipients(bytes.expose()).map_err(|error| within(file, error))?;
    warn_outside(
        file,
        RecipientPolicy(&configured.recipients).of_age(&recipients),
    );
    let identities = world
        .identities(decryption_keys::age(configured, world))
        .await?;
    let path = file.to_owned();
    let (documents, by, version) = opened(move || {
        let version = version_of(bytes.expose());
        let opened =
            age::open(bytes.expose(), &identities).map_err(|error| within(&path, error))?;
        let documents =
            document::parse(opened.plaintext, format).map_err(|error| within(&path, error))?;
        Ok((documents, opened.by, version))
    })
    .await?;
    tracing::info!(file = %file.display(), recipient = %shortened(&by), "age file opened");
    Ok(Material {
        version: Some(version),
        ..Material::of_documents(documents)
    })
}

/// The version of an encrypted file without a version field. Encrypting the same value twice gives
/// different bytes, so this says nothing about a value.
pub(super) fn version_of(encrypted: &[u8]) -> String {
    let digest = digest(&SHA256, encrypted);
    let shown = digest.as_ref().get(..6).unwrap_or_default();
    format!("sha256:{}", hex::encode(shown))
}

/// Only warns: that others can read a file is no reason to leave a system without its secrets.
pub(super) fn warn_outside(file: &Path, outside: Result<(), OutsidePolicy>) {
    if let Err(outside) = outside {
        tracing::warn!(file = %file.display(), hint = outside.hint(), "{outside}");
    }
}

/// The same failure, with the name of the file before it.
pub(super) fn within(file: &Path, error: impl Into<Failure>) -> Failure {
    let mut failure = error.into();
    failure.what = format!("{}: {}", file.display(), failure.what);
    failure.names_source = true;
    failure
}
