//! The keys of the marks: they are read before anything is decided, and checked again while we
//! work.
//!
//! Without the keys our copies cannot be distinguished from imitations, so nothing is done before
//! they are there.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::liveness::Liveness;
use crate::base::artifact::ObjectName;
use crate::base::renewal::backoff;
use crate::copy_rules::signature::Keys;
use crate::kubernetes::{Error, Kubernetes};
use crate::process::time_limit::chance;

/// Time between two looks, so a rotation is seen this soon.
const LOOK: Duration = Duration::from_secs(10);

/// Time for all attempts of one look.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits between two attempts to get the keys: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Reads the keys, or makes the first one, however long that takes. A problem is logged once.
pub(super) async fn obtain(cluster: &Kubernetes, at: &ObjectName, liveness: &Liveness) -> Keys {
    let (mut errors, mut told) = (0, String::new());
    loop {
        match patient(cluster).mark_keys_or_new(at).await {
            Ok(keys) => {
                liveness.works();
                return keys;
            }
            Err(error) => {
                told = log_new_failure(at, &error, told);
                liveness.waits(told.clone(), false);
                errors += 1;
                sleep(backoff(PAUSES.0, PAUSES.1, errors, chance())).await;
            }
        }
    }
}

/// Waits until the Secret contains other keys than these. A deleted Secret is written again: a
/// replica that starts next needs the keys.
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
            Err(error) => told = log_new_failure(at, &error, told),
        }
    }
}

fn patient(cluster: &Kubernetes) -> Kubernetes {
    cluster.until(Instant::now() + PATIENCE)
}

fn log_new_failure(at: &ObjectName, error: &Error, told: String) -> String {
    let reason = error.to_string();
    if told != reason {
        tracing::error!(secret = %at, reason, "the keys of the marks cannot be had");
    }
    reason
}
