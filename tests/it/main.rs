//! Everything that needs no server of others.

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod schema;
mod tidy;
