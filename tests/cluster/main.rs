//! Everything that is shown on real servers.

#[path = "../support/mod.rs"]
mod support;

mod deploy;
mod examples;
mod kube;
mod sealed;
#[allow(clippy::unwrap_used, reason = "a test may stop where it stands")]
mod sops;
mod stack;
mod vault;
