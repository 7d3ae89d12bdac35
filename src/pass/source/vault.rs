//! Secrets of Vault: their real names, and the sessions that their leases depend on.

use crate::base::failure::Failure;
use crate::base::material::Material;
use crate::config::{Delivery, Source, VaultRead};
use crate::pass::world::World;
use crate::render::fetched::Fetched;
use crate::vault::Session;

/// Reads without the lease cache.
pub(super) async fn fetch(read: &VaultRead, world: &World) -> Result<Material, Failure> {
    world.vault(&read.server)?.read(read).await
}

/// The source with the one real name for all spellings of its path.
pub(super) async fn named(source: &Source, world: &World) -> Result<Source, Failure> {
    let Source::Vault(read) = source else {
        return Ok(source.clone());
    };
    let session = world.vault(&read.server)?;
    let read = match &world.lease_cache {
        Some(lease_cache) => lease_cache.named(session, read).await,
        None => session.resolve(read).await,
    };
    Ok(Source::Vault(read?))
}

/// The sessions whose tokens the leases of this delivery depend on, once for each lease.
pub fn leases<'w>(delivery: &Delivery, fetched: &Fetched, world: &'w World) -> Vec<&'w Session> {
    let leased = delivery.from.iter().filter_map(|from| {
        let read = from.source.vault()?;
        let material = fetched.get_in_part(&from.source).ok()?;
        material.lease.as_ref().and(world.vault(&read.server).ok())
    });
    leased.collect()
}
