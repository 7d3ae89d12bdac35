//! An age file as a source: read with care, opened with the keys at hand, taken apart by its inner format.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};

use crate::config::{DocumentFormat, Keys};
use crate::disk::{read_by, read_document};
use crate::envelope::policy::{OutsidePolicy, Policy, shortened};
use crate::envelope::{age, document};
use crate::material::Material;
use crate::report::{Failure, Fault};
use crate::world::World;

use super::keys;

/// Reads and opens one age file.
pub async fn fetch(
    file: &Path,
    format: DocumentFormat,
    configured: &Keys,
    world: &World,
) -> Result<Material, Failure> {
    let bytes = read_by(read_document, file, "age file", world.patience.of_disk()).await?;
    let recipients = age::recipients(bytes.expose()).map_err(|error| within(file, error))?;
    warn_outside(file, Policy(&configured.recipients).of_age(&recipients));
    let identities = world.identities(keys::age(configured, world)).await?;
    let opened = age::open(bytes.expose(), identities).map_err(|error| within(file, error))?;
    tracing::info!(file = %file.display(), recipient = %shortened(&opened.by), "age file opened");
    let documents =
        document::parse(opened.plaintext, format).map_err(|error| within(file, error))?;
    Ok(Material {
        version: Some(version_of(bytes.expose())),
        ..Material::of_documents(documents)
    })
}

/// The version of an encrypted file that says none itself: what is encrypted twice differs, so this tells nothing of a value.
pub(super) fn version_of(encrypted: &[u8]) -> String {
    let digest = digest(&SHA256, encrypted);
    let shown = digest.as_ref().iter().take(6);
    shown.fold("sha256:".to_owned(), |text, byte| {
        format!("{text}{byte:02x}")
    })
}

/// A pass goes on: who else can read a file is no reason to leave a system without its secrets.
pub(super) fn warn_outside(file: &Path, outside: Result<(), OutsidePolicy>) {
    if let Err(outside) = outside {
        tracing::warn!(file = %file.display(), hint = outside.hint(), "{outside}");
    }
}

/// The same failure, with the file before it.
pub(super) fn within(file: &Path, error: impl Into<Failure>) -> Failure {
    let mut failure = error.into();
    failure.what = format!("{}: {}", file.display(), failure.what);
    failure
}
