//! What `sidecar` does with `reflector:` in its configuration: finds the cluster, however long that takes, and follows it.

use std::time::Duration;

use tokio::time::sleep;

use crate::config::Reflector;
use crate::reflector::{self, Pulse};
use crate::world::World;

/// Between two attempts to find the cluster.
const PAUSE: Duration = Duration::from_secs(2);

/// Keeps copies right for ever; without a reflector in the configuration, it only waits.
pub async fn keep(config: Option<&Reflector>, world: &World, pulse: &Pulse) {
    let Some(config) = config else {
        pulse.forget();
        return std::future::pending().await;
    };
    let cluster = loop {
        match world.kubernetes().await {
            Ok(cluster) => break cluster,
            Err(failure) => {
                tracing::error!(class = %failure.class, reason = %failure.what, hint = failure.hint, "no cluster to reflect in");
                sleep(PAUSE).await;
            }
        }
    };
    reflector::run(config, cluster, pulse, std::future::pending()).await;
}
