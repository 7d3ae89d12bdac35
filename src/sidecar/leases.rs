//! Data that is renewed, replaced or read again between passes, because it ends or changes at a
//! known time.

use std::collections::BTreeSet;

use futures_util::future::select_all;
use tokio::time::Instant;

use super::window_hold::WindowHold;
use crate::config::{Delivery, VaultRead};
use crate::pass::world::World;

/// The reads from Vault of these deliveries.
pub fn reads<'d>(deliveries: impl Iterator<Item = &'d Delivery>) -> BTreeSet<&'d VaultRead> {
    let sources = deliveries.flat_map(|delivery| &delivery.from);
    sources.filter_map(|from| from.source.vault()).collect()
}

/// When this read is due; `now` if it is overdue, nothing if it never is.
pub fn due(read: &VaultRead, world: &World, now: Instant) -> Option<Instant> {
    let session = world.vault(&read.server).ok()?;
    world.lease_cache.as_ref()?.next(session, read, now)
}

/// Renews, replaces or reads again; says whether the data changed.
pub async fn renew(read: &VaultRead, world: &World, waits: &WindowHold) -> bool {
    let (Some(lease_cache), Ok(session)) = (&world.lease_cache, world.vault(&read.server)) else {
        return true;
    };
    waits.renewed(world);
    let before = lease_cache.version_of(read);
    // If this fails, the following pass meets and reports the same failure.
    let after = lease_cache.fetch(session, read).await;
    after.is_err() || lease_cache.version_of(read) != before
}

/// The tokens that the data was read with.
pub struct Tokens(Vec<(String, u64)>);

impl Tokens {
    /// The present tokens.
    pub fn present(reads: &BTreeSet<&VaultRead>, world: &World) -> Self {
        let servers: BTreeSet<&String> = reads.iter().map(|read| &read.server).collect();
        let generation = |server: &String| {
            let session = world.vault(server).ok()?;
            Some((server.clone(), session.generation()))
        };
        Self(servers.into_iter().filter_map(generation).collect())
    }

    /// Waits until one of the tokens was replaced.
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
