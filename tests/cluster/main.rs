//! Everything that is shown on real servers.

#[path = "../support/mod.rs"]
mod support;

mod sealed;
mod stack;
