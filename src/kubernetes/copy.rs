//! Secrets and ConfigMaps as they are copied: read whole.

use std::collections::BTreeMap;

use crate::base::wiped::WipedBytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Kubernetes;
use super::call::ApiCall;
use super::error::Error;
use super::fields::{Managed, SecretFields};
use super::object_kind::ObjectKind;
use super::secret::{Base64, values};
use super::write::{Put, amend};
use crate::base::artifact::ObjectName;
use crate::base::artifact::secret::Data;
use crate::base::material::SecretBytes;
use crate::base::observed::Basis;
use crate::copy_rules::metadata::Metadata;
use crate::copy_rules::place::{self, ObjectPlace};

/// An object with everything that a copy takes over.
pub(crate) struct WholeObject {
    /// Its metadata, as a watch shows it.
    pub(crate) metadata: Metadata,
    /// A Secret's type; empty for a ConfigMap.
    pub(crate) kind: String,
    /// Its data.
    pub(crate) data: Data,
    /// A ConfigMap's binary data.
    pub(crate) binary: Data,
    /// Whether it is immutable.
    pub(crate) immutable: bool,
    answer: WipedBytes,
}

#[derive(Deserialize)]
#[serde(bound = "T: serde::de::DeserializeOwned")]
struct Wire<T> {
    metadata: Metadata,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    data: Option<BTreeMap<String, T>>,
    #[serde(rename = "binaryData", default, deserialize_with = "values")]
    binary: Data,
    #[serde(default)]
    immutable: Option<bool>,
}

#[derive(Deserialize)]
struct Plain(String);

impl WholeObject {
    fn read(kind: place::CopiedKind, answer: WipedBytes) -> Option<Self> {
        let plain = |Plain(text): Plain| SecretBytes::from(text);
        match kind {
            place::CopiedKind::Secret => {
                let wire: Wire<Base64> = serde_json::from_slice(&answer).ok()?;
                Some(Self::from_wire(wire, |Base64(value)| value, answer))
            }
            place::CopiedKind::ConfigMap => {
                let wire: Wire<Plain> = serde_json::from_slice(&answer).ok()?;
                Some(Self::from_wire(wire, plain, answer))
            }
        }
    }

    fn from_wire<T>(wire: Wire<T>, value: fn(T) -> SecretBytes, answer: WipedBytes) -> Self {
        let data = wire.data.unwrap_or_default().into_iter();
        Self {
            metadata: wire.metadata,
            kind: wire.kind,
            data: data.map(|(key, text)| (key, value(text))).collect(),
            binary: wire.binary,
            immutable: wire.immutable.unwrap_or(false),
            answer,
        }
    }

    /// Labels and annotations. Parsed only when needed: one of them may hold a whole object.
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

impl From<place::CopiedKind> for ObjectKind {
    fn from(kind: place::CopiedKind) -> Self {
        match kind {
            place::CopiedKind::Secret => Self::Secret,
            place::CopiedKind::ConfigMap => Self::ConfigMap,
        }
    }
}

impl Kubernetes {
    /// Reads an object; `None` when it is definitely absent.
    pub(crate) async fn read_whole(
        &self,
        kind: place::CopiedKind,
        at: &ObjectPlace,
    ) -> Result<Option<WholeObject>, Error> {
        let call = ApiCall::get(kind.into(), &at.object());
        match self.call(&call).await {
            Ok(answer) => read(&call, kind, answer).map(Some),
            Err(Error::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a copy and returns the stored object.
    pub(crate) async fn send(&self, put: &Put<'_>) -> Result<WholeObject, Error> {
        let call = put.call();
        let answer = self.call(&call).await?;
        read(&call, put.kind, answer)
    }

    /// Removes keys that do not belong, and other managers' names from keys that do: from then on,
    /// a foreign manager of the data is noticed.
    pub(crate) async fn clear(
        &self,
        kind: place::CopiedKind,
        stored: &WholeObject,
        extra: &[(&'static str, String)],
    ) -> Result<WholeObject, Error> {
        let at = ObjectName {
            namespace: stored.metadata.namespace.clone(),
            name: stored.metadata.name.clone(),
        };
        let operations = extra.iter().map(|(section, key)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            json!({"op": "remove", "path": format!("/{section}/{key}")})
        });
        let all = SecretFields {
            data: stored.keys().map(|(_, key)| key.to_owned()).collect(),
            ..SecretFields::default()
        };
        let seen = Basis {
            uid: stored.metadata.uid.to_string(),
            version: stored.metadata.resource_version.to_string(),
            managers: stored.managed().without(&all).map(Box::new),
        };
        let call = amend(kind.into(), &at, &seen, operations.collect());
        let answer = self.call(&call).await?;
        read(&call, kind, answer)
    }
}

/// The parser's own words could quote a value, so they are not used.
fn read(
    call: &ApiCall<'_>,
    kind: place::CopiedKind,
    answer: WipedBytes,
) -> Result<WholeObject, Error> {
    WholeObject::read(kind, answer)
        .ok_or_else(|| call.strange(format!("it is not a {}", kind.name())))
}
