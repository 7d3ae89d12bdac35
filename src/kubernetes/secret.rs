//! A Secret on the wire: read straight into wiped bytes, written as a server-side apply, and
//! checked before it is sent.
//!
//! The mark: an object is keyferry's if it carries the label `app.kubernetes.io/managed-by:
//! keyferry`, and belongs to the configuration that the label `keyferry.io/configuration` names.
//! The first label is the standard one, so people find our Secrets with `kubectl get secrets -l
//! app.kubernetes.io/managed-by=keyferry`; it says nothing about a value, and no tool prunes by it.
//! A copy of an object carries the labels too, and is still safe from us: its fields belong to the
//! copier, so a differing value is a conflict and not an overwrite. We never set a label that Argo
//! CD tracks by.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::call::ApiCall;
use super::error::Error;
use super::fields::{Managed, SecretFields};
use super::metadata::{All, StoredMetadata};
use super::object_kind::{ObjectKind, Subject};
use super::write::{Put, amend};
use super::{Kubernetes, MANAGER};
use crate::base::artifact::secret::Data;
use crate::base::artifact::{CONFIGURATION, ObjectName, Owner, SecretArtifact, is_provenance};
use crate::base::coding::base64;
use crate::base::material::SecretBytes;
use crate::base::observed::{Basis, SecretState};
use crate::copy_rules::marks::is_copy;
use crate::copy_rules::place;

#[cfg(test)]
mod tests;

pub(crate) use crate::base::artifact::MARK;

/// A Secret as it is stored.
#[derive(serde::Deserialize)]
pub(crate) struct Stored {
    metadata: StoredMetadata<All>,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default, deserialize_with = "values")]
    data: Data,
    #[serde(default)]
    immutable: Option<bool>,
}

/// A value, decoded while it is parsed.
pub(super) struct Base64(pub(super) SecretBytes);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Decode;
        impl Visitor<'_> for Decode {
            type Value = Base64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64 text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Base64, E> {
                let bytes = base64::decode(text.as_bytes());
                let bytes = bytes.ok_or_else(|| E::custom("not base64"))?;
                Ok(Base64(bytes.into()))
            }
        }
        from.deserialize_str(Decode)
    }
}

/// All values of an object, decoded while they are parsed.
pub(super) fn values<'de, D: Deserializer<'de>>(from: D) -> Result<Data, D::Error> {
    let all: Option<BTreeMap<String, Base64>> = Option::deserialize(from)?;
    let all = all.unwrap_or_default().into_iter();
    Ok(all.map(|(key, Base64(value))| (key, value)).collect())
}

impl Stored {
    /// Its owner.
    pub(crate) fn owner(&self) -> Owner {
        Owner::from_labels(&self.labels(), is_copy(self.annotations()))
    }

    fn annotations(&self) -> impl Iterator<Item = &str> {
        let all = self.metadata.annotations.iter();
        all.flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.metadata.name
    }

    /// All of its labels.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        self.metadata.labels.clone().unwrap_or_default()
    }

    /// Its `uid`.
    pub(crate) fn uid(&self) -> &str {
        &self.metadata.uid
    }

    /// Its `resourceVersion`.
    pub(crate) fn version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Whether it is exactly what was seen.
    pub(crate) fn is(&self, seen: &Basis) -> bool {
        (self.uid(), self.version()) == (&seen.uid, &seen.version)
    }

    /// Its finalizers, when it is being deleted.
    pub(crate) fn deleting(&self) -> Option<&[String]> {
        self.metadata
            .deletion_timestamp
            .as_ref()
            .map(|_| self.metadata.finalizers.as_slice())
    }

    /// Keys that are neither ours nor wanted.
    fn keys_of_others(&self, wanted: &SecretArtifact) -> Vec<String> {
        let ours = self.managed().applied().data;
        let keys = self.data.keys();
        keys.filter(|key| !ours.contains(*key) && !wanted.data.contains_key(*key))
            .cloned()
            .collect()
    }

    /// The owners of its fields.
    fn managed(&self) -> Managed {
        Managed::from(self.metadata.managed_fields.clone())
    }

    /// All of its values.
    pub(crate) fn into_data(self) -> Data {
        self.data
    }

    /// The part that concerns us: what we applied and what we want to apply. A key, label or
    /// annotation that only others own stays, and is no difference.
    pub(crate) fn into_state(self, wanted: &SecretArtifact) -> SecretState {
        let owner = self.owner();
        let others = self.keys_of_others(wanted);
        let is_told = {
            let annotations = self.metadata.annotations.as_ref();
            owner == Owner::Configuration(wanted.provenance.configuration.to_string())
                && annotations.is_some_and(|told| wanted.provenance.is_told_by(told))
        };
        let managed = self.managed();
        let managers = match owner {
            Owner::Stranger => managed.without(&taken(wanted)).map(Box::new),
            // All that keyferry applied has one manager, whatever the configuration.
            Owner::Unnamed | Owner::Configuration(_) | Owner::Reflector => None,
        };
        let SecretFields {
            data,
            labels,
            annotations,
        } = managed.applied();
        let Self {
            metadata,
            kind,
            data: values,
            immutable,
        } = self;
        let values = values.into_iter();
        SecretState {
            basis: Basis {
                managers,
                ..metadata.basis()
            },
            kind,
            data: values
                .filter(|(key, _)| data.contains(key) || wanted.data.contains_key(key))
                .collect(),
            labels: concerning(metadata.labels, |key| {
                !is_mark(key) && (labels.contains(key) || wanted.labels.contains_key(key))
            }),
            annotations: concerning(metadata.annotations, |key| {
                !is_mark(key) && (annotations.contains(key) || wanted.annotations.contains_key(key))
            }),
            immutable: immutable.unwrap_or(false),
            owner,
            is_told,
            others,
            created: metadata.creation_timestamp.unwrap_or_default(),
            verdict: None,
        }
    }

    /// The same object, to be made again; its marks are among its labels and annotations.
    pub(crate) fn again(&self, at: &ObjectName) -> Put<'_> {
        Put {
            kind: place::CopiedKind::Secret,
            at: at.clone(),
            of_type: Some(&self.kind),
            labels: self.labels(),
            annotations: self.metadata.annotations.clone().unwrap_or_default(),
            immutable: self.immutable.unwrap_or(false),
            data: &self.data,
            binary: None,
            basis: None,
            force: false,
        }
    }
}

/// The wanted Secret, with our mark and its provenance.
pub(crate) fn marked<'a>(wanted: &'a SecretArtifact, basis: Option<&'a Basis>) -> Put<'a> {
    let SecretArtifact {
        at,
        kind,
        data,
        provenance,
        labels,
        annotations,
        immutable,
        conflict,
    } = wanted;
    let (mut labels, mut annotations) = (labels.clone(), annotations.clone());
    labels.extend([(MARK.to_owned(), MANAGER.to_owned()), provenance.label()]);
    annotations.extend(provenance.annotations());
    Put {
        kind: place::CopiedKind::Secret,
        at: at.clone(),
        of_type: Some(kind),
        labels,
        annotations,
        immutable: *immutable,
        data,
        binary: None,
        basis,
        force: conflict.force,
    }
}

/// All fields that an apply would own.
fn taken(wanted: &SecretArtifact) -> SecretFields {
    let marks = [MARK.to_owned(), CONFIGURATION.to_owned()];
    SecretFields {
        data: wanted.data.keys().cloned().collect(),
        labels: wanted.labels.keys().cloned().chain(marks).collect(),
        annotations: wanted.annotations.keys().cloned().collect(),
    }
}

/// Whether [`Owner`] and [`Provenance`] decide this key, and not the target.
///
/// [`Provenance`]: crate::base::artifact::Provenance
fn is_mark(key: &str) -> bool {
    key == MARK || is_provenance(key)
}

fn concerning(
    all: Option<BTreeMap<String, String>>,
    wanted: impl Fn(&str) -> bool,
) -> BTreeMap<String, String> {
    all.unwrap_or_default()
        .into_iter()
        .filter(|(key, _)| wanted(key))
        .collect()
}

impl Kubernetes {
    /// Reads a Secret; `None` when it is definitely absent.
    pub(crate) async fn secret(&self, at: &ObjectName) -> Result<Option<Stored>, Error> {
        let call = ApiCall::get(ObjectKind::Secret, at);
        match self.call(&call).await {
            Ok(answer) => call.read(&answer, "a Secret").map(Some),
            Err(Error::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The part of a Secret that concerns us; `None` when the Secret is definitely absent. A Secret
    /// that is being deleted is an error.
    pub(crate) async fn read_state(
        &self,
        wanted: &SecretArtifact,
    ) -> Result<Option<SecretState>, Error> {
        let Some(stored) = self.secret(&wanted.at).await? else {
            return Ok(None);
        };
        match stored.deleting() {
            Some(finalizers) => Err(Error::BeingDeleted {
                subject: Subject {
                    kind: ObjectKind::Secret,
                    at: wanted.at.clone(),
                },
                finalizers: finalizers.to_vec(),
            }),
            None => Ok(Some(stored.into_state(wanted))),
        }
    }

    /// Writes a Secret and returns the stored object.
    pub(crate) async fn write_secret(&self, put: &Put<'_>) -> Result<Stored, Error> {
        let call = put.call();
        let answer = self.call(&call).await?;
        call.read(&answer, "a Secret")
    }

    /// Prepares an object without our mark for an apply, and returns its new state: see
    /// [`Managed::without`].
    pub(crate) async fn disown(&self, at: &ObjectName, seen: &Basis) -> Result<Basis, Error> {
        if seen.managers.is_none() {
            return Ok(seen.clone());
        }
        let call = amend(ObjectKind::Secret, at, seen, Vec::new());
        let answer = self.call(&call).await?;
        let Stored { metadata, .. } = call.read(&answer, "a Secret")?;
        Ok(metadata.basis())
    }
}
