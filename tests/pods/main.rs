//! keyferry in real pods: the image that `deploy/image.py` makes, the kits of `deploy/` as they
//! stand, exactly the rights that `keyferry grants` prints, a real kubelet, a real OpenBao.
//!
//! `tests/pods/run` starts them: it makes a node, and ends it.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop where it stands"
)]

#[path = "../support/mod.rs"]
mod support;

mod job;
mod kit;
mod pull;
mod reflector;
mod service;
