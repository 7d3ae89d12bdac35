//! Text templates: one machine, and two languages that are parsed into its tree: Jinja's for our
//! own templates, Go's for those of SealedSecrets.
//!
//! One meter limits steps and bytes, and results are in memory that is wiped. No function reads
//! anything but its arguments. Errors hold names, places and kinds, never a value.

mod context;
mod error;
mod eval;
mod functions;
pub mod go;
pub(crate) mod jinja;
mod meter;
mod tree;
mod value;

pub use error::{Place, Problem, TemplateError};
