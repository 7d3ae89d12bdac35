//! The statements of a `.env` text, line by line: split as docker compose does, with the place of
//! each part.
//!
//! Only this file knows where a value begins and ends. [`super::variables`] knows what a value
//! means, and `render::formats::shared_dotenv` changes values.

use std::ops::Range;

use crate::format::syntax::LineProblem;

/// A byte order mark.
pub const MARK: char = '\u{feff}';

/// A line, or the lines that a quoted value takes up.
#[derive(Debug)]
pub struct Statement<'t> {
    /// Number of its first line, from 1.
    pub line: usize,
    /// The whole statement, without the newline that ends it.
    pub place: Range<usize>,
    /// The blanks before it.
    pub indent: &'t str,
    /// The kind of statement.
    pub kind: StatementKind<'t>,
}

/// The kind of a statement.
#[derive(Debug)]
pub enum StatementKind<'t> {
    /// Nothing but blanks.
    Blank,
    /// A line that begins with `#`.
    Comment(&'t str),
    /// A variable.
    Assignment(Assignment<'t>),
    /// Another text, or a text that readers understand in different ways; with the name of the
    /// variable, as far as it is known.
    Broken(LineProblem, Option<&'t str>),
}

/// `export NAME = VALUE # comment`, part by part.
#[derive(Debug)]
pub struct Assignment<'t> {
    /// The blanks behind `export`, where it is exported.
    pub export: Option<&'t str>,
    /// The variable.
    pub name: &'t str,
    /// The blanks before and behind `=`.
    pub gaps: (&'t str, &'t str),
    /// The value as it is written.
    pub value: Raw<'t>,
    /// The rest of its line: blanks, and perhaps a comment.
    pub tail: &'t str,
    /// The value with its quotes, and what follows it.
    pub written: &'t str,
}

/// A value as it is written, without its quotes.
#[derive(Debug, Clone, Copy)]
pub enum Raw<'t> {
    /// Without quotes, and without blanks at its end.
    Bare(&'t str),
    /// In `'`.
    Single(&'t str),
    /// In `"`, with its escapes.
    Double(&'t str),
}

/// All statements of a text, a byte order mark left out.
pub fn statements(text: &str) -> Statements<'_> {
    let at = text
        .strip_prefix(MARK)
        .map_or(0, |rest| text.len() - rest.len());
    Statements { text, at, line: 1 }
}

// How many statements this thread has split, for tests of the cost.
#[cfg(test)]
std::thread_local! {
    pub(crate) static TAKEN_APART: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// See [`statements`].
pub struct Statements<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl<'t> Iterator for Statements<'t> {
    type Item = Statement<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        let from = self.at;
        let rest = self.text.get(from..).filter(|rest| !rest.is_empty())?;
        #[cfg(test)]
        TAKEN_APART.set(TAKEN_APART.get() + 1);
        let first = rest.split('\n').next().unwrap_or_default();
        let begin = first.len() - first.trim_start().len();
        let (kind, length) = match &first[begin..] {
            "" => (StatementKind::Blank, first.len()),
            comment if comment.starts_with('#') => (StatementKind::Comment(comment), first.len()),
            _ => {
                let (kind, length) = assignment(&rest[begin..]);
                (kind, begin + length)
            }
        };
        let statement = Statement {
            line: self.line,
            place: from..from + length,
            indent: &first[..begin],
            kind,
        };
        self.line += 1 + rest[..length].matches('\n').count();
        self.at = from + length + 1;
        Some(statement)
    }
}

/// The statement at the start of a text, and its length.
fn assignment(text: &str) -> (StatementKind<'_>, usize) {
    let line = text.split('\n').next().unwrap_or_default();
    let Some(equals) = line.find('=') else {
        return (
            StatementKind::Broken(LineProblem::NoValue, None),
            line.len(),
        );
    };
    let whole = &line[..equals];
    let exported = whole
        .strip_prefix("export")
        .filter(|rest| rest.starts_with([' ', '\t', '\r', '\x0c']));
    let (export, named) = match exported {
        Some(rest) => {
            let named = rest.trim_start_matches(is_blank);
            (Some(&rest[..rest.len() - named.len()]), named)
        }
        None => (None, whole),
    };
    let name = named.trim_end_matches(is_blank);
    if !is_name(name) {
        return (StatementKind::Broken(LineProblem::Name, None), line.len());
    }
    let behind = &text[equals + 1..];
    let written = behind.trim_start_matches(is_blank);
    let gap = &behind[..behind.len() - written.len()];
    let begin = text.len() - written.len();
    match value(written) {
        Ok((value, length)) => {
            let end = begin + length;
            let tail = text[end..].split('\n').next().unwrap_or_default();
            let assignment = Assignment {
                export,
                name,
                gaps: (&named[name.len()..], gap),
                value,
                tail,
                written: &text[begin..end + tail.len()],
            };
            (StatementKind::Assignment(assignment), end + tail.len())
        }
        Err((problem, length)) => (StatementKind::Broken(problem, Some(name)), begin + length),
    }
}

/// A value and its length with quotes; or its problem, and the length of the text that it takes up.
fn value(text: &str) -> Result<(Raw<'_>, usize), (LineProblem, usize)> {
    let line = text.split('\n').next().unwrap_or_default();
    let quote = match text.as_bytes().first() {
        Some(&quote @ (b'\'' | b'"')) => quote,
        Some(_) | None => {
            let value = line.split_once(" #").map_or(line, |(value, _)| value);
            let value = value.trim_end();
            return Ok((Raw::Bare(value), value.len()));
        }
    };
    let Some(close) = closing(text, quote) else {
        return Err((LineProblem::Quote, line.len()));
    };
    let inner = &text[1..close];
    let rest = text[close + 1..].split('\n').next().unwrap_or_default();
    let behind = rest.trim();
    if !(behind.is_empty() || behind.starts_with('#')) {
        return Err((LineProblem::AfterQuote, close + 1 + rest.len()));
    }
    match quote {
        // Compose takes the next quote for the closing one, all other readers take this one.
        b'\'' if text[1..].find('\'') != Some(close - 1) => {
            Err((LineProblem::Escaped, close + 1 + rest.len()))
        }
        b'\'' => Ok((Raw::Single(inner), close + 1)),
        _ => Ok((Raw::Double(inner), close + 1)),
    }
}

/// Where a quoted value ends for compose: a backslash takes the next character with it, in both
/// kinds of quotes.
fn closing(text: &str, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            byte if byte == quote => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !name.is_empty() && name.chars().all(legal)
}

/// Characters that compose skips around `=`.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0b' | '\x0c' | '\r' | '\u{85}' | '\u{a0}')
}
