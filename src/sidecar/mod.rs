//! The sidecar: deliveries are kept in groups, each at its own pace; `health` holds the state of
//! everything; reactions follow changes.
//!
//! ```text
//! mode::sidecar ─► group (when to pass) ─► keep (one pass, and what it came to) ─► cycle
//!                     │ owed            │ results ─► news ─► log, Events
//!                     ▼                 ▼
//!                  reactor ─► apply::react      health ◄─ serve ◄─ client (ready, status)
//! ```
//!
//! Deliveries that share a source are one group: what is read for one of them is read for all, and
//! each is made at its own time.

pub mod batch;
pub mod client;
pub mod cluster_watch;
pub mod delivery_health;
mod earlier;
pub mod events;
pub mod failure_log;
pub mod file_watch;
pub mod group;
pub mod groups;
pub mod health;
pub mod leases;
pub mod listen;
pub mod metrics;
pub mod otlp;
pub mod outputs;
mod page;
pub mod pending;
pub mod reactor;
pub mod removals;
pub mod serve;
pub mod status;
pub mod window_hold;
