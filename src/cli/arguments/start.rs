//! What `explain` and `new` take: help for those who write a configuration.

use clap::{Args, ValueEnum};

/// What can be written where.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The keys on the way to it, joined by dots
    #[arg(value_name = "PLACE", default_value = "", hide_default_value = true)]
    pub(crate) place: String,
    /// Print the tables of all keys in Markdown: the end of docs/configuration.md
    #[arg(long, conflicts_with = "place")]
    pub(crate) markdown: bool,
}

/// What a configuration to start with is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Start {
    /// The pull secret of a registry, made before Argo CD syncs
    PullSecret,
    /// Files for a pod before it starts
    Init,
    /// Files for a pod, kept fresh
    Sidecar,
    /// A .env from a SOPS file
    SopsEnv,
    /// SOPS and SealedSecret manifests, applied
    Manifests,
    /// Copies of Secrets in other namespaces, by annotation
    Reflector,
}
