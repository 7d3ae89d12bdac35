//! The part of `sidecar` for `reflector:` in the configuration: it finds the cluster, however long
//! that takes, and follows it.

use std::time::Duration;

use tokio::time::sleep;

use crate::base::renewal::backoff;
use crate::config::Reflector;
use crate::kubernetes::Kubernetes;
use crate::pass::world::World;
use crate::process::time_limit::chance;
use crate::reflector::{self, Liveness};

/// Waits between two attempts to find the cluster: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Keeps copies up to date for ever; without a reflector in the configuration, it only waits.
pub async fn keep(config: Option<&Reflector>, world: &World, liveness: &Liveness) {
    let Some(config) = config else {
        liveness.forget_watches();
        return std::future::pending().await;
    };
    let cluster = cluster(world).await;
    reflector::run(config, cluster, liveness, std::future::pending()).await;
}

/// Waits until the cluster is found; logs once why it was not found.
async fn cluster(world: &World) -> &Kubernetes {
    let (mut errors, mut told) = (0, None);
    loop {
        match world.kubernetes().await {
            Ok(cluster) => return cluster,
            Err(failure) => {
                if told.as_ref() != Some(&failure.what) {
                    tracing::error!(
                        class = %failure.class, reason = %failure.what, hint = failure.hint,
                        "no cluster to reflect in",
                    );
                    told = Some(failure.what);
                }
                errors += 1;
                sleep(backoff(PAUSES.0, PAUSES.1, errors, chance())).await;
            }
        }
    }
}
