//! Which scalars of a text may be shown. The text need not be valid YAML: a scanner walks over it
//! and remembers the key of each value.

use std::ops::Range;

use super::shown_keys::KEYS;
use super::template;

/// Values of keys that are not known to be harmless. In computed fields, text between braces may be
/// shown, except quoted text.
pub(super) fn closed_scalars(text: &str) -> Vec<Range<usize>> {
    let mut scanner = Scanner {
        text,
        at: 0,
        open: Vec::new(),
        shows: false,
        closed: None,
        hidden: Vec::new(),
    };
    while scanner.at < text.len() {
        scanner.step();
    }
    scanner.hidden
}

/// Walks over a text that may be invalid YAML, and remembers the key of each value.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Brackets and braces that are open, and whether a template is open with them.
    open: Vec<(char, bool)>,
    /// Whether values of the last key may be shown.
    shows: bool,
    /// Depth and column of the key around us that [closes](super::shown_keys::Keys::closes).
    closed: Option<(usize, usize)>,
    hidden: Vec<Range<usize>>,
}

impl Scanner<'_> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else {
            return;
        };
        let before = self.text[..self.at].chars().next_back();
        let spaced = before.is_none_or(char::is_whitespace);
        match first {
            '#' if spaced => self.at += rest.find('\n').unwrap_or(rest.len()),
            '-' if spaced && rest[1..].starts_with([' ', '\n']) => self.at += 1,
            '[' | '{' => {
                let in_template = self.is_in_template() || template::begins(rest);
                self.open.push((first, in_template));
                self.at += 1;
            }
            ']' | '}' => {
                self.open.pop();
                self.at += 1;
            }
            ',' | ':' => self.at += 1,
            c if c.is_whitespace() => self.at += c.len_utf8(),
            '"' | '\'' => {
                let end = quoted_end(rest, first);
                self.scalar(self.at..self.at + end);
            }
            _ => {
                let end = plain_end(rest, !self.open.is_empty());
                self.scalar(self.at..self.at + end.max(first.len_utf8()));
            }
        }
    }

    fn scalar(&mut self, range: Range<usize>) {
        self.at = range.end;
        let written = self.text[range.clone()].trim_end();
        let after = self.text[range.end..].trim_start_matches(' ');
        let in_template = self.is_in_template();
        let is_quoted = written.starts_with(['"', '\'']);
        let is_key = after.starts_with(':')
            && self.begins_an_entry(range.start)
            && !in_template
            && (is_quoted || !template::opens(written));
        if is_quoted
            && (self.lacks_a_quote(written, after, is_key)
                || (in_template && written.contains('\\')))
        {
            return self.hide_from(range.start);
        }
        if is_key {
            let name = written.trim_matches(['"', '\'']);
            let column = range.start - self.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
            let now = self.open.len();
            if self.closed.is_some_and(|(depth, of)| {
                now < depth || (now == depth && (depth > 0 || column <= of))
            }) {
                self.closed = None;
            }
            if self.closed.is_none() && KEYS.closes(name) {
                self.closed = Some((now, column));
            }
            self.shows = KEYS.shows(name);
            return;
        }
        let shows = self.is_open();
        self.shows &= !after.starts_with(':');
        if !shows {
            let base = range.start;
            let parts = template::outside_braces(written);
            self.hidden.extend(
                parts
                    .hidden
                    .into_iter()
                    .map(|part| base + part.start..base + part.end),
            );
            // Nothing but a quote says where a template ends.
            if parts.unclear && !is_quoted {
                self.hide_from(range.start);
            }
        }
    }

    fn hide_from(&mut self, start: usize) {
        self.hidden.push(start..self.text.len());
        self.at = self.text.len();
    }

    /// Whether `{{` or `{%` is open in a text without quotes, such as a block text: there, `'a':`
    /// is a part of an expression and no key.
    fn is_in_template(&self) -> bool {
        self.open
            .last()
            .is_some_and(|&(_, in_template)| in_template)
    }

    /// Whether only marks of YAML stand before this place on its line: elsewhere, `a: b` is a
    /// value.
    fn begins_an_entry(&self, at: usize) -> bool {
        let line = self.text[..at].rsplit('\n').next().unwrap_or_default();
        let in_braces = self.open.last().is_some_and(|&(open, _)| open == '{');
        line.trim_matches(['-', '?', ' ', '\t']).is_empty()
            || (in_braces && line.trim_end().ends_with(['{', ',']))
    }

    /// Whether values are shown here.
    fn is_open(&self) -> bool {
        self.closed.is_none() && self.shows
    }

    /// Whether a quote seems to be missing, here or before: then values are taken for what stands
    /// between them, and the other way round.
    fn lacks_a_quote(&self, written: &str, after: &str, is_key: bool) -> bool {
        let spans_lines = written.contains('\n');
        let ends = match after.chars().next() {
            None | Some('\n' | '\r' | ',' | ']' | '}') => true,
            Some(':') => is_key && !spans_lines,
            Some('#') => !spans_lines,
            Some(_) => false,
        };
        !ends || (self.is_open() && (spans_lines || written.contains(": ")))
    }
}

/// The end of a quoted text: behind its closing quote, or of all.
fn quoted_end(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        let doubled = quote == '\'' && characters.peek().is_some_and(|&(_, next)| next == quote);
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quote == '"',
            _ if c == quote && doubled => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn plain_end(text: &str, in_flow: bool) -> usize {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next();
        let ends = match c {
            '\n' => true,
            '#' => before.is_whitespace(),
            ':' => next.is_none_or(char::is_whitespace),
            ',' | '[' | ']' | '{' | '}' => in_flow,
            _ => false,
        };
        if ends {
            return at;
        }
        before = c;
    }
    text.len()
}
