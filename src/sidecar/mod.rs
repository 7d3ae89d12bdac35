//! The sidecar: deliveries are kept in groups, each at its own pace; `health` holds the state of
//! everything; reactions follow changes.
//!
//! ```text
//! mode::sidecar ─► group (when to pass) ─► batch (one pass and its result) ─► pass::pipeline
//!                     │ owed            │ results ─► failure_log ─► events
//!                     ▼                 ▼
//!                  reactor ─► react      health ◄─ serve ◄─ client (ready, status)
//! ```
//!
//! Deliveries that share a source are one group: each read serves all of them, and each
//! delivery is made at its own time.

pub mod batch;
pub mod client;
pub mod cluster_watch;
pub mod delivery_health;
mod earlier_targets;
pub mod events;
pub mod failure_log;
pub mod file_watch;
pub mod group;
pub mod grouping;
pub mod health;
pub mod leases;
pub mod listen;
pub mod made_secrets;
pub mod metrics;
pub mod otlp;
mod page;
pub mod pending_reactions;
pub mod reactor;
pub mod removals;
pub mod serve;
pub mod status;
pub mod window_hold;
