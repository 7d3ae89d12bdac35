//! Templates of text: one machine, and two languages that are read into its tree: Jinja's for our
//! own templates, Go's for those of SealedSecrets.
//!
//! Work is bounded in steps and bytes by one meter, and what is made lies in memory that is wiped;
//! no function reads anything but its arguments; errors hold names, places and kinds, never a
//! value.

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
