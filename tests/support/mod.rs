//! The real servers and tools that both test binaries share; nothing here is a mock but `stub`, and
//! that serves garbage only.
//!
//! `tools` provisions binaries once for all processes, `process` keeps them from outliving us,
//! `openbao` and `cluster` are the servers, `wire` stands between a client and the cluster,
//! `archpad` fills them for an example, `sealing` makes sealing keys, `run` starts keyferry itself,
//! `readme` compares its answers with those that a document shows, `compose` loads compose files.
//!
//! Absent on purpose: no shared port, no fixed folder, no sleep that waits for readiness, no
//! process ended by name.

#![allow(
    dead_code,
    reason = "each test binary, and the bench, uses its own part of this"
)]

pub(crate) mod archpad;
pub(crate) mod canary;
pub(crate) mod cluster;
pub(crate) mod compose;
pub(crate) mod group;
pub(crate) mod html;
pub(crate) mod http;
pub(crate) mod hung;
pub(crate) mod kustomize;
pub(crate) mod node;
pub(crate) mod openbao;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod readme;
pub(crate) mod run;
pub(crate) mod sealing;
pub(crate) mod session;
pub(crate) mod sidecar;
pub(crate) mod signals;
pub(crate) mod stub;
pub(crate) mod tls;
pub(crate) mod tools;
pub(crate) mod wire;
