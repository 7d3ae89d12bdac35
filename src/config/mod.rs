//! The checked declaration. If a [`Config`] exists it is valid: no other module validates again.
//!
//! [`raw`] is the shape as written (serde and JSON Schema come from it), [`check`] turns it into
//! the types below and names file, line and column of what is wrong, [`load`] reads and merges
//! files.

mod at;
mod auth;
pub mod check;
pub mod duration;
pub mod expand;
mod inputs;
mod keys;
pub mod load;
mod malformed;
mod manifests;
pub mod mask;
mod mend;
mod object;
pub mod outside;
pub mod problem;
mod process;
pub mod raw;
mod reaction;
mod read;
pub mod reference;
mod reflect;
mod reflector;
mod sidecar;
mod source;
mod staleness;
mod target;
#[cfg(test)]
mod tests;
mod vault;
pub mod window;
mod written;

use std::collections::BTreeMap;
use std::path::Path;

pub use auth::{JwtSource, VaultAuth};
pub use keys::{AgeKey, Keys, Named, SealedKey};
pub use manifests::ManifestSet;
pub use object::{SecretRef, resolve};
pub use process::Process;
pub use reaction::{Reaction, SignalName, Workload};
pub use reflect::Reflect;
pub use reflector::{Reflector, SILENCE};
pub use sidecar::{Collector, REFRESH, Sidecar};
pub use source::{DocumentFormat, Encoding, From, Source, VaultRead};
pub use staleness::{OnFailure, Staleness};
pub use target::{
    FileFormat, FileSetTarget, FileTarget, Registry, SecretKind, SecretTarget, Target,
};
pub use vault::VaultServer;

use crate::base::artifact::ConfigurationName;
use crate::base::failure::{Class, Failure};

/// Where in the configuration something was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Location {
    /// The file as it was named on the command line.
    pub file: String,
    /// From 1; 0 stands for the file as a whole.
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

/// Everything that was declared.
#[derive(Debug, Default)]
pub struct Config {
    /// Its name; there is one where Secrets or copies are written.
    pub name: Option<ConfigurationName>,
    /// Vault or OpenBao servers by name; a single one is called `default`.
    pub vaults: BTreeMap<String, VaultServer>,
    /// Keys that open encrypted files.
    pub keys: Keys,
    /// How a sidecar stays.
    pub sidecar: Sidecar,
    /// In the order of the files.
    pub deliveries: Vec<Delivery>,
    /// Copies by annotation, where wanted.
    pub reflector: Option<Reflector>,
    /// The Secret whose keys sign the copies of deliveries, where they are signed.
    pub mark_key: Option<SecretRef>,
    /// Encrypted manifests, applied as what they say they are.
    pub manifests: Vec<ManifestSet>,
}

impl Config {
    /// Its name, for what is written with it.
    pub fn name(&self) -> Result<&ConfigurationName, Failure> {
        let unnamed = || {
            Failure::new(Class::Configuration, "the configuration has no name")
                .hint("add `name: …`")
        };
        self.name.as_ref().ok_or_else(unnamed)
    }

    /// Where a target of a delivery was written: as plans name it, or else its delivery.
    pub fn place(&self, delivery: &str, target: Option<&str>) -> Option<&Location> {
        let delivery = self.deliveries.iter().find(|one| one.name == delivery)?;
        let called = |one: &&Target| {
            let own = one.to_string();
            // A Secret without a namespace is called by ours in a plan.
            let short = own.strip_prefix("secret ").map(|name| format!("/{name}"));
            target.is_some_and(|target| {
                target == own || short.is_some_and(|short| target.ends_with(&short))
            })
        };
        let target = delivery.to.iter().find(called);
        Some(target.map_or(&delivery.at, |target| match target {
            Target::File(file) => &file.at,
            Target::Files(set) => &set.at,
            Target::Secret(secret) => &secret.location,
        }))
    }

    /// Every source, and whose it is: of a delivery or of a set of manifests.
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

/// One promise: these fields, rendered so, to these targets.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// Unique.
    pub name: String,
    /// Merged in order.
    pub from: Vec<From>,
    /// Computed after the merge, in order.
    pub fields: Vec<ComputedField>,
    /// Fields that must be there and not be empty.
    pub require: Vec<FieldName>,
    /// The only fields that reach the targets, in this order; all where it is empty.
    pub deliver: Vec<FieldName>,
    /// Whether empty values may be delivered.
    pub allow_empty: bool,
    /// Where it goes; only `exec` may do without.
    pub to: Vec<Target>,
    /// How many entries its journal keeps; nothing where it has none.
    pub history: Option<usize>,
    /// What a sidecar does after a change.
    pub on_change: Vec<Reaction>,
    /// What a sidecar does about its age.
    pub staleness: Staleness,
    /// Where it was written.
    pub at: Location,
}

/// The name of a field, as `require` and `deliver` list it.
#[derive(Debug, Clone)]
pub struct FieldName {
    /// The name.
    pub name: String,
    /// Where it was written.
    pub at: Location,
}

/// A field made from others by a template.
#[derive(Debug, Clone)]
pub struct ComputedField {
    /// Its name.
    pub name: String,
    /// The template's text.
    pub template: String,
    /// Whether what it gives is base64 of the bytes that are meant.
    pub base64: bool,
    /// Where the template was written.
    pub at: Location,
}
