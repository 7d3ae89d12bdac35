//! The configuration as it is written. The doc comments are the descriptions in `keyferry schema`.
//!
//! Nothing is checked here but names and types; [`super::check`] gives the shape its meaning.

mod field;

use std::collections::BTreeMap;

use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use super::at::{At, Hidden, Ordered, SHOWN, Shown, exactly_one};
use super::keys::RawKeys;
use super::manifests::RawManifests;
use super::reaction::RawReaction;
use super::reflect::{RawMarkKey, RawReflect};
use super::reflector::RawReflector;
use super::sidecar::RawSidecar;
use super::source::RawFrom;
use super::staleness::RawOnFailure;
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

/// Exactly one target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = exactly_one(&["file", "files", "secret"])))]
pub struct RawTarget {
    /// One file.
    pub file: Option<At<RawFile>>,
    /// A folder with one file per field, changed as one.
    pub files: Option<At<RawFiles>>,
    /// A Kubernetes Secret.
    pub secret: Option<At<RawSecret>>,
    /// Copies of this Secret in other namespaces.
    pub reflect: Option<At<RawReflect>>,
    /// ServiceAccounts that are to pull with this Secret.
    #[serde(default)]
    pub service_accounts: Vec<At<Shown>>,
}

/// A file, and how it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RawFile {
    /// Where; relative to the folder of this configuration.
    pub path: Option<At<Shown>>,
    /// Format of the file, if its name does not tell.
    pub format: Option<At<RawFileFormat>>,
    /// dotenv: change only our variables in the file that is there.
    pub edit: bool,
    /// json: write numbers and truth values as text.
    pub as_strings: bool,
    /// raw: the field (default: the only one).
    pub field: Option<At<Shown>>,
    /// template: the template's file.
    pub template: Option<At<Shown>>,
    /// Mode in quotes (default: "0400"), and with `edit` the mode of the file that is there.
    pub mode: Option<At<Shown>>,
    /// Mode of folders that are created (default: "0700").
    pub dir_mode: Option<At<Shown>>,
    /// Owner by number.
    pub uid: Option<u32>,
    /// Group by number.
    pub gid: Option<u32>,
    /// Create missing folders.
    pub create_dirs: bool,
    /// Refuse a place that is not in memory.
    pub require_tmpfs: bool,
    /// Take over a file of another owner.
    pub adopt: bool,
    /// Write into the file where it cannot be replaced (a bind-mounted file). Readers may see half
    /// of it.
    pub in_place: bool,
}

/// A folder with one file per field.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RawFiles {
    /// Where; relative to the folder of this configuration.
    pub dir: Option<At<Shown>>,
    /// Mode in quotes (default: "0400").
    pub mode: Option<At<Shown>>,
    /// Mode of folders that are created (default: "0700").
    pub dir_mode: Option<At<Shown>>,
    /// Owner by number.
    pub uid: Option<u32>,
    /// Group by number.
    pub gid: Option<u32>,
    /// Create missing folders.
    pub create_dirs: bool,
    /// Refuse a place that is not in memory.
    pub require_tmpfs: bool,
}

/// Format of a written file.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RawFileFormat {
    /// NAME=value, read alike by sh, docker compose and node.
    Dotenv,
    /// A JSON object.
    Json,
    /// A YAML mapping.
    Yaml,
    /// name=value of Java.
    Properties,
    /// The bytes of one field.
    Raw,
    /// The output of a template.
    Template,
}

/// A Kubernetes Secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawSecret {
    /// Its name.
    pub name: At<Shown>,
    /// Our own namespace by default.
    pub namespace: Option<At<Shown>>,
    /// Opaque, dockerconfigjson, tls, basic-auth, ssh-auth, or any other type by its full name.
    #[serde(rename = "type")]
    pub kind: Option<At<Shown>>,
    /// dockerconfigjson: several registries.
    #[serde(default)]
    pub registries: Vec<At<RawRegistry>>,
    /// Labels to set.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations to set.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Make it immutable; then a change needs `recreate`.
    #[serde(default)]
    pub immutable: bool,
    /// Take over a Secret that carries no owner mark.
    #[serde(default)]
    pub adopt: bool,
    /// Delete and create again where type or immutability forbid an update.
    #[serde(default)]
    pub recreate: bool,
    /// Take fields that another field manager owns.
    #[serde(default)]
    pub force: bool,
}

/// One registry of a pull secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawRegistry {
    /// Address as the container runtime knows it.
    pub server: At<Shown>,
    /// Field with the user name.
    pub username: At<Hidden>,
    /// Field with the password.
    pub password: At<Hidden>,
}
