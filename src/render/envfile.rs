//! Editing a `.env` file that belongs to others too: only managed variables change, every other byte stays.
//!
//! A variable that stands twice is read by its last place, so that is the one that is compared and changed.
//! Quotes, `export`, spaces, comments behind a value, CRLF, a byte order mark and a missing final newline are kept.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::artifact::EnvLine;
use crate::material::SecretBytes;

/// One assignment in the text.
struct Assignment<'a> {
    name: &'a [u8],
    /// From the name to the end of the value, comment and newline not included.
    span: Range<usize>,
    value: SecretBytes,
}

/// The value that readers of this file find for a variable.
pub fn value_of(text: &[u8], name: &str) -> Option<SecretBytes> {
    let found = assignments(text).into_iter().rev();
    let mut found = found.filter(|assignment| assignment.name == name.as_bytes());
    found.next().map(|assignment| assignment.value)
}

/// The whole new text. A value that is right already keeps its bytes, however it is quoted.
pub fn edit(text: &[u8], lines: &[EnvLine]) -> SecretBytes {
    let found = assignments(text);
    let mut changes: Vec<(Range<usize>, &EnvLine)> = Vec::new();
    let mut missing = Vec::new();
    for line in lines {
        let last = found
            .iter()
            .rev()
            .find(|assignment| assignment.name == line.name.as_bytes());
        match last {
            None => missing.push(line),
            Some(assignment) if assignment.value == line.value => {}
            Some(assignment) => changes.push((assignment.span.clone(), line)),
        }
    }
    changes.sort_by_key(|(span, _)| span.start);
    let added: usize = lines.iter().map(|line| line.line.len() + 2).sum();
    // Sized once: a buffer that grows leaves copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() + added + 2));
    let mut at = 0;
    for (span, line) in changes {
        out.extend_from_slice(&text[at..span.start]);
        out.extend_from_slice(line.line.expose());
        at = span.end;
    }
    out.extend_from_slice(&text[at..]);
    let newline: &[u8] = if first_line_ends_with_crlf(text) {
        b"\r\n"
    } else {
        b"\n"
    };
    if !missing.is_empty() && !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(newline);
    }
    for line in missing {
        out.extend_from_slice(line.line.expose());
        out.extend_from_slice(newline);
    }
    SecretBytes::from(out)
}

fn first_line_ends_with_crlf(text: &[u8]) -> bool {
    text.split_inclusive(|&byte| byte == b'\n')
        .next()
        .is_some_and(|line| line.ends_with(b"\r\n"))
}

fn assignments(text: &[u8]) -> Vec<Assignment<'_>> {
    let mut found = Vec::new();
    let mut at = if text.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    while at < text.len() {
        match assignment(text, at) {
            Some(assignment) => {
                at = end_of_line(text, assignment.span.end);
                found.push(assignment);
            }
            None => at = end_of_line(text, at),
        }
    }
    found
}

/// The start of the next line.
fn end_of_line(text: &[u8], from: usize) -> usize {
    let newline = text[from..].iter().position(|&byte| byte == b'\n');
    newline.map_or(text.len(), |length| from + length + 1)
}

/// The assignment that begins on the line at `from`, where there is one.
fn assignment(text: &[u8], from: usize) -> Option<Assignment<'_>> {
    let mut start = skip_blanks(text, from);
    if let Some(rest) = text[start..].strip_prefix(b"export")
        && rest
            .first()
            .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
    {
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
    let (value, end) = value(text, begin);
    // An empty value ends at its `=`: blanks behind it may belong to a comment.
    let end = if end == begin { equals + 1 } else { end };
    Some(Assignment {
        name,
        span: start..end,
        value,
    })
}

fn skip_blanks(text: &[u8], from: usize) -> usize {
    let blanks = text[from..]
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'));
    from + blanks.count()
}

/// The value at `from` as dotenv readers take it, and where it ends.
fn value(text: &[u8], from: usize) -> (SecretBytes, usize) {
    match text.get(from) {
        Some(&quote @ (b'\'' | b'"' | b'`')) => {
            quoted(text, from + 1, quote).unwrap_or_else(|| bare(text, from))
        }
        Some(_) | None => bare(text, from),
    }
}

/// Up to the closing quote, on a later line too; nothing where it never closes.
fn quoted(text: &[u8], from: usize, quote: u8) -> Option<(SecretBytes, usize)> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() - from));
    let mut at = from;
    while let Some(&byte) = text.get(at) {
        if byte == quote {
            return Some((SecretBytes::from(out), at + 1));
        }
        let escaped = text.get(at + 1).filter(|_| byte == b'\\' && quote == b'"');
        let (plain, length) = match escaped {
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(&next @ (b'"' | b'\\' | b'$' | b'`')) => (next, 2),
            Some(_) | None => (byte, 1),
        };
        out.push(plain);
        at += length;
    }
    None
}

/// Up to the end of the line or a comment, without blanks behind it.
fn bare(text: &[u8], from: usize) -> (SecretBytes, usize) {
    let line = text[from..]
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let comment = (0..line.len())
        .find(|&at| line[at] == b'#' && (at == 0 || matches!(line[at - 1], b' ' | b'\t')));
    let value = line[..comment.unwrap_or(line.len())].trim_ascii_end();
    (SecretBytes::from(value), from + value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, value: &str, line: &str) -> EnvLine {
        EnvLine {
            name: name.into(),
            value: value.into(),
            line: line.into(),
        }
    }

    #[test]
    fn values_are_read_as_dotenv_readers_do() {
        for (text, value) in [
            ("A=1\n", Some("1")),
            ("A=1", Some("1")),
            ("\u{feff}A=1\n", Some("1")),
            ("export A = 1  # note\r\n", Some("1")),
            ("A=a#b\n", Some("a#b")),
            ("A= # only a comment\n", Some("")),
            ("A=\n", Some("")),
            ("A='a # $b \\n'\n", Some("a # $b \\n")),
            (
                "A=\"a\\n\\\"b\\\" \\$c \\x\"  # note\n",
                Some("a\n\"b\" $c \\x"),
            ),
            ("A=\"two\nlines\"\nB=2\n", Some("two\nlines")),
            ("A='never closed\nB=2\n", Some("'never closed")),
            ("A=1\nA=2\n", Some("2")),
            ("#A=1\n # A=2\n", None),
            ("AA=1\nexportA=2\nA 3\n", None),
            ("B='\nA=inside\n'\n", None),
        ] {
            let found = value_of(text.as_bytes(), "A");
            assert_eq!(
                found.as_ref().and_then(SecretBytes::expose_str),
                value,
                "{text:?}"
            );
        }
    }

    #[test]
    fn only_managed_keys_change() {
        for (before, after) in [
            ("", "A=new\nB=x\n"),
            ("A=new\nB=x\n", "A=new\nB=x\n"),
            ("A='new'\nB=\"x\"\n", "A='new'\nB=\"x\"\n"),
            (
                "# c\n\n A=old # why\nZ=1\nB=x",
                "# c\n\n A=new # why\nZ=1\nB=x",
            ),
            ("export A=old\n", "export A=new\nB=x\n"),
            ("Z=1", "Z=1\nA=new\nB=x\n"),
            ("Z=1\r\nA=old\r\n", "Z=1\r\nA=new\r\nB=x\r\n"),
            ("A=old\nA=older\nB=x\n", "A=old\nA=new\nB=x\n"),
            ("A=\"two\nlines\" # c\nB=x\n", "A=new # c\nB=x\n"),
            ("B=\nA= # empty\n", "B=x\nA=new # empty\n"),
            ("\u{feff}A=old\nB=x\n", "\u{feff}A=new\nB=x\n"),
        ] {
            let lines = [line("A", "new", "A=new"), line("B", "x", "B=x")];
            let edited = edit(before.as_bytes(), &lines);
            assert_eq!(edited.expose_str(), Some(after), "{before:?}");
            assert_eq!(
                edit(edited.expose(), &lines),
                edited,
                "a second edit changes nothing: {before:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_edited_without_a_panic(text in proptest::collection::vec(proptest::sample::select(b"A=B'\"\\\n\r# \t$x".to_vec()), 0..60)) {
            let lines = [line("A", "new", "A=new")];
            let once = edit(&text, &lines);
            let found = value_of(once.expose(), "A");
            proptest::prop_assert!(edit(once.expose(), &lines) == once || found != Some("new".into()), "stable");
        }
    }
}
