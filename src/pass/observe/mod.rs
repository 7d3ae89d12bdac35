//! The present state of each target. Only reads.

pub mod file;
mod inputs;
pub mod marked_secrets;
pub mod namespace;
mod place;
pub mod secret;
mod together;

use futures_util::future::join_all;

use crate::base::artifact::{Artifact, Desired, Wanted};
use crate::base::failure::{Class, Failure};
use crate::base::observed::{Observed, SeenArtifact};
use crate::pass::world::World;

pub use inputs::overwritten;
pub use together::together;

/// Reads the place of each artifact, per delivery and in order.
pub async fn observe(desired: &Desired, world: &World) -> Vec<Vec<SeenArtifact>> {
    let deliveries = desired.deliveries.iter();
    join_all(deliveries.map(|wanted| delivery(wanted, world))).await
}

/// The same for one delivery.
pub async fn delivery(wanted: &Wanted, world: &World) -> Vec<SeenArtifact> {
    let artifacts = wanted.artifacts.as_deref().unwrap_or_default();
    join_all(artifacts.iter().map(|artifact| look_at(artifact, world))).await
}

async fn look_at(artifact: &Artifact, world: &World) -> SeenArtifact {
    let state = match artifact {
        Artifact::File(file) => return file::look(file, world).await,
        Artifact::FileSet(set) => return file::look_set(set, world).await,
        Artifact::Secret(secret) => secret::look(secret, world).await,
        Artifact::PullSecret(link) => secret::look_account(link, world).await,
        // A leftover is only found by looking, and never wanted.
        Artifact::Leftover(leftover) => Err(Failure::new(
            Class::Bug,
            format!("secret {} is to go and was looked for", leftover.at),
        )),
    };
    SeenArtifact {
        state: state.unwrap_or_else(Observed::Unknown),
        place: None,
    }
}
