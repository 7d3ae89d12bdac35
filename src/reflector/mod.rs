//! The shell around [`crate::reflect`]: it watches, reads, writes and tells, and decides nothing.
//!
//! ```text
//! watch ──Signal──► drive: Index ──Job──► work ──► API server
//!                     ▲   └─ news ──► tell          │
//!                     └─────────── outcome ─────────┘
//! ```
//!
//! One task owns the index; jobs run beside it, as many at once as the configuration allows. Values are read by name when a
//! copy is to be written or compared, and dropped a moment later ([`larder`]).

mod digest;
mod drive;
mod figures;
mod foresee;
mod keys;
mod larder;
mod lead;
mod pulse;
mod tell;
mod watch;
mod work;

pub use drive::run;
pub use figures::names as metrics;
pub use foresee::foresee;
pub use pulse::Pulse;
pub use watch::{Follow, Seen, Versioned};
