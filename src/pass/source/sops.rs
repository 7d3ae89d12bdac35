//! A SOPS file as a source: read carefully, opened with the available keys or by Vault's transit
//! engine, and its checksum verified.

use std::path::Path;
use std::sync::Arc;

use crate::base::failure::Failure;
use crate::base::material::{Material, SecretBytes, Unverified};
use crate::config::Config;
use crate::disk::{git, read_by, read_document};
use crate::envelope::age::Identity;
use crate::envelope::allowed_recipients::RecipientPolicy;
use crate::envelope::recipient::shortened;
use crate::envelope::sops::{Locked, NeededTransit, OpenedSops, SopsError, SopsPolicy};
use crate::format::document::DocumentFormat;
use crate::pass::world::World;

use super::age::{warn_outside, within};
use super::opening::opened;
use super::{decryption_keys, transit};

/// Reads and opens one SOPS file, from disk or from a commit.
pub async fn fetch(
    file: &Path,
    format: DocumentFormat,
    commit: Option<&str>,
    policy: SopsPolicy,
    config: &Config,
    world: &World,
) -> Result<Material, Failure> {
    let end = world.time_limit.of_disk();
    let bytes = match commit {
        Some(commit) => git::read(file, commit, end).await?,
        None => read_by(read_document, file, "SOPS file", end).await?,
    };
    let opened = open(bytes, file, format, policy, config, world).await;
    let opened = opened.map_err(|unopened| unopened.failure)?;
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
    let recipients = RecipientPolicy(&config.keys.recipients);
    warn_outside(file, recipients.of_sops(&opened.recipients));
    let refused = opened.clear_is_unverified && !policy.allow_unauthenticated;
    let refused = opened.clear.into_iter().filter(|_| refused);
    Ok(Material {
        version: Some(opened.last_modified),
        unverified: Unverified::leaves(refused.map(|leaf| leaf.steps).collect()),
        merge_keys: format == DocumentFormat::Yaml,
        ..Material::of_documents(opened.documents)
    })
}

/// Why a file does not open.
pub(super) struct Unopened {
    pub(super) failure: Failure,
    /// Whether the file was changed after it was encrypted.
    pub(super) changed: bool,
}

impl From<Failure> for Unopened {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            changed: false,
        }
    }
}

impl Unopened {
    fn from_error(file: &Path, error: SopsError) -> Self {
        Self {
            changed: error.says_changed(),
            failure: within(file, error),
        }
    }
}

/// Opens a file with the age identities; Vault is asked only if they do not open it.
pub(super) async fn open(
    bytes: SecretBytes,
    file: &Path,
    format: DocumentFormat,
    policy: SopsPolicy,
    config: &Config,
    world: &World,
) -> Result<OpenedSops, Unopened> {
    let no_age = config.keys.age.is_empty();
    let identities: Arc<[Identity]> = match no_age {
        true => Arc::from([]),
        false => {
            world
                .identities(decryption_keys::age(&config.keys, world))
                .await?
        }
    };
    let ours = Arc::clone(&identities);
    let tried = opened(move || Ok(by_age(bytes.expose(), format, &ours, policy)));
    let (locked, error, missing) = match tried.await? {
        Ok(ByAge::Opened(opened)) => return Ok(opened),
        Ok(ByAge::Locked(locked, error, missing)) => (locked, error, missing),
        Err(error) if no_age && error.lacks_a_key() => return Err(decryption_keys::no_age().into()),
        Err(error) => return Err(Unopened::from_error(file, error)),
    };
    let shares = transit::shares(&missing, error, config, world).await;
    let shares = shares.map_err(|failure| within(file, failure))?;
    let by_vault = opened(move || {
        let key = locked.key(&identities, &shares);
        Ok(key.and_then(|key| locked.open(key, policy)))
    });
    by_vault
        .await?
        .map_err(|error| Unopened::from_error(file, error))
}

/// The result of the age identities.
enum ByAge {
    Opened(OpenedSops),
    /// They do not open it, for this reason, but Vault may.
    Locked(Locked, SopsError, NeededTransit),
}

fn by_age(
    bytes: &[u8],
    format: DocumentFormat,
    identities: &[Identity],
    policy: SopsPolicy,
) -> Result<ByAge, SopsError> {
    let locked = Locked::read(bytes, format)?;
    let error = match locked.key(identities, &[]) {
        Ok(key) => return locked.open(key, policy).map(ByAge::Opened),
        Err(error) => error,
    };
    if error.lacks_a_key()
        && let Ok(Some(missing)) = locked.missing(identities)
    {
        return Ok(ByAge::Locked(locked, error, missing));
    }
    Err(error)
}
