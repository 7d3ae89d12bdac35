//! What ends the wait between two passes: a changed file, a lease, another token, or the time.

use tokio::time::{Instant, sleep_until};

use super::super::watch::Watched;
use super::Keeper;
use crate::config::{Delivery, VaultRead};

/// What ended a wait.
pub(super) enum Wake {
    /// Something is to be looked at.
    Pass,
    /// A lease may be renewed or replaced.
    Lease,
}

impl Keeper<'_> {
    pub(super) async fn wait(&self, next: Instant, files: &mut Watched, well: bool) -> Wake {
        let generations = self.generations();
        let lease = self.next_lease().filter(|lease| *lease < next && well);
        tokio::select! {
            () = sleep_until(lease.unwrap_or(next)) => match lease {
                Some(_) => Wake::Lease,
                None => Wake::Pass,
            },
            () = files.change() => Wake::Pass,
            // What failed may do with another token; what is leased may end with the old one.
            () = self.new_token(&generations) => if well { Wake::Lease } else { Wake::Pass },
        }
    }

    /// Renews or replaces the leases whose time has come; says whether that gave other data.
    pub(super) async fn leases_moved(&self) -> bool {
        let Some(shelf) = &self.world.shelf else {
            return true;
        };
        self.waits.renewed(self.world);
        let now = Instant::now();
        let mut moved = false;
        for read in self.vault_reads() {
            let Ok(session) = self.world.vault(&read.server) else {
                continue;
            };
            if shelf.next(session, read, now).is_none_or(|at| at > now) {
                continue;
            }
            let before = shelf.version_of(read);
            // A failure is met again, and told, by the pass that follows.
            let after = shelf.fetch(session, read).await;
            moved |= after.is_err() || shelf.version_of(read) != before;
        }
        moved
    }

    fn next_lease(&self) -> Option<Instant> {
        let shelf = self.world.shelf.as_ref()?;
        let now = Instant::now();
        let next = self.vault_reads().filter_map(|read| {
            let session = self.world.vault(&read.server).ok()?;
            shelf.next(session, read, now)
        });
        next.min()
    }

    fn generations(&self) -> Vec<(String, u64)> {
        let mut servers: Vec<&String> = self.vault_reads().map(|read| &read.server).collect();
        servers.sort();
        servers.dedup();
        let generation = |server: &String| {
            let session = self.world.vault(server).ok()?;
            Some((server.clone(), session.generation()))
        };
        servers.into_iter().filter_map(generation).collect()
    }

    async fn new_token(&self, generations: &[(String, u64)]) {
        let waits = generations.iter().filter_map(|(server, generation)| {
            let session = self.world.vault(server).ok()?;
            Some(Box::pin(session.next_generation(*generation)))
        });
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(waits).await;
    }

    fn vault_reads(&self) -> impl Iterator<Item = &VaultRead> {
        let all = self.group.deliveries.iter();
        all.flat_map(|delivery| self.vault_reads_of(delivery))
    }

    pub(super) fn vault_reads_of<'d>(
        &self,
        delivery: &'d Delivery,
    ) -> impl Iterator<Item = &'d VaultRead> + use<'d> {
        let sources = delivery.from.iter();
        sources.filter_map(|from| from.source.vault())
    }
}
