//! The Lease as one replica claims it, renews it and gives it back, request by request.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::artifact::ObjectName;
use crate::kubernetes::fence::Fence;
use crate::kubernetes::lease::{LeaseClaim, StoredLease};
use crate::kubernetes::pod::host_name;
use crate::kubernetes::{Error, Kubernetes};

/// How long others wait for our next renewal.
const HOLD: Duration = Duration::from_secs(15);

/// Time limit of one attempt.
const PATIENCE: Duration = Duration::from_secs(3);

/// This replica, under the name by which it claims the Lease.
pub(super) struct Claimant {
    cluster: Kubernetes,
    pub(super) at: ObjectName,
    pub(super) holder: String,
    pub(super) fence: Fence,
}

impl fmt::Debug for Claimant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, holder, .. } = self;
        f.debug_struct("Claimant")
            .field("at", at)
            .field("holder", holder)
            .finish_non_exhaustive()
    }
}

impl Claimant {
    pub(super) fn new(cluster: &Kubernetes, at: ObjectName) -> Self {
        Self {
            cluster: cluster.until(Instant::now()),
            at,
            holder: identity(),
            fence: Fence::default(),
        }
    }

    pub(super) fn cluster(&self) -> Kubernetes {
        self.cluster.until(Instant::now() + PATIENCE)
    }

    fn claim(&self) -> LeaseClaim<'_> {
        LeaseClaim {
            at: &self.at,
            holder: &self.holder,
            seconds: HOLD.as_secs(),
        }
    }

    /// The Lease, or the name of its present holder.
    pub(super) async fn attempt(
        &self,
        seen: &mut Option<(String, Instant)>,
    ) -> Result<Result<StoredLease, String>, Error> {
        let cluster = self.cluster();
        let found = cluster.lease(&self.at).await?;
        if let Some(lease) = &found
            && let Some(holder) = lease.holder()
            && holder != self.holder
        {
            let since = match seen {
                Some((version, since)) if version == lease.version() => *since,
                _ => {
                    *seen = Some((lease.version().to_owned(), Instant::now()));
                    Instant::now()
                }
            };
            let hold = lease.seconds().map_or(HOLD, Duration::from_secs);
            if since.elapsed() < hold {
                return Ok(Err(format!("{holder} holds it")));
            }
        }
        match cluster.claim(&self.claim(), found.as_ref()).await {
            Ok(lease) => Ok(Ok(lease)),
            Err(Error::Raced(_)) => Ok(Err("somebody else was quicker".to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Nothing if somebody else holds the Lease.
    pub(super) async fn renew(&self, lease: &StoredLease) -> Result<Option<StoredLease>, Error> {
        let cluster = self.cluster();
        match cluster.claim(&self.claim(), Some(lease)).await {
            Ok(lease) => Ok(Some(lease)),
            Err(Error::Raced(_)) => {
                // A person's annotation causes the same conflict, and then the Lease is not lost.
                let found = cluster.lease(&self.at).await?;
                let still = found.filter(|found| found.holder() == Some(&self.holder));
                match still {
                    Some(found) => cluster.claim(&self.claim(), Some(&found)).await.map(Some),
                    None => Ok(None),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the Lease back, so that the next holder need not wait.
    pub(super) async fn give_back(&self) {
        let cluster = self.cluster.until(Instant::now() + Duration::from_secs(1));
        let Ok(Some(lease)) = cluster.lease(&self.at).await else {
            return;
        };
        if lease.holder() == Some(&self.holder) {
            let claim = LeaseClaim {
                holder: "",
                seconds: 1,
                ..self.claim()
            };
            drop(cluster.claim(&claim, Some(&lease)).await);
        }
    }
}

/// The machine's name, which in a pod is the pod's name, and a number that no other process has.
fn identity() -> String {
    let name = host_name().unwrap_or_default();
    let number = RandomState::new().build_hasher().finish();
    format!("{name}_{number:016x}")
}
