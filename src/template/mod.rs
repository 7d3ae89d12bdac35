//! Templates of text: one machine, and two languages that are read into its tree: Jinja's for our
//! own templates, Go's for those of SealedSecrets.
//!
//! Work is bounded in steps and bytes by one meter, and what is made lies in memory that is wiped;
//! no function reads anything but its arguments; errors hold names, places and kinds, never a
//! value.

mod error;
mod eval;
mod functions;
pub mod go;
pub(crate) mod jinja;
mod meter;
mod tree;
mod value;

use crate::base::failure::Failure;

pub use error::{Place, Problem, TemplateError};

/// Whose rules hold where the two languages differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    /// What is not there is an error, and what can be printed is as good as text.
    Jinja,
    /// What is not there is a value that some functions take; a text is a text.
    Go,
}

/// Where a template's values come from.
trait Data {
    /// All of them by name: each value, or why it may not be printed.
    fn all(&self) -> Vec<(&str, Result<value::Value<'_>, Failure>)>;
    /// The one of this name.
    fn named(&self, name: &str) -> Option<Result<value::Value<'_>, Failure>>;
    /// Whether all of them together are true.
    fn is_true(&self) -> bool;
}
