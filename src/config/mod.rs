//! The checked declaration. If a [`Config`] exists it is valid: no other module validates again.
//!
//! Each concept has one file: the written shape (`Raw…`; serde and the JSON Schema use it), the
//! checked type, and the methods of [`check::Checker`] that turn the one into the other and report
//! problems with file, line and column. [`check`] also holds the checks of the whole configuration;
//! [`load`] reads and merges files.

mod auth;
pub mod check;
mod declared_copies;
mod decryption_keys;
mod delivery;
pub mod derived_schema;
pub mod duration;
pub mod environment;
pub mod expand;
mod field;
mod inputs;
pub mod load;
mod located;
mod manifests;
pub mod mask;
mod object;
pub mod problem;
mod process;
mod reaction;
mod read;
pub mod reference;
mod reflector;
mod sidecar;
mod source;
mod staleness;
mod target;
#[cfg(test)]
mod tests;
mod tree;
mod vault;
pub mod window;

use std::collections::BTreeMap;
use std::path::Path;

pub use auth::{JwtSource, VaultAuth};
pub use declared_copies::Reflect;
pub use decryption_keys::{AgeKey, KeyKind, Keys, LocatedKey, SealedKey};
pub use delivery::Delivery;
pub use field::{ComputedField, FieldName};
pub use manifests::ManifestSet;
pub use object::{SecretRef, resolve};
pub use process::Process;
pub use reaction::{Reaction, SignalName, Workload};
pub use reflector::{Reflector, SILENCE};
pub use sidecar::{Collector, REFRESH, Sidecar};
pub use source::{EarlierVersions, Encoding, From, NO_VERSION_0, Source, VaultRead};
pub use staleness::{OnFailure, Staleness};
pub use target::{
    FileFormat, FileSetTarget, FileTarget, Registry, SecretKind, SecretTarget, Target,
};
pub use vault::VaultServer;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::artifact::ConfigurationName;
use crate::base::failure::{Class, Failure};
use declared_copies::RawMarkKey;
use decryption_keys::RawKeys;
use delivery::RawDelivery;
use located::{At, Shown};
use manifests::RawManifests;
use reflector::RawReflector;
use sidecar::RawSidecar;
use vault::RawVault;

/// A place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Location {
    /// The file as it was named on the command line.
    pub file: String,
    /// From 1; 0 stands for the whole file.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

impl Location {
    /// The folder of the file.
    pub fn folder(&self) -> &Path {
        Path::new(&self.file).parent().unwrap_or(Path::new(""))
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            // The file as a whole.
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
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

/// The whole configuration, checked.
#[derive(Debug, Default)]
pub struct Config {
    /// Name of the configuration; required where it writes Secrets or copies.
    pub name: Option<ConfigurationName>,
    /// Vault or OpenBao servers by name; a single one is called `default`.
    pub vaults: BTreeMap<String, VaultServer>,
    /// Keys that open encrypted files.
    pub keys: Keys,
    /// Settings of the sidecar.
    pub sidecar: Sidecar,
    /// Deliveries, in the order of the files.
    pub deliveries: Vec<Delivery>,
    /// Copies by annotation; `None` where not configured.
    pub reflector: Option<Reflector>,
    /// The Secret whose keys sign the copies of deliveries; `None`: they are not signed.
    pub mark_key: Option<SecretRef>,
    /// Encrypted manifests, applied as the Secrets that they describe.
    pub manifests: Vec<ManifestSet>,
}

impl Config {
    /// The name, or a failure where the configuration has none.
    pub fn name(&self) -> Result<&ConfigurationName, Failure> {
        let unnamed = || {
            Failure::new(Class::Configuration, "the configuration has no name")
                .hint("add `name: …`")
        };
        self.name.as_ref().ok_or_else(unnamed)
    }

    /// Whether a pass can write anything: a delivery without a target is for `exec` alone.
    pub fn has_targets(&self) -> bool {
        !self.manifests.is_empty() || self.deliveries.iter().any(|one| !one.to.is_empty())
    }

    /// Where a target was written. `target` is its name in plans; without a match, the place of the
    /// delivery.
    pub fn place(&self, delivery: &str, target: Option<&str>) -> Option<&Location> {
        let delivery = self.deliveries.iter().find(|one| one.name == delivery)?;
        let called = |one: &&Target| {
            let own = one.to_string();
            // A plan names a Secret without a namespace by our own namespace.
            let short = own.strip_prefix("secret ").map(|name| format!("/{name}"));
            target.is_some_and(|target| {
                target == own || short.is_some_and(|short| target.ends_with(&short))
            })
        };
        let target = delivery.to.iter().find(called);
        Some(target.map_or(&delivery.at, Target::place))
    }

    /// Every source, with the delivery or the set of manifests that reads it.
    pub fn sources(&self) -> impl Iterator<Item = (String, &Source)> {
        let deliveries = self.deliveries.iter().flat_map(|delivery| {
            let sources = delivery.from.iter().map(|from| &from.source);
            sources.map(|source| (delivery.name.clone(), source))
        });
        let manifests = self.manifests.iter();
        let manifests =
            manifests.flat_map(|set| set.files.iter().map(move |file| (set.label(file), file)));
        deliveries.chain(manifests)
    }
}
