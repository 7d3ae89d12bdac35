//! What is renewed, replaced or read again between passes, because it ends or changes at a time
//! that is known.

use std::collections::BTreeSet;

use futures_util::future::select_all;
use tokio::time::Instant;

use super::window_hold::WindowHold;
use crate::config::{Delivery, VaultRead};
use crate::pass::world::World;

/// What these deliveries read from Vault.
pub fn reads<'d>(deliveries: impl Iterator<Item = &'d Delivery>) -> BTreeSet<&'d VaultRead> {
    let sources = deliveries.flat_map(|delivery| &delivery.from);
    sources.filter_map(|from| from.source.vault()).collect()
}

/// When the time of one of them comes, `now` where it has come; nothing where it does not.
pub fn due(read: &VaultRead, world: &World, now: Instant) -> Option<Instant> {
    let session = world.vault(&read.server).ok()?;
    world.lease_cache.as_ref()?.next(session, read, now)
}

/// Does what one of them needs; says whether that gave other data.
pub async fn renew(read: &VaultRead, world: &World, waits: &WindowHold) -> bool {
    let (Some(lease_cache), Ok(session)) = (&world.lease_cache, world.vault(&read.server)) else {
        return true;
    };
    waits.renewed(world);
    let before = lease_cache.version_of(read);
    // A failure is met again, and told, by the pass that follows.
    let after = lease_cache.fetch(session, read).await;
    after.is_err() || lease_cache.version_of(read) != before
}

/// The tokens with which they were read.
pub struct Tokens(Vec<(String, u64)>);

impl Tokens {
    /// Those that are there now.
    pub fn of(reads: &BTreeSet<&VaultRead>, world: &World) -> Self {
        let servers: BTreeSet<&String> = reads.iter().map(|read| &read.server).collect();
        let generation = |server: &String| {
            let session = world.vault(server).ok()?;
            Some((server.clone(), session.generation()))
        };
        Self(servers.into_iter().filter_map(generation).collect())
    }

    /// Waits until there is another.
    pub async fn change(&self, world: &World) {
        let waits = self.0.iter().filter_map(|(server, generation)| {
            let session = world.vault(server).ok()?;
            Some(Box::pin(session.next_generation(*generation)))
        });
        let waits: Vec<_> = waits.collect();
        match waits.is_empty() {
            true => std::future::pending().await,
            false => drop(select_all(waits).await),
        }
    }
}
