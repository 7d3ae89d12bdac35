//! The events of a YAML text.

use granit_parser::{Event, Options, Parser, ScanError, Span, StrInput};

/// Gives one event after another; ends after the first error.
pub struct Events<'text>(Parser<'text, StrInput<'text>>);

impl<'text> Events<'text> {
    /// Reads a text from its beginning.
    pub fn new(text: &'text str, options: Options) -> Self {
        Self(Parser::new_from_str_with_options(text, options))
    }
}

impl<'text> Iterator for Events<'text> {
    type Item = Result<(Event<'text>, Span), ScanError>;

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}
