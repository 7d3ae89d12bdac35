//! keyferry carries secrets from where they are kept to where they are used.
//!
//! ```text
//! keyferry.yaml ──config──► Config
//!   I/O   pass::source  ──► Material ──► render ───► Wanted ───┐          pure
//!   I/O   pass::observe ──► Observed ──────────────────────────┤
//!   I/O   pass::apply  ◄─── { steps with reasons } ◄── plan ───┘          pure
//! ```
//!
//! A module uses its own ring or lower ones, and no circle of modules exists: `tests/it/tidy.rs`
//! holds the list.
//!
//! | ring | modules | |
//! |---|---|---|
//! | 4 | `main`, `cli` | arguments, loading, what is printed, exit codes |
//! | 3 | `mode`, `sidecar`, `reflector` over `pass` | when to make a pass; the one path of a pass |
//! | 2 | `vault`, `kubernetes` over `net`, `disk`, `process` | input and output, and what bounds them |
//! | 1 | `plan`, `render`, `copy_rules`, `envelope`, `template`, `config` | pure: no clock, no file, no network |
//! | 0 | `format` over `base` | readers and writers of formats; plain types, codings |

pub mod base;
pub mod config;
pub mod copy_rules;
pub mod disk;
pub mod envelope;
pub mod format;
pub mod kubernetes;
pub mod mode;
pub mod net;
pub mod pass;
pub mod plan;
pub mod process;
pub mod reflector;
pub mod render;
pub mod sidecar;
pub mod template;
pub mod vault;
