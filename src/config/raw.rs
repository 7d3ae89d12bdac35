//! The configuration as it is written. The doc comments are the descriptions in `keyferry schema`.
//!
//! Nothing is checked here but names and types; [`super::check`] gives the shape its meaning.

mod field;

use std::collections::BTreeMap;

use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use super::at::{At, Hidden, Ordered, SHOWN, Shown};
use super::keys::RawKeys;
use super::manifests::RawManifests;
use super::reaction::RawReaction;
use super::reflect::RawMarkKey;
use super::reflector::RawReflector;
use super::sidecar::RawSidecar;
use super::source::RawFrom;
use super::staleness::RawOnFailure;
use super::target::RawTarget;
use super::vault::RawVault;
use super::window::RawWindow;

pub use field::{RawEncodedField, RawField, RawFieldEncoding};

/// The JSON Schema of a configuration, as it is printed.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(RawConfig);
    let mut clean = RecursiveTransform(|schema: &mut Schema| drop(schema.remove(SHOWN)));
    clean.transform(&mut schema);
    schema.to_value()
}

/// What keyferry carries, from where, and where to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "keyferry configuration")]
pub struct RawConfig {
    /// Name of this configuration in the cluster, such as `platform`. Its Secrets and copies carry
    /// this name, and no other configuration changes or deletes them. Required where it writes
    /// Secrets or copies.
    pub name: Option<At<Shown>>,
    /// The Vault or OpenBao server of sources that name no `server`.
    pub vault: Option<At<RawVault>>,
    /// More servers, by name; a source picks one by `server`.
    pub vaults: BTreeMap<String, At<RawVault>>,
    /// Keys that open encrypted files.
    pub keys: RawKeys,
    /// How a sidecar stays.
    pub sidecar: Option<At<RawSidecar>>,
    /// Which fields go from which sources to which targets.
    pub deliveries: Vec<At<RawDelivery>>,
    /// Copies by annotation.
    pub reflector: Option<At<RawReflector>>,
    /// The Secret whose keys sign copies in other namespaces, so that none can be forged.
    pub mark_key: Option<At<RawMarkKey>>,
    /// Encrypted Kubernetes manifests, applied as the Secrets that they describe.
    pub manifests: Vec<At<RawManifests>>,
}

/// One promise: these fields, rendered so, to these targets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawDelivery {
    /// Unique name.
    pub name: At<Shown>,
    /// Sources, merged in order.
    #[serde(default)]
    pub from: Vec<At<RawFrom>>,
    /// Computed fields: name to template. A template may use the fields above it.
    #[serde(default)]
    pub fields: Ordered<At<RawField>>,
    /// Fields that must be there.
    #[serde(default)]
    pub require: Vec<At<Shown>>,
    /// Only these fields reach the targets; the others serve computed fields. Default: all.
    #[serde(default)]
    pub deliver: Vec<At<Shown>>,
    /// Deliver empty values too.
    #[serde(default)]
    pub allow_empty: bool,
    /// Targets.
    #[serde(default)]
    pub to: Vec<At<RawTarget>>,
    /// How many changes `keyferry history` remembers, 1 to 100, beside the first target.
    pub history: Option<At<u64>>,
    /// Sidecar: reactions to a change of delivered data.
    #[serde(default)]
    pub on_change: Vec<At<RawReaction>>,
    /// Sidecar: how often sources that cannot be watched are read (default: `sidecar.refresh`).
    pub refresh: Option<At<Shown>>,
    /// Sidecar: older than this it is not ready.
    pub max_age: Option<At<Shown>>,
    /// Sidecar: when a source or field is absent that was delivered before (default: keep).
    pub on_missing: Option<At<RawOnFailure>>,
    /// Sidecar: when a login or a right is refused (default: keep).
    pub on_denied: Option<At<RawOnFailure>>,
    /// Sidecar: when a provider cannot be reached (default: keep).
    pub on_unavailable: Option<At<RawOnFailure>>,
    /// Sidecar: at the start, whole files that an earlier run left count as delivered while a
    /// provider is down.
    #[serde(default)]
    pub accept_cached: bool,
    /// Sidecar: when delivered data may be changed (default: `sidecar.windows`).
    #[serde(default)]
    pub windows: Vec<At<RawWindow>>,
}
