//! One pass from declaration to effect. Every mode calls this and nothing else.

use crate::apply::{self, Applied};
use crate::config::{Config, Target};
use crate::fetched::Fetched;
use crate::observe;
use crate::plan::{self, Owed, Plan};
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
    let observed = observe::observe(&desired, world).await;
    plan::plan(desired, observed)
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

/// Asked for only when some target leaves its namespace out.
async fn own_namespace(config: &Config, world: &World) -> Result<String, Failure> {
    let needed = config
        .deliveries
        .iter()
        .flat_map(|delivery| &delivery.to)
        .any(|target| match target {
            Target::Secret(secret) => secret.at.namespace.is_none(),
            Target::File(_) | Target::Files(_) => false,
        });
    if !needed {
        return Ok(String::new());
    }
    world
        .kubernetes()
        .await
        .map(|cluster| cluster.namespace.clone())
}
