//! Writing Kubernetes Secrets: server-side apply as `keyferry`, never over a stranger.

use crate::artifact::{PullSecretLink, SecretArtifact};
use crate::plan::Action;
use crate::report::Failure;
use crate::world::World;

/// Creates, updates or recreates one Secret.
pub async fn write(
    _secret: &SecretArtifact,
    _action: &Action,
    _world: &World,
) -> Result<(), Failure> {
    todo!("kubernetes helper")
}

/// Adds the Secret to a ServiceAccount's `imagePullSecrets`.
pub async fn link(_link: &PullSecretLink, _world: &World) -> Result<(), Failure> {
    todo!("kubernetes helper")
}
