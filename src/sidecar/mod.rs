//! What stays: deliveries are kept in groups, each at its own pace; a board says how all is; reactions follow changes.
//!
//! ```text
//! mode::sidecar ─► group (when to pass) ─► keep (one pass, and what it came to) ─► cycle
//!                     │ owed            │ results ─► news ─► log, herald (Events)
//!                     ▼                 ▼
//!                  reactor ─► apply::react      board ◄─ serve (/readyz, /metrics, /status) ◄─ ask (ready, status)
//! ```
//!
//! Deliveries that share a source are one group: what is read for one of them is read for all, and each is made at its own time.

pub mod ask;
pub mod board;
mod cached;
pub mod cluster;
pub mod group;
pub mod groups;
pub mod herald;
pub mod keep;
pub mod leases;
pub mod ledger;
pub mod listen;
pub mod made;
pub mod metrics;
pub mod news;
pub mod otlp;
pub mod reactor;
pub mod removals;
pub mod serve;
pub mod standing;
pub mod waits;
pub mod watch;
