//! Everything that is shown on real servers.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop where it stands"
)]

#[path = "../support/mod.rs"]
mod support;

mod collector;
mod deploy;
mod end_with;
mod events;
mod examples;
mod grants;
mod helm;
mod history;
mod kube;
mod manifests;
mod monitoring;
mod ownership;
mod reflect;
mod sealed;

mod sidecar;
mod sops;
mod stack;
mod sync_windows;
mod vault;
mod workflows;
