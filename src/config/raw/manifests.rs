//! Encrypted manifests as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::at::exactly_one;
use super::{At, Shown};

/// Exactly one kind of encrypted manifests, applied in the namespaces that are allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = exactly_one(&["sops", "sealed"])))]
pub struct RawManifests {
    /// Marks the Secrets of these manifests, so that `prune` knows them again.
    pub name: Option<At<Shown>>,
    /// SOPS files with Secrets; `*` stands for any part of a file's name.
    pub sops: Option<At<Shown>>,
    /// SealedSecret files; `*` stands for any part of a file's name.
    pub sealed: Option<At<Shown>>,
    /// Namespaces that manifests may name (default: only our own).
    #[serde(default)]
    pub namespaces: Vec<At<Shown>>,
    /// Delete the Secrets that carry this name and that no manifest describes any more.
    #[serde(default)]
    pub prune: bool,
    /// Take over Secrets that carry no owner mark, or that of another configuration.
    #[serde(default)]
    pub adopt: bool,
    /// Delete and create again where type or immutability forbid an update.
    #[serde(default)]
    pub recreate: bool,
    /// Take fields that another field manager owns.
    #[serde(default)]
    pub force: bool,
    /// sops: accept values that its checksum does not protect.
    #[serde(default)]
    pub allow_unauthenticated: bool,
}
