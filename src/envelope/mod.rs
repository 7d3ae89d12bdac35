//! Encrypted files of other people's tools: bytes and keys in, a tree or bytes out. No I/O, no
//! clock.

pub mod age;
pub mod allowed_recipients;
pub mod manifest;
pub(crate) mod recipient;
pub mod sealed;
pub mod sops;
