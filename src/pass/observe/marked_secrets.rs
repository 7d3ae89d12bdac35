//! The Secrets that came from a set of manifests, and the copies of a delivery. They are found by
//! their marks: names and versions, never a value.

use std::collections::BTreeSet;

use crate::base::artifact::{ConfigurationName, Leftover, Origin};
use crate::base::failure::Failure;
use crate::base::observed::Marked;
use crate::config::{Config, Delivery, ManifestSet};
use crate::copy_rules::signature::Keys;
use crate::pass::world::World;
use crate::plan::declared_copies;

/// Looks in every namespace of every set that is pruned, and once for all copies. If a list fails,
/// everything that it would have shown is unknown.
pub async fn look(
    config: &Config,
    own_namespace: &Result<String, Failure>,
    keys: &Result<Option<Keys>, Failure>,
    world: &World,
) -> Vec<Marked> {
    let sets = config.manifests.iter();
    let sets = sets.filter_map(|set| Some((set, set.pruned()?)));
    let looks = sets.map(|(set, name)| async move {
        Marked {
            of: Origin::Manifests,
            name: name.to_owned(),
            found: match config.name() {
                Ok(configuration) => found(set, (configuration, name), own_namespace, world).await,
                Err(unnamed) => Err(unnamed),
            },
        }
    });
    let looks = futures_util::future::join_all(looks);
    let (mut marked, copies) = tokio::join!(looks, copies(config, own_namespace, keys, world));
    marked.extend(copies);
    marked
}

/// The copies of each delivery that is pruned, declared or not.
async fn copies(
    config: &Config,
    own_namespace: &Result<String, Failure>,
    keys: &Result<Option<Keys>, Failure>,
    world: &World,
) -> Vec<Marked> {
    let prunes = |delivery: &&Delivery| !declared_copies::pruned(delivery, "").is_empty();
    let deliveries: Vec<&Delivery> = config.deliveries.iter().filter(prunes).collect();
    if deliveries.is_empty() {
        return Vec::new();
    }
    let list = async {
        let namespace = own_namespace.as_deref().map_err(Failure::clone)?;
        let cluster = world.kubernetes().await?;
        // Without a key nothing is signed, so no copy is known to be ours.
        let all = match keys.as_ref().map_err(Failure::clone)? {
            Some(keys) => cluster.declared_copies(config.name()?, keys).await?,
            None => Vec::new(),
        };
        Ok::<_, Failure>((namespace, all))
    };
    let list = list.await;
    let of = |delivery: &Delivery| {
        let (namespace, all) = list.as_ref().map_err(Failure::clone)?;
        let mine = declared_copies::pruned(delivery, namespace);
        let found = all.iter().filter(|(from, _)| mine.contains(from));
        Ok(found.map(|(_, leftover)| leftover.clone()).collect())
    };
    let marked = deliveries.into_iter().map(|delivery| Marked {
        of: Origin::Copies,
        name: delivery.name.clone(),
        found: of(delivery),
    });
    marked.collect()
}

async fn found(
    set: &ManifestSet,
    (configuration, name): (&ConfigurationName, &str),
    own_namespace: &Result<String, Failure>,
    world: &World,
) -> Result<Vec<Leftover>, Failure> {
    let namespaces: BTreeSet<&str> = if set.namespaces.is_empty() {
        BTreeSet::from([own_namespace.as_deref().map_err(Failure::clone)?])
    } else {
        set.namespaces.iter().map(String::as_str).collect()
    };
    let cluster = world.kubernetes().await?;
    let lists = namespaces
        .into_iter()
        .map(|namespace| cluster.marked_secrets(namespace, configuration, name));
    let mut all = Vec::new();
    for list in futures_util::future::join_all(lists).await {
        all.extend(list?);
    }
    Ok(all)
}
