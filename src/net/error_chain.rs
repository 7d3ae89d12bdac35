//! Searches the errors of libraries for the useful part: their own texts only say that something
//! failed.

use std::error::Error;
use std::io;

/// The error of this type in a chain. An `io::Error` does not show the error that it wraps as its
/// `source`, so it is opened here.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = beneath(error);
    }
    None
}

/// The text of the innermost error: the outer ones only say that something failed.
pub(super) fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = beneath(error) {
        error = cause;
    }
    error.to_string().to_lowercase()
}

fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
