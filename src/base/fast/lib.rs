//! Calls of generic libraries that must be fast.
//!
//! The compiler compiles generic code where it is called, not in its library. keyferry is compiled
//! for size; this package is compiled for speed (`Cargo.toml` has the profile), and calls each such
//! library for the one concrete type that keyferry needs.

pub mod gcm;
pub mod yaml;
