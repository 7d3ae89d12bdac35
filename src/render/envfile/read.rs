//! The assignments of a `.env` text, and what readers take each value for.
//!
//! The readers are docker compose and node; where they differ, the value counts as unclear (their rules were tried on the
//! programs themselves, `tests/it/files`):
//! - bare: node ends it at any `#`, compose only at one behind a blank; compose expands `$`;
//! - `'…'`: node takes everything, compose minds a `\` before the closing quote;
//! - `"…"`: both read `\n`; every other escape differs, and compose expands `$`; node ends it at `\"`;
//! - `` `…` ``: a quote to node alone;
//! - a carriage return: node drops all of them, compose those before a newline.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::material::SecretBytes;

/// A byte order mark.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// One assignment in the text.
pub(super) struct Assignment<'t> {
    pub(super) name: &'t [u8],
    /// The value as it is written, quotes included.
    pub(super) place: Range<usize>,
    /// What readers take it for; nothing where they differ.
    pub(super) value: Option<SecretBytes>,
    /// Whether it opens a quote that never closes.
    pub(super) open: bool,
    /// Whether nothing but the newline follows the value.
    pub(super) ends_line: bool,
}

pub(super) fn assignments(text: &[u8]) -> Vec<Assignment<'_>> {
    let mut found = Vec::new();
    let mut at = if text.starts_with(MARK) {
        MARK.len()
    } else {
        0
    };
    while at < text.len() {
        match assignment(text, at) {
            Some(assignment) => {
                at = next_line(text, assignment.place.end);
                found.push(assignment);
            }
            None => at = next_line(text, at),
        }
    }
    found
}

/// The assignment that begins on the line at `from`, where there is one.
fn assignment(text: &[u8], from: usize) -> Option<Assignment<'_>> {
    let mut start = skip_blanks(text, from);
    let exported = text[start..].strip_prefix(b"export");
    if exported.is_some_and(|rest| rest.first().is_some_and(is_blank)) {
        start = skip_blanks(text, start + b"export".len());
    }
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let length = text[start..].iter().take_while(|byte| legal(byte)).count();
    let name = &text[start..start + length];
    let equals = skip_blanks(text, start + length);
    if name.is_empty() || text.get(equals) != Some(&b'=') {
        return None;
    }
    let begin = skip_blanks(text, equals + 1);
    let read = match text.get(begin) {
        Some(&quote @ (b'\'' | b'"' | b'`')) => quoted(text, begin, quote),
        Some(_) | None => bare(text, begin),
    };
    let line_end = end_of_line(text, read.end);
    // Where there is no value, blanks belong to the comment that follows.
    let (begin, end) = match (read.end == begin, read.end == line_end) {
        (true, false) => (equals + 1, equals + 1),
        (true, true) => (equals + 1, read.end),
        (false, _) => (begin, read.end),
    };
    Some(Assignment {
        name,
        place: begin..end.max(begin),
        // Blanks before nothing are a value to some versions of node.
        value: read
            .value
            .filter(|value| !value.is_empty() || read.end > begin || read.end == line_end),
        open: read.open,
        ends_line: read.end == line_end,
    })
}

/// A value as it stands.
struct Read {
    /// Where it ends.
    end: usize,
    value: Option<SecretBytes>,
    open: bool,
}

/// Up to the closing quote, on a later line too.
fn quoted(text: &[u8], from: usize, quote: u8) -> Read {
    let Some(close) = closing(text, from + 1, quote) else {
        return Read {
            end: end_of_line(text, from),
            value: None,
            open: true,
        };
    };
    let line_end = end_of_line(text, close + 1);
    let rest = &text[close + 1..line_end];
    let comment = rest.iter().position(|byte| !is_blank(byte));
    let clean = match comment {
        None => true,
        Some(at) => at > 0 && rest[at] == b'#',
    };
    if !clean {
        // Pieces in a row, as a shell joins them: all of it is the value that must go.
        return Read {
            end: line_end,
            value: None,
            open: false,
        };
    }
    let inner = &text[from + 1..close];
    let value = match quote {
        b'\'' => single_quoted(inner),
        b'"' => double_quoted(inner),
        _ => None,
    };
    Read {
        end: close + 1,
        value,
        open: false,
    }
}

fn closing(text: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        match *text.get(at)? {
            byte if byte == quote => return Some(at),
            b'\\' if quote == b'"' => at += 2,
            _ => at += 1,
        }
    }
}

fn single_quoted(inner: &[u8]) -> Option<SecretBytes> {
    let backslashes = inner
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\\')
        .count();
    let clear = backslashes % 2 == 0 && !inner.contains(&b'\r');
    clear.then(|| SecretBytes::from(inner))
}

fn double_quoted(inner: &[u8]) -> Option<SecretBytes> {
    let mut out = Zeroizing::new(Vec::with_capacity(inner.len()));
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' if bytes.next() == Some(&b'n') => out.push(b'\n'),
            b'\\' | b'$' | b'`' | b'\r' => return None,
            plain => out.push(plain),
        }
    }
    Some(SecretBytes::from(out))
}

/// Up to the end of the line or a comment, without blanks behind it.
fn bare(text: &[u8], from: usize) -> Read {
    let line = &text[from..end_of_line(text, from)];
    let comment = (0..line.len()).find(|&at| {
        let before = if at == 0 {
            text.get(from.wrapping_sub(1))
        } else {
            line.get(at - 1)
        };
        line[at] == b'#' && before.is_some_and(is_blank)
    });
    let value = line[..comment.unwrap_or(line.len())].trim_ascii_end();
    let unclear = |byte: &u8| {
        matches!(byte, b'#' | b'$' | b'\\' | b'`') || (byte.is_ascii_control() && *byte != b'\t')
    };
    Read {
        end: from + value.len(),
        value: (!value.iter().any(unclear)).then(|| SecretBytes::from(value)),
        open: false,
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn skip_blanks(text: &[u8], from: usize) -> usize {
    from + text[from..]
        .iter()
        .take_while(|byte| is_blank(byte))
        .count()
}

/// Where the line ends: at its newline, or at the carriage return before it.
fn end_of_line(text: &[u8], from: usize) -> usize {
    let newline = text[from..].iter().position(|&byte| byte == b'\n');
    let Some(length) = newline else {
        return text.len();
    };
    let line = &text[from..from + length];
    from + line.strip_suffix(b"\r").unwrap_or(line).len()
}

/// The start of the next line.
fn next_line(text: &[u8], from: usize) -> usize {
    let newline = text[from..].iter().position(|&byte| byte == b'\n');
    newline.map_or(text.len(), |length| from + length + 1)
}
