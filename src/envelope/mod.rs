//! Encrypted files of other people's tools: bytes and keys in, a tree or bytes out. No I/O, no
//! clock.

pub mod age;
pub mod document;
pub mod dotenv;
pub mod gotemplate;
mod ini;
mod json;
pub mod manifest;
pub mod policy;
mod scalar;
pub mod sealed;
pub mod sops;
mod syntax;
mod time;
mod yaml;

pub use syntax::{LineProblem, SyntaxError};
