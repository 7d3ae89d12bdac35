//! Fetching: each distinct source is read once in a pass, all at once, and gives a [`Material`] or says why not.

pub mod age;
pub mod inspect;
pub mod keys;
pub mod sealed;
pub mod secret;
pub mod sops;

use std::sync::Arc;

use crate::config::{Config, Source};
use crate::envelope::sops::Policy;
use crate::fetched::Fetched;
use crate::material::Material;
use crate::report::Failure;
use crate::world::World;

/// Reads every source once, all at once.
pub async fn fetch_all(config: &Config, world: &World) -> Fetched {
    let mut distinct: Vec<&Source> = config.sources().map(|(_, source)| source).collect();
    distinct.sort();
    distinct.dedup();
    let reads = distinct
        .into_iter()
        .map(|source| async move { (source.clone(), fetch(source, config, world).await) });
    Fetched::from_parts(futures_util::future::join_all(reads).await)
}

async fn fetch(source: &Source, config: &Config, world: &World) -> Result<Arc<Material>, Failure> {
    if let (Source::Vault(read), Some(shelf)) = (source, &world.shelf) {
        return shelf.fetch(world.vault(&read.server)?, read).await;
    }
    read(source, config, world).await.map(Arc::new)
}

async fn read(source: &Source, config: &Config, world: &World) -> Result<Material, Failure> {
    match source {
        Source::Vault(read) => world.vault(&read.server)?.read(read).await,
        Source::Age { file, format } => age::fetch(file, *format, &config.keys, world).await,
        Source::Sops {
            file,
            format,
            allow_unauthenticated,
        } => {
            let policy = Policy {
                allow_unauthenticated: *allow_unauthenticated,
            };
            sops::fetch(file, *format, policy, &config.keys, world).await
        }
        Source::Sealed { file, object } => {
            sealed::fetch(file, object.as_deref(), &config.keys, world).await
        }
        Source::SealedObject(at) => sealed::object(at, &config.keys, world).await,
        Source::SealedManifests { file } => sealed::manifests(file, &config.keys, world).await,
        Source::Secret(at) => secret::fetch(at, world).await,
    }
}
