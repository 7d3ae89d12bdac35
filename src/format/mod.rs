//! Formats that values are read from and written in: each has one reader and one writer, which
//! keep the order of keys and the spelling of numbers, wipe what they make, and are bounded.

pub mod document;
pub mod dotenv;
pub(crate) mod ini;
pub(crate) mod json;
pub(crate) mod scalar;
mod syntax;
pub(crate) mod time;
pub(crate) mod yaml;

use syntax::MAX_DEPTH;
pub use syntax::{LineProblem, SyntaxError};
pub(crate) use syntax::{MOST_VALUES, duplicate};
