//! Restarts a workload, once for each change, even if several replicas see the change.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::failure::{Class, Failure};
use crate::config::Workload;
use crate::config::{self, SecretRef};
use crate::kubernetes::Kubernetes;
use crate::pass::world::World;
use crate::plan::ReactionNotice;

pub(super) async fn restart(
    kind: Workload,
    at: &SecretRef,
    wait: Option<Duration>,
    news: &ReactionNotice,
    world: &World,
) -> Result<(), Failure> {
    let cluster = world.kubernetes().await?;
    let at = config::resolve(at, &cluster.namespace);
    let value = mark(news, cluster).await?;
    if !cluster.restart(kind, &at, &value).await? {
        tracing::info!(workload = %at, "already restarted for this change");
    }
    if let Some(limit) = wait
        && !cluster.wait_for_rollout(kind, &at, limit).await?
    {
        let seconds = limit.as_secs();
        return Err(Failure::new(
            Class::Unavailable,
            format!(
                "{} {at} has not settled within {seconds} s of its restart",
                kind.word()
            ),
        )
        .hint("look at its pods; the old ones run on"));
    }
    Ok(())
}

/// A mark of what the new pods run with: the versions of the Secrets, or those of the sources; a
/// time if neither is known.
async fn mark(news: &ReactionNotice, cluster: &Kubernetes) -> Result<String, Failure> {
    let mut versions = BTreeSet::new();
    for at in &news.secrets {
        let at = config::resolve(at, &cluster.namespace);
        if let Some(stored) = cluster.secret(&at).await? {
            versions.insert(format!("{at}@{}.{}", stored.uid(), stored.version()));
        }
    }
    if versions.is_empty() {
        versions.clone_from(&news.versions);
    }
    if versions.is_empty() {
        return Ok(jiff::Timestamp::now().to_string());
    }
    Ok(versions.into_iter().collect::<Vec<_>>().join(","))
}
