//! What exists now, where something is to exist. Reads only.

pub mod file;
pub mod secret;

use crate::artifact::{Artifact, Desired};
use crate::observed::Observed;
use crate::world::World;

/// Looks at the place of each artifact, per delivery and in order.
pub async fn observe(desired: &Desired, world: &World) -> Vec<Vec<Observed>> {
    let mut all = Vec::with_capacity(desired.deliveries.len());
    for wanted in &desired.deliveries {
        let artifacts = wanted.artifacts.as_deref().unwrap_or_default();
        let looks = artifacts.iter().map(|artifact| one(artifact, world));
        all.push(futures_util::future::join_all(looks).await);
    }
    all
}

async fn one(artifact: &Artifact, world: &World) -> Observed {
    let seen = match artifact {
        Artifact::File(file) => file::look(file, world),
        Artifact::FileSet(set) => file::look_set(set, world),
        Artifact::Secret(secret) => secret::look(secret, world).await,
        Artifact::PullSecret(link) => secret::look_account(link, world).await,
    };
    seen.unwrap_or_else(Observed::Unknown)
}
