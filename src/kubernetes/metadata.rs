//! The metadata of an object, as the API server writes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Kubernetes;
use super::call::ApiCall;
use super::error::Error;
use crate::base::observed::Basis;

/// The metadata of an object. `A` says which annotations are kept: those of others may hold values.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", bound = "A: Deserialize<'de> + Default")]
pub(super) struct StoredMetadata<A> {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    #[serde(default)]
    pub(super) labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) annotations: A,
    #[serde(default)]
    pub(super) creation_timestamp: Option<String>,
    #[serde(default)]
    pub(super) deletion_timestamp: Option<String>,
    #[serde(default)]
    pub(super) finalizers: Vec<String>,
    #[serde(default)]
    pub(super) managed_fields: Vec<Map<String, Value>>,
}

/// All of its annotations; `null` where there are none.
pub(super) type All = Option<BTreeMap<String, String>>;

impl<A> StoredMetadata<A> {
    /// The object, as it was seen.
    pub(super) fn basis(&self) -> Basis {
        Basis {
            uid: self.uid.clone(),
            version: self.resource_version.clone(),
            managers: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(bound = "A: Deserialize<'de> + Default")]
struct Object<A> {
    metadata: StoredMetadata<A>,
}

impl Kubernetes {
    /// The metadata of an object, read without its content.
    pub(super) async fn metadata<A: DeserializeOwned + Default>(
        &self,
        call: &ApiCall<'_>,
    ) -> Result<StoredMetadata<A>, Error> {
        let answer = self.call(call).await?;
        let object: Object<A> = call.read(&answer, "the metadata of an object")?;
        Ok(object.metadata)
    }
}
