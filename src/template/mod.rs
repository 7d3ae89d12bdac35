//! Templates of text, in two languages: Jinja's for our own, Go's for those of SealedSecrets.
//!
//! Both are bounded in steps and bytes by one meter, and write into memory that is wiped; errors
//! hold names, places and kinds, never a value.

pub mod go;
pub(crate) mod jinja;
