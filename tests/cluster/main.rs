//! Everything that is shown on real servers.

#[path = "../support/mod.rs"]
mod support;

mod deploy;
mod examples;
mod kube;
mod sops;
mod stack;
mod vault;
