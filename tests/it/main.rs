//! Everything that needs no server of others.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop where it stands"
)]

#[path = "../support/mod.rs"]
mod support;

mod age;
mod blocked_output;
mod broken_api_server;
mod changing_inputs;
mod cli;
mod collector;
mod conflicting_outputs;
mod documents;
mod end_with;
mod envelopes;
mod error_messages;
mod examples;
mod faults;
mod files;
mod github_env;
mod grants;
mod hostile_names;
mod image;
mod install;
mod lasting_failures;
mod listener;
mod lost_packets;
mod memory_limit;
mod pass;
mod pictures;
mod pid_one;
mod progress;
mod random_inputs;
mod render;
mod rops;
mod schema;
mod shared_process_namespace;
mod sidecar;
mod signals;
mod stack;
mod status_page;
mod sync_windows;
mod systemd;
mod tidy;
mod vault_stub;
mod wrong_inputs;
