//! Kubernetes Secrets and ServiceAccounts as they stand.

use crate::base::artifact::{PullSecretLink, SecretArtifact};
use crate::base::failure::Failure;
use crate::base::observed::Observed;
use crate::kubernetes::{Error, Kind, Subject};
use crate::pass::world::World;

/// Looks at one Secret.
///
/// What others own in it is left out: see [`crate::base::observed::SecretState`].
pub async fn look(secret: &SecretArtifact, world: &World) -> Result<Observed, Failure> {
    let cluster = world.kubernetes().await?;
    let Some(stored) = cluster.secret(&secret.at).await? else {
        return Ok(Observed::Absent);
    };
    if let Some(finalizers) = stored.deleting() {
        let subject = Subject {
            kind: Kind::Secret,
            at: secret.at.clone(),
        };
        return Err(Error::BeingDeleted {
            subject,
            finalizers: finalizers.to_vec(),
        }
        .into());
    }
    Ok(Observed::Secret(stored.seen(secret)))
}

/// Looks at a ServiceAccount's pull secrets.
pub async fn look_account(link: &PullSecretLink, world: &World) -> Result<Observed, Failure> {
    let cluster = world.kubernetes().await?;
    let account = cluster.account(link).await?;
    Ok(Observed::PullSecret {
        linked: account.pulls_with(&link.secret),
    })
}
