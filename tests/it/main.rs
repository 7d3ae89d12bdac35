//! Everything that needs no server of others.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop where it stands"
)]

#[path = "../support/mod.rs"]
mod support;

mod age;
mod blackhole;
mod cli;
mod collector;
mod companion;
mod documents;
mod envelopes;
mod examples;
mod faults;
mod files;
mod first;
mod grants;
mod image;
mod inputs;
mod install;
mod kind;
mod listener;
mod mutate;
mod outputs;
mod pass;
mod progress;
mod quiet;
mod render;
mod room;
mod rops;
mod schema;
mod shared;
mod shown;
mod sidecar;
mod signals;
mod stack;
mod tidy;
mod untold;
mod vault_stub;
mod windows;
mod wrong_inputs;
