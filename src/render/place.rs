//! The place of a failure.

use std::fmt::Display;

use crate::base::failure::Failure;

/// The same failure, with its place before it.
pub(super) fn within(place: impl Display, failure: impl Into<Failure>) -> Failure {
    let mut failure = failure.into();
    failure.what = format!("{place}: {}", failure.what);
    failure
}
