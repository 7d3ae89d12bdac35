//! One Kubernetes Secret: its type decides how fields become keys.

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::artifact::secret::{self, Data};
use crate::base::artifact::{Artifact, ObjectName, Provenance, PullSecretLink, SecretArtifact};
use crate::base::failure::Failure;
use crate::base::material::SecretBytes;
use crate::config::{SecretKind, SecretTarget, resolve};

use super::field::Fields;
use super::{docker, tls};

/// The Secret, and the ServiceAccounts that will use it to pull.
pub(super) fn artifacts(
    target: &SecretTarget,
    fields: &Fields<'_>,
    provenance: Arc<Provenance>,
    own_namespace: &Result<String, Failure>,
    now: Timestamp,
) -> Result<Vec<Artifact>, Failure> {
    let SecretTarget {
        at,
        kind,
        labels,
        annotations,
        immutable,
        conflict,
        service_accounts,
        reflect: _,
        location: _,
    } = target;
    let own_namespace = match (&at.namespace, own_namespace) {
        (Some(_), _) => "",
        (None, Ok(own)) => own,
        (None, Err(failure)) => return Err(failure.clone()),
    };
    let at = resolve(at, own_namespace);
    let (name, mut data) = match kind {
        SecretKind::Fields(name) => (name.as_str(), all_fields(fields)?),
        SecretKind::DockerConfigJson { registries } => {
            let document = docker::build(fields, registries)?;
            (
                secret::PULL,
                Data::from([(secret::PULL_KEY.to_owned(), document)]),
            )
        }
        SecretKind::Tls => (secret::TLS, tls::build(fields)?),
    };
    secret::fit(&at, name, &mut data, now)?;
    let mut artifacts = vec![Artifact::Secret(SecretArtifact {
        at: at.clone(),
        kind: name.to_owned(),
        data,
        provenance,
        labels: labels.clone(),
        annotations: annotations.clone(),
        immutable: *immutable,
        conflict: *conflict,
    })];
    artifacts.extend(service_accounts.iter().map(|account| {
        Artifact::PullSecret(PullSecretLink {
            account: ObjectName {
                namespace: at.namespace.clone(),
                name: account.clone(),
            },
            secret: at.name.clone(),
        })
    }));
    Ok(artifacts)
}

fn all_fields(fields: &Fields<'_>) -> Result<Data, Failure> {
    let leaves = fields.leaves()?;
    let keys = leaves.into_iter();
    Ok(keys
        .map(|(name, bytes)| (name.to_owned(), SecretBytes::from(bytes)))
        .collect())
}

#[cfg(test)]
mod tests;
