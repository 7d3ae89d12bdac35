//! A scalar as it is written.

use std::borrow::Cow;

use granit_parser::{ScalarStyle, Tag};

/// Its text, its style and its tag.
pub(crate) struct Scalar<'a> {
    /// Escapes and line breaks resolved.
    pub(crate) text: Cow<'a, str>,
    pub(crate) style: ScalarStyle,
    pub(crate) tag: Option<&'a Tag>,
    /// The lines of the file that hold it, if they may hold a separator of lines of Go.
    pub(super) source: Option<&'a str>,
}
