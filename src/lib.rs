//! keyferry carries secrets from where they are kept to where they are used.
//!
//! ```text
//! keyferry.yaml ──config──► Config
//!   I/O   source::Reads     ──► Material ──► render::wanted ───► Wanted ───┐          pure
//!   I/O   observe::delivery ──► Observed ──────────────────────────────────┤
//!   I/O   apply::delivery ◄── { steps with reasons } ◄── plan::delivery ───┘          pure
//! ```
//!
//! A module uses lower rings only (`tests/it/tidy.rs` holds the list):
//!
//! | ring | modules | |
//! |---|---|---|
//! | 4 | `main`, `cli` | arguments, logs, exit code |
//! | 3 | `mode`, `sidecar`, `outcome`, `cycle`, `telemetry`, `hygiene` | when to make a pass; the one path of a pass; what is told of it |
//! | 2 | `source`, `observe`, `apply`, `reflector` over `world`, over `vault`, `kubernetes`, `disk` | all I/O; `patience`, `halt`, `turns` and `room` bound it |
//! | 2 | `progress`, `stderr` | what a terminal shows of a wait; what is told there |
//! | 1 | `plan`, `render`, `reflect`, `envelope`, `manifest`, `config` | pure: no clock, no file, no network |
//! | 0 | `material`, `artifact`, `observed`, `fetched`, `report`, `cadence`, `tally`, `metric`, `lock`, `overlap`, `plain`, `format`, `net`, `redact` | plain types; how names are shown; codings; addresses; what secrets look like |

pub mod apply;
pub mod artifact;
pub mod cadence;
pub mod config;
pub mod cycle;
pub mod disk;
pub mod envelope;
pub mod fetched;
mod format;
pub mod halt;
pub mod hygiene;
pub mod kubernetes;
pub mod lock;
pub mod manifest;
pub mod material;
pub mod metric;
pub mod mode;
mod net;
pub mod observe;
pub mod observed;
pub mod outcome;
pub mod overlap;
pub mod patience;
pub mod plain;
pub mod plan;
pub mod progress;
mod redact;
pub mod reflect;
pub mod reflector;
pub mod render;
pub mod report;
pub mod room;
pub mod shelf;
pub mod sidecar;
pub mod source;
pub mod stderr;
pub mod tally;
pub mod telemetry;
pub mod turns;
pub mod vault;
pub mod world;
