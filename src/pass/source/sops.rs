//! A SOPS file as a source: read with care, opened with the keys at hand, its checksum checked.

use std::path::Path;

use crate::base::failure::Failure;
use crate::base::material::{Material, Unverified};
use crate::config::{DocumentFormat, Keys};
use crate::disk::{read_by, read_document};
use crate::envelope::policy::{Policy as Recipients, shortened};
use crate::envelope::sops::{self, Policy};
use crate::pass::world::World;

use super::age::{warn_outside, within};
use super::{keys, opened};

/// Reads and opens one SOPS file.
pub async fn fetch(
    file: &Path,
    format: DocumentFormat,
    policy: Policy,
    configured: &Keys,
    world: &World,
) -> Result<Material, Failure> {
    let bytes = read_by(read_document, file, "SOPS file", world.time_limit.of_disk()).await?;
    let identities = world.identities(keys::age(configured, world)).await?;
    let path = file.to_owned();
    let opened = opened(move || {
        let opened = sops::open_in_part(bytes.expose(), format, &identities, policy);
        opened.map_err(|error| within(&path, error))
    })
    .await?;
    tracing::info!(
        file = %file.display(),
        recipient = opened
            .by
            .iter()
            .map(|one| shortened(one))
            .collect::<Vec<_>>()
            .join(", "),
        "SOPS file opened"
    );
    let recipients = Recipients(&configured.recipients);
    warn_outside(file, recipients.of_sops(&opened.recipients));
    let refused = opened.clear_is_unverified && !policy.allow_unauthenticated;
    let refused = opened.clear.into_iter().filter(|_| refused);
    Ok(Material {
        version: Some(opened.last_modified),
        unverified: Unverified::at(refused.map(|leaf| leaf.steps).collect()),
        merge_keys: format == DocumentFormat::Yaml,
        ..Material::of_documents(opened.documents)
    })
}
