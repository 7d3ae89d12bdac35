//! One Kubernetes Secret: its type decides which keys fields become and what must be true of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::artifact::{Artifact, ObjectName, Provenance, PullSecretLink, SecretArtifact};
use crate::config::{SecretKind, SecretTarget, resolve};
use crate::material::SecretBytes;
use crate::report::{Class, Failure, Fault};

use super::docker;
use super::field::Fields;
use super::names::{is_secret_key, listed, shown};
use super::tls::{self, Tls, with_newline};

/// Sum of the decoded values, as the API server counts.
const MOST_BYTES: usize = 1024 * 1024;

/// A certificate that ends sooner is worth a warning.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The Secret, and the ServiceAccounts that are to pull with it.
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
    let type_name = type_name(kind)?;
    let data = data(kind, fields, &at, now)?;
    check(&data)?;
    let mut artifacts = vec![Artifact::Secret(SecretArtifact {
        at: at.clone(),
        kind: type_name.to_owned(),
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

/// The `type` of the object. Types that make the cluster mint a token, or that belong to Helm, are never written.
fn type_name(kind: &SecretKind) -> Result<&str, SecretError> {
    match kind {
        SecretKind::Opaque => Ok("Opaque"),
        SecretKind::DockerConfigJson { .. } => Ok("kubernetes.io/dockerconfigjson"),
        SecretKind::Tls => Ok("kubernetes.io/tls"),
        SecretKind::BasicAuth => Ok("kubernetes.io/basic-auth"),
        SecretKind::SshAuth => Ok("kubernetes.io/ssh-auth"),
        SecretKind::Other(name) => {
            let denied = name == "kubernetes.io/service-account-token"
                || name == "bootstrap.kubernetes.io/token"
                || name.starts_with("helm.sh/");
            if denied {
                return Err(SecretError::Denied(name.clone()));
            }
            Ok(name)
        }
    }
}

fn data(
    kind: &SecretKind,
    fields: &Fields<'_>,
    at: &ObjectName,
    now: Timestamp,
) -> Result<BTreeMap<String, SecretBytes>, Failure> {
    match kind {
        SecretKind::Opaque | SecretKind::Other(_) => all(fields),
        SecretKind::DockerConfigJson { registries } => {
            let document = docker::build(fields, registries)?;
            Ok(BTreeMap::from([(docker::KEY.to_owned(), document)]))
        }
        SecretKind::Tls => {
            let Tls { data, not_after } = tls::build(fields, now)?;
            report_end(at, not_after, now);
            Ok(data)
        }
        SecretKind::BasicAuth => {
            fields.bytes("username")?;
            fields.bytes("password")?;
            all(fields)
        }
        SecretKind::SshAuth => {
            let key = fields.bytes(SSH_KEY)?;
            if !is_private_key(key) {
                return Err(SecretError::NoSshKey.into());
            }
            let mut data = all(fields)?;
            data.insert(SSH_KEY.to_owned(), with_newline(key));
            Ok(data)
        }
    }
}

const SSH_KEY: &str = "ssh-privatekey";

/// Any PEM block that OpenSSH may take; which kinds it takes is its own affair.
fn is_private_key(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| {
        let text = text.trim();
        text.starts_with("-----BEGIN ") && text.ends_with(" PRIVATE KEY-----")
    })
}

fn all(fields: &Fields<'_>) -> Result<BTreeMap<String, SecretBytes>, Failure> {
    let leaves = fields.leaves()?;
    let keys = leaves.into_iter();
    Ok(keys
        .map(|(name, bytes)| (name.to_owned(), SecretBytes::from(bytes)))
        .collect())
}

fn check(data: &BTreeMap<String, SecretBytes>) -> Result<(), SecretError> {
    let illegal: Vec<&str> = data
        .keys()
        .map(String::as_str)
        .filter(|key| !is_secret_key(key))
        .collect();
    if !illegal.is_empty() {
        return Err(SecretError::Keys(listed(illegal)));
    }
    let size = data.values().map(SecretBytes::len).sum();
    if size > MOST_BYTES {
        return Err(SecretError::TooLarge(size));
    }
    Ok(())
}

/// An event, not a failure: the certificate is good today.
fn report_end(at: &ObjectName, not_after: Timestamp, now: Timestamp) {
    if not_after.duration_since(now) < SOON {
        tracing::warn!(secret = %at, %not_after, "certificate ends soon");
    } else {
        tracing::debug!(secret = %at, %not_after, "certificate read");
    }
}

/// Why fields make no Secret.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum SecretError {
    #[error("these names cannot be keys of a Secret: {0}")]
    Keys(String),
    #[error("the values are {0} bytes together, and a Secret holds at most {MOST_BYTES}")]
    TooLarge(usize),
    #[error("a Secret of type {} is never written", shown(.0))]
    Denied(String),
    #[error("field `{SSH_KEY}` holds no private key in PEM")]
    NoSshKey,
}

impl Fault for SecretError {
    fn class(&self) -> Class {
        match self {
            Self::Keys(_) | Self::TooLarge(_) | Self::Denied(_) => Class::Refused,
            Self::NoSshKey => Class::Corrupt,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Keys(_) => {
                "keys are letters, digits, `-`, `_` and `.`, 253 at most; give others with `rename`"
                    .to_owned()
            }
            Self::TooLarge(_) => {
                "take less with `pick`, or split it over several Secrets".to_owned()
            }
            Self::Denied(_) => {
                "the cluster fills or trusts such objects by itself; use another type".to_owned()
            }
            Self::NoSshKey => "it takes a `-----BEGIN … PRIVATE KEY-----` block".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
