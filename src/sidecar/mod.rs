//! What stays: deliveries are kept in groups, each at its own pace; a board says how all is; reactions follow changes.
//!
//! ```text
//! mode::sidecar ─► keep (one group: pass, wait, pass …) ─► cycle
//!                     │ owed            │ results
//!                     ▼                 ▼
//!                  reactor ─► apply::react      board ◄─ serve (/readyz, /metrics, /status) ◄─ ask (ready, status)
//! ```
//!
//! Deliveries that share a source are one group: a credential that is made for one pass is the same for all of them.

pub mod ask;
pub mod board;
pub mod cluster;
pub mod groups;
pub mod keep;
pub mod ledger;
pub mod metrics;
pub mod otlp;
pub mod reactor;
pub mod serve;
pub mod standing;
pub mod watch;
