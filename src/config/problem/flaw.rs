//! A flaw of one file: what is wrong, where, what to do, and what was probably meant.

use crate::format::yaml::Place;

/// Why a text is no configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Flaw {
    /// The place; `None` when the flaw is in the whole file.
    pub(in crate::config) at: Option<Place>,
    /// What is wrong.
    pub(in crate::config) what: String,
    /// What to do.
    pub(in crate::config) hint: String,
    /// Kind of the flaw, for the search for the next flaw.
    pub(in crate::config) kind: Kind,
}

/// The kind of a flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Kind {
    /// An unknown key, and the key that was probably meant.
    Key(Option<&'static str>),
    /// A missing key.
    Missing(&'static str),
    /// A word of a fixed list is expected; the word that was probably meant.
    Word(Option<&'static str>),
    /// A value of another shape is expected.
    Shape(Shape),
    /// Any other flaw.
    Other,
}

/// The shape that is expected at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Shape {
    /// `true` or `false`.
    Truth,
    /// `[a, b]`.
    List,
    /// Anything else.
    Other,
}

impl Flaw {
    /// Something else is expected at a place.
    pub(in crate::config) fn shape(at: Place, shape: Shape, expected: &str, hint: &str) -> Self {
        Self {
            kind: Kind::Shape(shape),
            ..Self::new(at, format!("{expected} is expected here"), hint)
        }
    }

    /// A flaw of kind `Other` at a place.
    pub(in crate::config) fn new(
        at: Place,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            at: Some(at),
            what: what.into(),
            hint: hint.into(),
            kind: Kind::Other,
        }
    }
}
