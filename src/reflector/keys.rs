//! The keys of the marks: had before anything is decided, and looked at again for as long as we
//! work.
//!
//! Without them no copy could be told from what only looks like one, so nothing is done before they
//! are there.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::liveness::Liveness;
use crate::base::artifact::ObjectName;
use crate::base::renewal::backoff;
use crate::kubernetes::{Error, Kubernetes};
use crate::process::time_limit::chance;
use crate::reflect::signature::Keys;

/// Between two looks: a rotation is seen so soon.
const LOOK: Duration = Duration::from_secs(10);

/// All tries of one look.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts to have them, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Reads them, or makes the first one, however long that takes. What is wrong is told once.
pub(super) async fn obtain(cluster: &Kubernetes, at: &ObjectName, liveness: &Liveness) -> Keys {
    let (mut errors, mut told) = (0, String::new());
    loop {
        match patient(cluster).mark_keys_or_new(at).await {
            Ok(keys) => {
                liveness.works();
                return keys;
            }
            Err(error) => {
                told = tell(at, &error, told);
                liveness.waits(told.clone(), false);
                errors += 1;
                sleep(backoff(PAUSES.0, PAUSES.1, errors, chance())).await;
            }
        }
    }
}

/// Waits until the Secret holds other keys than these. One that was deleted is put back:
/// whoever starts next needs the keys.
pub(super) async fn changed(cluster: &Kubernetes, at: &ObjectName, known: &Keys) {
    let mut told = String::new();
    loop {
        sleep(LOOK).await;
        let cluster = patient(cluster);
        let found = match cluster.mark_keys(at).await {
            Ok(Some(keys)) => Ok(keys),
            Ok(None) => {
                tracing::warn!(
                    secret = %at, "the keys of the marks were deleted, and are put back",
                );
                cluster.keep_mark_keys(at, known.content()).await
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(keys) if keys == *known => told = String::new(),
            Ok(_) => {
                tracing::info!(secret = %at, "there are other keys of the marks; all is listed \
                    again");
                return;
            }
            Err(error) => told = tell(at, &error, told),
        }
    }
}

fn patient(cluster: &Kubernetes) -> Kubernetes {
    cluster.until(Instant::now() + PATIENCE)
}

fn tell(at: &ObjectName, error: &Error, told: String) -> String {
    let reason = error.to_string();
    if told != reason {
        tracing::error!(secret = %at, reason, "the keys of the marks cannot be had");
    }
    reason
}
