//! The shell around [`crate::copy_rules`]: it watches, reads, writes and reports, and decides
//! nothing.
//!
//! ```text
//! watch ──Signal──► drive: Index ──Job──► work ──► API server
//!                     ▲   └─ news ──► tell          │
//!                     └─────────── outcome ─────────┘
//! ```
//!
//! One task owns the index; jobs run beside it, as many at once as the configuration allows. Values
//! are read by name when a copy is to be written or compared, and dropped a moment later
//! ([`source_cache`]).

mod claimant;
mod controller;
mod digest;
mod events;
mod leader;
mod liveness;
mod mark_keys;
mod metrics;
mod preview;
mod source_cache;
mod status;
mod watch;
mod worker;

pub use controller::run;
pub use liveness::Liveness;
pub use metrics::names as metrics;
pub use preview::foresee;
pub use status::{CopiedStatus, ReflectorStatus, RefusedStatus};
pub use watch::{Follow, KindView, Versioned};
