//! One pass from declaration to effect. Every mode calls this and nothing else.

use crate::apply::{self, Applied};
use crate::artifact::Desired;
use crate::config::{Config, ManifestSet, Target};
use crate::fetched::Fetched;
use crate::observe;
use crate::plan::{self, DeliveryPlan, Owed, Plan, prune};
use crate::reflect::declared;
use crate::reflect::metadata::NamespaceMetadata;
use crate::render;
use crate::report::Failure;
use crate::source;
use crate::world::World;

/// Fetches, renders, looks and decides.
pub async fn plan(config: &Config, world: &World, now: jiff::Timestamp) -> Plan {
    let fetched = source::fetch_all(config, world).await;
    decide(config, world, now, &fetched).await
}

async fn decide(config: &Config, world: &World, now: jiff::Timestamp, fetched: &Fetched) -> Plan {
    let namespace = own_namespace(config, world).await;
    let desired = render::desired(config, fetched, &namespace, now);
    let desired = declared::expand(config, desired, &namespaces(config, world).await);
    let (observed, pruned) = tokio::join!(
        observe::observe(&desired, world),
        pruned(config, &desired, &namespace, world)
    );
    let mut plan = plan::plan(desired, observed);
    plan.deliveries.extend(pruned);
    plan
}

/// The whole pass.
pub async fn run(config: &Config, world: &World, now: jiff::Timestamp) -> Applied {
    apply::apply(plan(config, world, now).await, world).await
}

/// Listed only when some Secret has copies wherever a name or a label fits.
async fn namespaces(config: &Config, world: &World) -> Result<Vec<NamespaceMetadata>, Failure> {
    if declared::needs_namespaces(config) {
        observe::namespace::list(world).await
    } else {
        Ok(Vec::new())
    }
}

/// The whole pass, with a look at what it will owe before anything is done.
pub async fn run_noting(
    config: &Config,
    world: &World,
    now: jiff::Timestamp,
    note: impl FnOnce(&[Owed]),
) -> (Applied, Vec<Owed>) {
    let fetched = source::fetch_all(config, world).await;
    let plan = decide(config, world, now, &fetched).await;
    let owed = plan::owed(&config.deliveries, &plan, &fetched);
    note(&owed);
    (apply::apply(plan, world).await, owed)
}

/// What came from manifests once and is to go. The list of what stands is made after all sources were read, so what is not
/// in the files is not there because it was taken out of them.
async fn pruned(
    config: &Config,
    desired: &Desired,
    namespace: &Result<String, Failure>,
    world: &World,
) -> Vec<DeliveryPlan> {
    if !config.manifests.iter().any(|set| set.pruned().is_some()) {
        return Vec::new();
    }
    let Some(kept) = prune::kept(desired) else {
        tracing::warn!("nothing is pruned in this pass: not everything could be read");
        return Vec::new();
    };
    let marked = observe::marked::look(config, namespace, world).await;
    prune::plan(&kept, marked, world.allow_deletes)
}

/// Asked for only when some target leaves its namespace out.
async fn own_namespace(config: &Config, world: &World) -> Result<String, Failure> {
    let delivered = config
        .deliveries
        .iter()
        .flat_map(|delivery| &delivery.to)
        .any(|target| match target {
            Target::Secret(secret) => secret.at.namespace.is_none(),
            Target::File(_) | Target::Files(_) => false,
        });
    // Whether a manifest names its namespace is known only when it is open, and its cluster is asked anyway.
    let described = |set: &ManifestSet| !set.files.is_empty();
    if !delivered && !config.manifests.iter().any(described) {
        return Ok(String::new());
    }
    world
        .kubernetes()
        .await
        .map(|cluster| cluster.namespace.clone())
}
