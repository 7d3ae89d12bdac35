//! A Secret on the wire: read straight into wiped bytes, written as a server-side apply, and
//! checked before it is sent.
//!
//! The mark: an object is keyferry's if it carries the label `app.kubernetes.io/managed-by:
//! keyferry`, and of a configuration if the label `keyferry.io/configuration` names that. The
//! first is the standard label for this, so people find our Secrets with
//! `kubectl get secrets -l app.kubernetes.io/managed-by=keyferry`, it says nothing about a value,
//! and no tool prunes by it. A copy of an object carries the labels too, and is still safe from
//! us: its fields belong to the copier, so a differing value is a conflict and not an overwrite.
//! No label that Argo CD tracks by is ever set.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::json;

use super::call::{Body, Call, Verb};
use super::error::Error;
use super::fields::Fields;
use super::fields::Managed;
use super::metadata::{All, Metadata};
use super::subject::{Kind, Subject};
use super::{Kubernetes, MANAGER};
use crate::base::artifact::{
    CONFIGURATION, Leftover, ObjectName, Owner, SecretArtifact, is_provenance,
};
use crate::base::material::SecretBytes;
use crate::base::observed::{Basis, SecretState};
use crate::format::base64;
use crate::reflect::marks::is_copy;

mod apply;
#[cfg(test)]
mod tests;

pub(crate) use apply::Apply;

pub(super) use apply::NEVER;
use apply::encode;

pub(crate) use crate::base::artifact::MARK;

/// A Secret as it is stored.
#[derive(serde::Deserialize)]
pub(crate) struct Stored {
    metadata: Metadata<All>,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    data: Option<BTreeMap<String, Base64>>,
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

impl Stored {
    /// Whose it is.
    pub(crate) fn owner(&self) -> Owner {
        Owner::of(&self.labels(), is_copy(self.annotations()))
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

    /// What holds it, when it is being deleted.
    pub(crate) fn deleting(&self) -> Option<&[String]> {
        self.metadata
            .deletion_timestamp
            .as_ref()
            .map(|_| self.metadata.finalizers.as_slice())
    }

    /// Keys that are neither ours nor wanted.
    fn keys_of_others(&self, wanted: &SecretArtifact) -> Vec<String> {
        let ours = self.managed().applied().data;
        let keys = self.data.iter().flat_map(BTreeMap::keys);
        keys.filter(|key| !ours.contains(*key) && !wanted.data.contains_key(*key))
            .cloned()
            .collect()
    }

    /// Who owns what.
    fn managed(&self) -> Managed {
        Managed::from(self.metadata.managed_fields.clone())
    }

    /// All of its values.
    pub(crate) fn into_data(self) -> BTreeMap<String, SecretBytes> {
        let data = self.data.unwrap_or_default().into_iter();
        data.map(|(key, Base64(value))| (key, value)).collect()
    }

    /// The part that concerns us: what we applied and what we are to apply. A key, label or
    /// annotation that only others own stays where it is and is no difference.
    pub(crate) fn seen(self, wanted: &SecretArtifact) -> SecretState {
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
            // All that keyferry applied has one manager, whichever configuration it was.
            Owner::Unnamed | Owner::Configuration(_) | Owner::Reflector => None,
        };
        let Fields {
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
        let values = values.unwrap_or_default().into_iter();
        SecretState {
            basis: Basis {
                uid: metadata.uid,
                version: metadata.resource_version,
                managers,
            },
            kind,
            data: values
                .filter(|(key, _)| data.contains(key) || wanted.data.contains_key(key))
                .map(|(key, Base64(value))| (key, value))
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

    /// The same object as one to be made, for putting it back; its marks are among its labels and
    /// annotations.
    pub(crate) fn into_artifact(self, instead: &SecretArtifact) -> SecretArtifact {
        let Self {
            metadata,
            kind,
            data,
            immutable,
        } = self;
        let data = data.unwrap_or_default().into_iter();
        SecretArtifact {
            at: instead.at.clone(),
            kind,
            data: data.map(|(key, Base64(value))| (key, value)).collect(),
            provenance: Arc::clone(&instead.provenance),
            labels: metadata.labels.unwrap_or_default(),
            annotations: metadata.annotations.unwrap_or_default(),
            immutable: immutable.unwrap_or(false),
            conflict: crate::base::artifact::Conflict::default(),
        }
    }
}

/// All that an apply would own.
fn taken(wanted: &SecretArtifact) -> Fields {
    let marks = [MARK.to_owned(), CONFIGURATION.to_owned()];
    Fields {
        data: wanted.data.keys().cloned().collect(),
        labels: wanted.labels.keys().cloned().chain(marks).collect(),
        annotations: wanted.annotations.keys().cloned().collect(),
    }
}

/// Whether it is decided by [`Owner`] and [`Provenance`], and not by what a target says.
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
    /// Reads a Secret; nothing when it is definitely not there.
    pub(crate) async fn secret(&self, at: &ObjectName) -> Result<Option<Stored>, Error> {
        let call = Call::get(Kind::Secret, at);
        match self.call(&call).await {
            Ok(answer) => parse(&call, &answer).map(Some),
            Err(Error::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The part of a Secret that concerns us; nothing when it is definitely not there. One that is
    /// being deleted is an error.
    pub(crate) async fn stands(
        &self,
        wanted: &SecretArtifact,
    ) -> Result<Option<SecretState>, Error> {
        let Some(stored) = self.secret(&wanted.at).await? else {
            return Ok(None);
        };
        match stored.deleting() {
            Some(finalizers) => Err(Error::BeingDeleted {
                subject: Subject {
                    kind: Kind::Secret,
                    at: wanted.at.clone(),
                },
                finalizers: finalizers.to_vec(),
            }),
            None => Ok(Some(stored.seen(wanted))),
        }
    }

    /// Applies a Secret and gives what was stored.
    pub(crate) async fn apply(&self, apply: &Apply<'_>) -> Result<Stored, Error> {
        let force = if apply.force { "&force=true" } else { "" };
        let call = Call {
            query: format!("fieldManager={MANAGER}{force}"),
            body: Body::apply(encode(apply)),
            values: apply.wanted.data.values().collect(),
            ..Call::new(Verb::Patch, Kind::Secret, &apply.wanted.at)
        };
        let answer = self.call(&call).await?;
        parse(&call, &answer)
    }

    /// Makes an object without our mark ready to be applied, and gives it as it is then: see
    /// [`Managed::without`].
    pub(crate) async fn disown(&self, at: &ObjectName, seen: &Basis) -> Result<Basis, Error> {
        let Basis {
            uid,
            version,
            managers,
        } = seen;
        let Some(managers) = managers else {
            return Ok(seen.clone());
        };
        let operations = json!([
            {"op": "replace", "path": "/metadata/uid", "value": uid},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/metadata/managedFields", "value": managers},
        ]);
        let call = Call {
            query: format!("fieldManager={MANAGER}"),
            body: Body::operations(&operations),
            ..Call::new(Verb::Patch, Kind::Secret, at)
        };
        let answer = self.call(&call).await?;
        let stored = parse(&call, &answer)?;
        Ok(Basis {
            uid: stored.metadata.uid,
            version: stored.metadata.resource_version,
            managers: None,
        })
    }

    /// Deletes exactly one object; that it is gone already is fine.
    pub(crate) async fn delete(&self, at: &ObjectName, uid: &str) -> Result<(), Error> {
        self.delete_if(at, json!({"uid": uid})).await
    }

    /// The same, and only while nobody has changed it since it was seen.
    pub(crate) async fn delete_unchanged(&self, leftover: &Leftover) -> Result<(), Error> {
        let Leftover {
            of: _,
            at,
            uid,
            version,
        } = leftover;
        let exactly = json!({"uid": uid, "resourceVersion": version});
        self.delete_if(at, exactly).await
    }

    async fn delete_if(
        &self,
        at: &ObjectName,
        preconditions: serde_json::Value,
    ) -> Result<(), Error> {
        let call = Call {
            body: Body::json(&json!({"preconditions": preconditions})),
            ..Call::new(Verb::Delete, Kind::Secret, at)
        };
        match self.call(&call).await {
            Ok(_) | Err(Error::Absent(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Kubernetes {
    /// Asks for the right to create a Secret of this name, before the only copy of it is deleted.
    pub(crate) async fn check_create(&self, at: &ObjectName) -> Result<(), Error> {
        #[derive(serde::Deserialize)]
        struct Review {
            status: Answer,
        }
        #[derive(serde::Deserialize)]
        struct Answer {
            allowed: bool,
        }
        let resource = json!({
            "verb": "create", "resource": "secrets", "version": "v1",
            "namespace": at.namespace, "name": at.name,
        });
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": resource},
        });
        let call = Call {
            body: Body::json(&review),
            ..Call::new(Verb::MayCreate, Kind::Secret, at)
        };
        let answer = self.call(&call).await?;
        match serde_json::from_slice(&answer) {
            Ok(Review {
                status: Answer { allowed: true },
            }) => Ok(()),
            Ok(_) => Err(Error::Forbidden {
                subject: call.subject,
                verb: "create".to_owned(),
                user: "this user".to_owned(),
            }),
            Err(_) => Err(Error::Strange {
                subject: call.subject,
                verb: call.verb.to_string(),
                why: "it is not a SelfSubjectAccessReview".to_owned(),
            }),
        }
    }
}

/// The parser's own words could quote a value, so they are not used.
fn parse(call: &Call<'_>, answer: &[u8]) -> Result<Stored, Error> {
    serde_json::from_slice(answer).map_err(|_| Error::Strange {
        subject: call.subject.clone(),
        verb: call.verb.to_string(),
        why: "it is not a Secret".to_owned(),
    })
}
