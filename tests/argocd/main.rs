//! keyferry under a real Argo CD: the folders of `examples/` in a Git repository, their own
//! Applications, real pods, a real OpenBao.
//!
//! `tests/argocd/run` starts them: it makes a node and an Argo CD, and ends both.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop where it stands"
)]

#[path = "../support/mod.rs"]
mod support;

mod archpad;
mod argo;
mod gitops;
mod repository;
mod softyt;
