//! What `sidecar` does with `reflector:` in its configuration: finds the cluster, however long that
//! takes, and follows it.

use std::time::Duration;

use tokio::time::sleep;

use crate::base::renewal::backoff;
use crate::config::Reflector;
use crate::kubernetes::Kubernetes;
use crate::pass::world::World;
use crate::process::time_limit::chance;
use crate::reflector::{self, Liveness};

/// Between two attempts to find the cluster, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Keeps copies right for ever; without a reflector in the configuration, it only waits.
pub async fn keep(config: Option<&Reflector>, world: &World, liveness: &Liveness) {
    let Some(config) = config else {
        liveness.forget();
        return std::future::pending().await;
    };
    let cluster = cluster(world).await;
    reflector::run(config, cluster, liveness, std::future::pending()).await;
}

/// Finds it at last; why it was not found is told once.
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
