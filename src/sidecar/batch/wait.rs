//! What ends the wait of a single batch: a changed file, a lease, another token, or the time.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::super::file_watch::WatchedFiles;
use super::super::leases::{self, Tokens};
use super::Batch;
use crate::config::VaultRead;

/// What ended a wait.
pub(super) enum Wake {
    /// A pass is due.
    Pass,
    /// A lease may be renewed or replaced.
    Lease,
}

impl Batch<'_> {
    pub(super) async fn wait(&self, next: Instant, files: &mut WatchedFiles, well: bool) -> Wake {
        let reads = self.vault_reads();
        let tokens = Tokens::present(&reads, self.world);
        let now = Instant::now();
        let lease = reads
            .iter()
            .filter_map(|read| leases::due(read, self.world, now));
        let lease = lease.min().filter(|lease| *lease < next && well);
        tokio::select! {
            () = sleep_until(lease.unwrap_or(next)) => match lease {
                Some(_) => Wake::Lease,
                None => Wake::Pass,
            },
            () = files.change() => Wake::Pass,
            // A failed read may succeed with another token; leased data may end with the old token.
            () = tokens.change(self.world) => if well { Wake::Lease } else { Wake::Pass },
        }
    }

    /// Renews or replaces the leases that are due; says whether the data changed.
    pub(super) async fn leases_moved(&self) -> bool {
        let now = Instant::now();
        let reads = self.vault_reads().into_iter();
        let due =
            reads.filter(|read| leases::due(read, self.world, now).is_some_and(|at| at <= now));
        let renewed = due.map(|read| leases::renew(read, self.world, &self.waits));
        join_all(renewed).await.contains(&true)
    }

    pub(in crate::sidecar) fn vault_reads(&self) -> BTreeSet<&VaultRead> {
        leases::reads(self.group.deliveries.iter())
    }
}
