//! The metadata of an object, as the API server writes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Its metadata. Which annotations are kept is said by `A`: what others annotate may hold values.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", bound = "A: Deserialize<'de> + Default")]
pub(super) struct Metadata<A> {
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
