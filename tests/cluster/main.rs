//! Everything that is shown on real servers.

#[path = "../support/mod.rs"]
mod support;

mod deploy;
mod kube;
mod stack;
mod vault;
