//! SealedSecrets of the sealed-secrets project (`bitnami.com/v1alpha1`), opened without its
//! controller.
//!
//! Each value is `u16 length || RSA-OAEP-SHA256(session key, label) || AES-256-GCM(value)`, and the
//! label is the scope: `ns/name`, `ns` or nothing. A value that was moved out of its scope
//! therefore does not open. The scope is read from the object's own annotations only, never from
//! its template, which anybody can edit (CVE-2026-22728).
//!
//! Architecture invariant: bytes and keys in, a [`Manifest`] out. No error tells which step of
//! opening failed, or with which key.

mod der;
mod error;
mod key;
mod open;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use error::{InsideError, UnsealError};
pub use key::{KEY_LABEL, KeyProblem, Keyring, SealingKey, SealingKeyError};
pub use parse::{SealedError, from_document, parse};

use crate::template::go::Template;

use crate::base::material::SecretBytes;
use crate::envelope::manifest::{Manifest, ManifestError, RawSecret, names};
use crate::format::document;

/// One SealedSecret, well formed and still encrypted.
#[derive(Debug)]
pub struct SealedSecret {
    /// As written. `None` means the namespace of the client that applies it; only the widest scope
    /// opens without a known namespace.
    pub namespace: Option<String>,
    /// Name of the SealedSecret and of its Secret.
    pub name: String,
    /// Its `resourceVersion`, where a cluster keeps it.
    pub version: Option<String>,
    /// Where its values may be opened.
    pub scope: SealScope,
    /// The encrypted values.
    pub sealed: Sealed,
    /// The Secret around the values.
    pub template: SecretTemplate,
}

/// Where values may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealScope {
    /// Under this namespace and name only.
    Strict,
    /// Under any name in this namespace.
    Namespace,
    /// Anywhere.
    Cluster,
}

impl fmt::Display for SealScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict",
            Self::Namespace => "namespace-wide",
            Self::Cluster => "cluster-wide",
        })
    }
}

/// The encrypted values.
#[derive(Debug)]
pub enum Sealed {
    /// Each value by itself, `spec.encryptedData`.
    Values(Vec<(String, Vec<u8>)>),
    /// The whole Secret at once, the deprecated `spec.data`.
    Whole(Vec<u8>),
}

/// The `spec.template`.
#[derive(Debug, Default)]
pub struct SecretTemplate {
    /// Labels of the Secret.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Secret.
    pub annotations: BTreeMap<String, String>,
    /// Its `type`.
    pub kind: Option<String>,
    /// Whether it is to be immutable.
    pub immutable: bool,
    /// Keys made from the opened values.
    pub data: Vec<(String, Template)>,
}

/// An opened SealedSecret.
#[derive(Debug)]
pub struct Unsealed {
    /// The Secret it describes.
    pub secret: Manifest,
    /// Fingerprints of the keys that opened its values.
    pub opened_by: Vec<String>,
}

impl SealedSecret {
    /// How messages name it.
    pub fn object(&self) -> String {
        names::object("sealed secret", self.namespace.as_deref(), Some(&self.name))
    }

    /// `namespace/name`, or the name alone where no namespace is written.
    pub fn path(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The encryption label that its values were sealed with.
    fn label(&self) -> Result<Vec<u8>, UnsealError> {
        let namespace = match (self.scope, &self.namespace) {
            (SealScope::Cluster, _) => return Ok(Vec::new()),
            (SealScope::Strict | SealScope::Namespace, Some(namespace)) => namespace,
            (scope @ (SealScope::Strict | SealScope::Namespace), None) => {
                return Err(UnsealError::NoNamespace {
                    name: self.name.clone(),
                    scope,
                });
            }
        };
        Ok(match self.scope {
            SealScope::Strict => format!("{namespace}/{}", self.name),
            SealScope::Namespace | SealScope::Cluster => namespace.clone(),
        }
        .into_bytes())
    }
}

/// Opens all values of a SealedSecret, or fails.
pub fn unseal(sealed: &SealedSecret, keys: &Keyring) -> Result<Unsealed, UnsealError> {
    match &sealed.sealed {
        Sealed::Values(values) => of_values(sealed, values, keys),
        Sealed::Whole(blob) => of_whole(sealed, blob, keys),
    }
}

fn of_values(
    sealed: &SealedSecret,
    values: &[(String, Vec<u8>)],
    keys: &Keyring,
) -> Result<Unsealed, UnsealError> {
    let label = sealed.label()?;
    let blobs: Vec<&[u8]> = values.iter().map(|(_, blob)| blob.as_slice()).collect();
    let name = |at: usize| values.get(at).map(|(name, _)| name.clone());
    let opened = open::open_all(&blobs, &label, keys).map_err(|failed| match failed {
        open::OpenFailure::TooShort(at) => UnsealError::TooShort {
            object: sealed.object(),
            item: name(at),
        },
        open::OpenFailure::NotOpened(at) => not_opened(sealed, name(at), keys),
    })?;
    let opened_by = fingerprints(opened.iter().map(|(_, key)| *key), keys);
    let names = values.iter().map(|(name, _)| name.clone());
    let mut data: BTreeMap<String, SecretBytes> = names
        .zip(opened.into_iter().map(|(value, _)| value))
        .collect();
    // Every template sees the opened values only, so the order of the templates does not matter.
    let mut made = Vec::new();
    for (key, template) in &sealed.template.data {
        let value = template
            .render(&data)
            .map_err(|cause| UnsealError::Template {
                object: sealed.object(),
                item: key.clone(),
                cause,
            })?;
        made.push((key.clone(), value));
    }
    data.extend(made);
    let SecretTemplate {
        labels,
        annotations,
        kind,
        immutable,
        data: _,
    } = &sealed.template;
    let secret = RawSecret {
        namespace: None,
        name: None,
        kind: kind.clone(),
        data,
        labels: labels.clone(),
        annotations: annotations.clone(),
        immutable: *immutable,
    };
    Ok(Unsealed {
        secret: named(sealed, secret)?,
        opened_by,
    })
}

/// As upstream: the Secret inside is taken whole. Only name and namespace come from the
/// SealedSecret, because the value was sealed for them.
fn of_whole(sealed: &SealedSecret, blob: &[u8], keys: &Keyring) -> Result<Unsealed, UnsealError> {
    let label = sealed.label()?;
    let opened = open::open_all(&[blob], &label, keys).map_err(|failed| match failed {
        open::OpenFailure::TooShort(_) => UnsealError::TooShort {
            object: sealed.object(),
            item: None,
        },
        open::OpenFailure::NotOpened(_) => not_opened(sealed, None, keys),
    })?;
    let opened_by = fingerprints(opened.iter().map(|(_, key)| *key), keys);
    let inside = |cause| UnsealError::Inside {
        object: sealed.object(),
        cause,
    };
    let mut documents = Vec::new();
    for (bytes, _) in opened {
        documents.extend(document::objects(bytes.expose()).map_err(|cause| inside(cause.into()))?);
    }
    let (Some(secret), None) = (documents.pop(), documents.pop()) else {
        return Err(inside(InsideError::Number));
    };
    let secret = RawSecret::read(secret).map_err(|cause| inside(cause.into()))?;
    Ok(Unsealed {
        secret: named(sealed, secret)?,
        opened_by,
    })
}

fn named(sealed: &SealedSecret, secret: RawSecret) -> Result<Manifest, ManifestError> {
    secret.into_manifest(
        sealed.object(),
        sealed.namespace.clone(),
        sealed.name.clone(),
    )
}

fn not_opened(sealed: &SealedSecret, item: Option<String>, keys: &Keyring) -> UnsealError {
    UnsealError::NotOpened {
        object: sealed.object(),
        item,
        scope: sealed.scope,
        tried: keys.fingerprints().into_iter().map(str::to_owned).collect(),
    }
}

fn fingerprints(used: impl Iterator<Item = usize>, keys: &Keyring) -> Vec<String> {
    let mut used: Vec<usize> = used.collect();
    used.sort_unstable();
    used.dedup();
    used.into_iter()
        .filter_map(|at| keys.fingerprint(at))
        .map(str::to_owned)
        .collect()
}
