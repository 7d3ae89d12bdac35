//! The Secrets that came from a set of manifests, found by its mark: names and versions, never a value.

use std::collections::BTreeSet;

use crate::config::{Config, ManifestSet};
use crate::observed::Marked;
use crate::report::Failure;
use crate::world::World;

/// Looks in every namespace of every set that is pruned. A list that fails leaves the whole set unknown.
pub async fn look(
    config: &Config,
    own_namespace: &Result<String, Failure>,
    world: &World,
) -> Vec<Marked> {
    let sets = config.manifests.iter();
    let sets = sets.filter_map(|set| Some((set, set.pruned()?)));
    let looks = sets.map(|(set, name)| async move {
        Marked {
            set: name.to_owned(),
            found: found(set, name, own_namespace, world).await,
        }
    });
    futures_util::future::join_all(looks).await
}

async fn found(
    set: &ManifestSet,
    name: &str,
    own_namespace: &Result<String, Failure>,
    world: &World,
) -> Result<Vec<crate::artifact::Leftover>, Failure> {
    let namespaces: BTreeSet<&str> = if set.namespaces.is_empty() {
        BTreeSet::from([own_namespace.as_deref().map_err(Failure::clone)?])
    } else {
        set.namespaces.iter().map(String::as_str).collect()
    };
    let cluster = world.kubernetes().await?;
    let lists = namespaces
        .into_iter()
        .map(|namespace| cluster.marked_secrets(namespace, name));
    let mut all = Vec::new();
    for list in futures_util::future::join_all(lists).await {
        all.extend(list?);
    }
    Ok(all)
}
