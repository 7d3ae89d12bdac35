//! Encrypted files of other people's tools: bytes and keys in, a tree or bytes out. No I/O, no clock.

pub mod sealed;
