//! A SOPS file as a source: read with care, opened with the keys at hand, its checksum checked.

use std::path::Path;

use crate::config::{DocumentFormat, Keys};
use crate::disk::read_document;
use crate::envelope::sops::{self, Policy};
use crate::material::Material;
use crate::report::Failure;
use crate::world::World;

use super::age::within;
use super::keys;

/// Reads and opens one SOPS file.
pub async fn fetch(
    file: &Path,
    format: DocumentFormat,
    policy: Policy,
    configured: &Keys,
    world: &World,
) -> Result<Material, Failure> {
    let bytes = read_document(file, "SOPS file")?;
    let identities = world.identities(keys::age(configured, world)).await?;
    let opened = sops::open(bytes.expose(), format, identities, policy)
        .map_err(|error| within(file, error))?;
    tracing::debug!(
        file = %file.display(),
        recipient = opened.by,
        recipients = opened.recipients.len(),
        "SOPS file opened"
    );
    Ok(Material {
        documents: opened.documents,
        version: None,
        lease: None,
    })
}
