//! Secrets and ConfigMaps as they are copied: read whole, applied under our own name, bound to what
//! a copy was decided on.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::call::{Body, Call, Verb};
use super::error::Error;
use super::fields::{Fields, Managed};
use super::secret::{Base64, NEVER};
use super::subject::Kind;
use super::{Kubernetes, MANAGER};
use crate::base::artifact::{MARK, ObjectName};
use crate::base::material::SecretBytes;
use crate::format::base64;
use crate::reflect::metadata::Metadata;
use crate::reflect::place::{self, Place, Uid, Version};

/// An object with everything that a copy takes over.
pub(crate) struct Whole {
    /// Its metadata, as a watch shows it.
    pub(crate) metadata: Metadata,
    /// A Secret's type; empty for a ConfigMap.
    pub(crate) kind: String,
    /// Its data.
    pub(crate) data: BTreeMap<String, SecretBytes>,
    /// A ConfigMap's binary data.
    pub(crate) binary: BTreeMap<String, SecretBytes>,
    /// Whether it is immutable.
    pub(crate) immutable: bool,
    answer: Zeroizing<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(bound = "T: serde::de::DeserializeOwned")]
struct Wire<T> {
    metadata: Metadata,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    data: Option<BTreeMap<String, T>>,
    #[serde(rename = "binaryData", default)]
    binary: Option<BTreeMap<String, Base64>>,
    #[serde(default)]
    immutable: Option<bool>,
}

#[derive(Deserialize)]
struct Plain(String);

impl Whole {
    fn read(kind: place::Kind, answer: Zeroizing<Vec<u8>>) -> Option<Self> {
        let plain = |Plain(text): Plain| SecretBytes::from(text);
        match kind {
            place::Kind::Secret => {
                let wire: Wire<Base64> = serde_json::from_slice(&answer).ok()?;
                Some(Self::of(wire, |Base64(value)| value, answer))
            }
            place::Kind::ConfigMap => {
                let wire: Wire<Plain> = serde_json::from_slice(&answer).ok()?;
                Some(Self::of(wire, plain, answer))
            }
        }
    }

    fn of<T>(wire: Wire<T>, value: fn(T) -> SecretBytes, answer: Zeroizing<Vec<u8>>) -> Self {
        let data = wire.data.unwrap_or_default().into_iter();
        let binary = wire.binary.unwrap_or_default().into_iter();
        Self {
            metadata: wire.metadata,
            kind: wire.kind,
            data: data.map(|(key, text)| (key, value(text))).collect(),
            binary: binary.map(|(key, Base64(value))| (key, value)).collect(),
            immutable: wire.immutable.unwrap_or(false),
            answer,
        }
    }

    /// Labels and annotations. Read only when they are needed: one of them may hold a whole object.
    pub(crate) fn words(&self) -> [BTreeMap<String, String>; 2] {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Words {
            labels: Option<BTreeMap<String, String>>,
            annotations: Option<BTreeMap<String, String>>,
        }
        #[derive(Deserialize)]
        struct Object {
            metadata: Words,
        }
        let object: Option<Object> = serde_json::from_slice(&self.answer).ok();
        let Words {
            labels,
            annotations,
        } = object.map(|object| object.metadata).unwrap_or_default();
        [labels, annotations].map(Option::unwrap_or_default)
    }

    /// Sections and keys that it has.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        let data = self.data.keys().map(|key| ("data", key.as_str()));
        data.chain(self.binary.keys().map(|key| ("binaryData", key.as_str())))
    }

    fn managed(&self) -> Managed {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Entries {
            managed_fields: Vec<serde_json::Map<String, Value>>,
        }
        #[derive(Deserialize)]
        struct Object {
            metadata: Entries,
        }
        let object: Option<Object> = serde_json::from_slice(&self.answer).ok();
        let entries = object.map(|object| object.metadata.managed_fields);
        Managed::from(entries.unwrap_or_default())
    }
}

/// What a write was decided on: nothing, or this object in this version.
pub(crate) type Basis = Option<(Uid, Version)>;

/// A copy on its way.
pub(crate) struct Parcel<'a> {
    /// Secret or ConfigMap.
    pub(crate) kind: place::Kind,
    /// Where it goes.
    pub(crate) at: &'a Place,
    /// What it is a copy of.
    pub(crate) of: &'a Whole,
    /// Its labels, without our mark.
    pub(crate) labels: &'a BTreeMap<String, String>,
    /// Its annotations.
    pub(crate) annotations: &'a BTreeMap<String, String>,
    /// What it is written over.
    pub(crate) basis: Basis,
    /// Whether it is ours: then it gets our mark and the source's type. Otherwise it stays what its
    /// owner made it.
    pub(crate) ours: bool,
}

impl Parcel<'_> {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut metadata = json!({
            "name": *self.at.name, "namespace": *self.at.namespace,
            "annotations": self.annotations,
        });
        let mut labels = self.labels.clone();
        if self.ours {
            labels.insert(MARK.to_owned(), MANAGER.to_owned());
        }
        if !labels.is_empty() {
            metadata["labels"] = json!(labels);
        }
        match self.basis {
            None => metadata["resourceVersion"] = json!(NEVER),
            Some((uid, version)) => {
                metadata["uid"] = json!(uid.to_string());
                metadata["resourceVersion"] = json!(version.to_string());
            }
        }
        let mut head = json!({"apiVersion": "v1", "kind": self.kind.name(), "metadata": metadata});
        if self.ours && self.kind == place::Kind::Secret {
            head["type"] = json!(self.of.kind);
        }
        let head = head.to_string();
        let values = self.of.data.iter().chain(&self.of.binary);
        // Sized at once, so that no outgrown copy is left in memory unwiped; only a ConfigMap's
        // text may need more.
        let size = values.map(|(key, value)| key.len() * 2 + value.len() * 4 / 3 + 16);
        let mut body = Zeroizing::new(Vec::with_capacity(head.len() + 64 + size.sum::<usize>()));
        body.extend_from_slice(head.strip_suffix('}').unwrap_or_default().as_bytes());
        let plain = self.kind == place::Kind::ConfigMap;
        section(&mut body, "data", &self.of.data, plain);
        if !self.of.binary.is_empty() {
            section(&mut body, "binaryData", &self.of.binary, false);
        }
        body.push(b'}');
        body
    }
}

pub(super) fn section(
    body: &mut Vec<u8>,
    name: &str,
    values: &BTreeMap<String, SecretBytes>,
    plain: bool,
) {
    body.extend_from_slice(format!(",\"{name}\":{{").as_bytes());
    for (at, (key, value)) in values.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(json!(key).to_string().as_bytes());
        body.push(b':');
        match value.expose_str().filter(|_| plain) {
            Some(text) => body.extend_from_slice(json!(text).to_string().as_bytes()),
            None => {
                body.push(b'"');
                base64::push(body, value.expose());
                body.push(b'"');
            }
        }
    }
    body.push(b'}');
}

impl From<place::Kind> for Kind {
    fn from(kind: place::Kind) -> Self {
        match kind {
            place::Kind::Secret => Self::Secret,
            place::Kind::ConfigMap => Self::ConfigMap,
        }
    }
}

impl Kubernetes {
    /// Reads an object; nothing when it is definitely not there.
    pub(crate) async fn whole(
        &self,
        kind: place::Kind,
        at: &Place,
    ) -> Result<Option<Whole>, Error> {
        let call = Call::get(kind.into(), &at.object());
        match self.call(&call).await {
            Ok(answer) => read(&call, kind, answer).map(Some),
            Err(Error::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Applies a copy and gives what was stored. Fields of others are taken: it is our copy, or its
    /// owner asked for this.
    pub(crate) async fn send(&self, parcel: &Parcel<'_>) -> Result<Whole, Error> {
        let call = Call {
            query: format!("fieldManager={MANAGER}&force=true"),
            body: Body::apply(parcel.encode()),
            values: parcel
                .of
                .data
                .values()
                .chain(parcel.of.binary.values())
                .collect(),
            ..Call::new(Verb::Patch, parcel.kind.into(), &parcel.at.object())
        };
        let answer = self.call(&call).await?;
        read(&call, parcel.kind, answer)
    }

    /// Removes keys that do not belong, and other writers' names from those that do: after this, a
    /// stranger at the data shows.
    pub(crate) async fn clear(
        &self,
        kind: place::Kind,
        stored: &Whole,
        extra: &[(&'static str, String)],
    ) -> Result<Whole, Error> {
        let at = ObjectName {
            namespace: stored.metadata.namespace.clone(),
            name: stored.metadata.name.clone(),
        };
        let mut operations = vec![
            json!({
                "op": "replace", "path": "/metadata/uid", "value": stored.metadata.uid.to_string(),
            }),
            json!({
                "op": "replace", "path": "/metadata/resourceVersion",
                "value": stored.metadata.resource_version.to_string(),
            }),
        ];
        operations.extend(extra.iter().map(|(section, key)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            json!({"op": "remove", "path": format!("/{section}/{key}")})
        }));
        let all = Fields {
            data: stored.keys().map(|(_, key)| key.to_owned()).collect(),
            ..Fields::default()
        };
        if let Some(managers) = stored.managed().without(&all) {
            operations
                .push(json!({"op": "add", "path": "/metadata/managedFields", "value": managers}));
        }
        let call = Call {
            query: format!("fieldManager={MANAGER}"),
            body: Body::operations(&json!(operations)),
            ..Call::new(Verb::Patch, kind.into(), &at)
        };
        let answer = self.call(&call).await?;
        read(&call, kind, answer)
    }

    /// Deletes exactly one object in exactly one version; that it is gone already is fine.
    pub(crate) async fn remove(
        &self,
        kind: place::Kind,
        at: &Place,
        uid: Uid,
        version: Version,
    ) -> Result<(), Error> {
        let preconditions = json!({"uid": uid.to_string(), "resourceVersion": version.to_string()});
        let call = Call {
            body: Body::json(&json!({"preconditions": preconditions})),
            ..Call::new(Verb::Delete, kind.into(), &at.object())
        };
        match self.call(&call).await {
            Ok(_) | Err(Error::Absent(_) | Error::NoNamespace(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The parser's own words could quote a value, so they are not used.
fn read(call: &Call<'_>, kind: place::Kind, answer: Zeroizing<Vec<u8>>) -> Result<Whole, Error> {
    Whole::read(kind, answer).ok_or_else(|| Error::Strange {
        subject: call.subject.clone(),
        verb: call.verb.to_string(),
        why: format!("it is not a {}", kind.name()),
    })
}
