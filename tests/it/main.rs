//! Everything that needs no server of others.

#[path = "../support/mod.rs"]
mod support;

mod stack;
mod tidy;
