//! Problems in the text of a document, in any language: a place and a word, never a value.

use crate::base::failure::{Class, Fault};

/// Most levels of nesting: no honest document has more, and recursive walks over such a tree fit
/// any stack.
pub(crate) const MAX_DEPTH: usize = 128;

/// Most values of one file, lists and mappings included. Each costs far more memory than its text;
/// delivered files have only a few.
pub(crate) const MOST_VALUES: usize = 128 * 1024;

/// Why a text is not the document it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// Not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// Another text is expected at a place.
    #[error("{language} is malformed at line {line} column {column}")]
    Malformed {
        /// YAML, JSON, …
        language: &'static str,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// The same name twice in one mapping.
    #[error("the key `{key}` stands twice in one mapping")]
    Duplicate {
        /// The name, escaped.
        key: String,
    },
    /// The key of a mapping is a list or a mapping, or (in SOPS) no text.
    #[error("a key at line {line} is not text")]
    Key {
        /// From 1.
        line: usize,
    },
    /// A scalar does not fit its tag.
    #[error("a value at line {line} is not what its tag says, or a number too large")]
    Scalar {
        /// From 1.
        line: usize,
    },
    /// The value of a merge key is no mapping and no list of mappings.
    #[error("a merge key `<<` at line {line} is not a mapping")]
    Merge {
        /// From 1.
        line: usize,
    },
    /// A line of a `.env` or INI file.
    #[error("line {line} {problem}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// Nested deeper than `MAX_DEPTH`.
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More values than `MOST_VALUES`.
    #[error("it holds more than {MOST_VALUES} values")]
    TooMany,
    /// Aliases that unfold into far more than the file.
    #[error("its aliases unfold into far more than it holds")]
    Unfolds,
}

/// The problem of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// The line has no `=`.
    #[error("has no `=`")]
    NoValue,
    /// The name is no variable's name.
    #[error("has no valid name before its `=`")]
    Name,
    /// The name stands twice.
    #[error("sets a name that was set before")]
    Duplicate,
    /// A quote is not closed.
    #[error("opens a quote that is not closed")]
    Quote,
    /// Text after the closing quote.
    #[error("has text after its closing quote")]
    AfterQuote,
    /// A quote behind a backslash.
    #[error(
        "has a `\\` before a `'`, which docker compose takes for a part of the value and others \
         for its end"
    )]
    Escaped,
    /// A comment instead of a value.
    #[error("has a comment instead of a value, which docker compose takes for the value")]
    Comment,
    /// A `#` or `;` in a value of an INI file.
    #[error("has a `#` or `;` in its value, where some readers end the value and others do not")]
    InlineComment,
    /// An octal escape.
    #[error("has a `\\0`, which readers take differently")]
    Octal,
    /// A `$` that other readers would replace.
    #[error("has a `$` that other readers replace by a variable")]
    Substitution,
    /// `[` without `]`.
    #[error("opens a section that is not closed")]
    Section,
}

impl Fault for SyntaxError {
    fn class(&self) -> Class {
        match self {
            Self::TooDeep | Self::TooMany | Self::Unfolds => Class::Refused,
            Self::NotText
            | Self::Malformed { .. }
            | Self::Duplicate { .. }
            | Self::Key { .. }
            | Self::Scalar { .. }
            | Self::Merge { .. }
            | Self::Line { .. } => Class::Corrupt,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Line {
                problem: LineProblem::Substitution,
                ..
            } => Some(
                "put the value in single quotes, or write `\\$` in double quotes: variables are \
                 not filled in here"
                    .to_owned(),
            ),
            Self::Line {
                problem: LineProblem::Comment | LineProblem::Escaped | LineProblem::Octal,
                ..
            } => Some("put the value in quotes that all readers take alike".to_owned()),
            Self::Line {
                problem: LineProblem::InlineComment,
                ..
            } => Some(
                "put the whole value in backticks or in `\"\"\"`, and a comment on its own line"
                    .to_owned(),
            ),
            Self::NotText => Some("deliver it with `format: raw`".to_owned()),
            Self::Duplicate { .. } => Some("keep one of them".to_owned()),
            Self::TooMany => Some("split the file, or deliver it with `format: raw`".to_owned()),
            Self::Malformed { .. }
            | Self::Key { .. }
            | Self::Scalar { .. }
            | Self::Merge { .. }
            | Self::Line { .. }
            | Self::TooDeep
            | Self::Unfolds => None,
        }
    }
}

/// The first name that stands twice among a mapping's keys.
pub(crate) fn duplicate<'a>(keys: impl Iterator<Item = &'a str>) -> Result<(), SyntaxError> {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(SyntaxError::Duplicate {
            key: pair[0].escape_debug().to_string(),
        }),
        None => Ok(()),
    }
}
