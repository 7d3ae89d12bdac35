//! Everything that needs no server of others.

#[path = "../support/mod.rs"]
mod support;

mod age;
mod cli;
mod examples;
mod files;
mod render;
mod schema;
mod stack;
mod tidy;
mod vault_stub;
