//! The present state of Kubernetes Secrets and ServiceAccounts.

use crate::base::artifact::{PullSecretLink, SecretArtifact};
use crate::base::failure::Failure;
use crate::base::observed::Observed;
use crate::pass::world::World;

/// Reads one Secret.
///
/// Fields that others own in it are left out: see [`crate::base::observed::SecretState`].
pub async fn look(secret: &SecretArtifact, world: &World) -> Result<Observed, Failure> {
    let cluster = world.kubernetes().await?;
    let stands = cluster.read_state(secret).await?;
    Ok(stands.map_or(Observed::Absent, Observed::Secret))
}

/// Reads the pull secrets of a ServiceAccount.
pub async fn look_account(link: &PullSecretLink, world: &World) -> Result<Observed, Failure> {
    let cluster = world.kubernetes().await?;
    let account = cluster.account(link).await?;
    Ok(Observed::PullSecret {
        linked: account.pulls_with(&link.secret),
    })
}
