//! Which scalars of a text may be shown. The text need not be valid YAML: a scanner walks over it
//! and remembers the key of each value.

use std::ops::Range;

use super::shown_keys::KEYS;

/// Values of keys that are not known to be harmless. In computed fields, text between braces may be
/// shown, except quoted text.
pub(super) fn closed_scalars(text: &str) -> Vec<Range<usize>> {
    let mut scanner = Scanner {
        text,
        at: 0,
        depth: 0,
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
    /// Brackets and braces that are open.
    depth: usize,
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
                self.depth += 1;
                self.at += 1;
            }
            ']' | '}' => {
                self.depth = self.depth.saturating_sub(1);
                self.at += 1;
            }
            ',' | ':' => self.at += 1,
            c if c.is_whitespace() => self.at += c.len_utf8(),
            '"' | '\'' => {
                let end = quoted_end(rest, first);
                self.scalar(self.at..self.at + end);
            }
            _ => {
                let end = plain_end(rest, self.depth > 0);
                self.scalar(self.at..self.at + end.max(first.len_utf8()));
            }
        }
    }

    fn scalar(&mut self, range: Range<usize>) {
        self.at = range.end;
        let written = self.text[range.clone()].trim_end();
        let after = self.text[range.end..].trim_start_matches(' ');
        if after.starts_with(':') {
            let name = written.trim_matches(['"', '\'']);
            let column = range.start - self.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
            if self.closed.is_some_and(|(depth, of)| {
                self.depth < depth || (self.depth == depth && (depth > 0 || column <= of))
            }) {
                self.closed = None;
            }
            if self.closed.is_none() && KEYS.closes(name) {
                self.closed = Some((self.depth, column));
            }
            self.shows = KEYS.shows(name);
            return;
        }
        let is_open = self.closed.is_none() && self.shows;
        if !is_open {
            let base = range.start;
            let parts = outside_braces(written);
            self.hidden.extend(
                parts
                    .into_iter()
                    .map(|part| base + part.start..base + part.end),
            );
        }
    }
}

fn quoted_end(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = quote == '"' && c == '\\' && !escaped;
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

/// The parts of a template outside `{{ }}` and `{% %}`, and quoted text inside. Quotes around the
/// whole template are not included.
fn outside_braces(written: &str) -> Vec<Range<usize>> {
    let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
    let closes = written.len() > 1 && quote.is_some_and(|quote| written.ends_with(quote));
    let inner = usize::from(quote.is_some())..written.len() - usize::from(closes);
    let mut found = Vec::new();
    let mut at = inner.start;
    while at < inner.end {
        let rest = &written[at..inner.end];
        let opens = [rest.find("{{"), rest.find("{%")]
            .into_iter()
            .flatten()
            .min();
        let open = opens.map_or(inner.end, |open| at + open);
        if !written[at..open].trim().is_empty() {
            found.push(at..open);
        }
        let close = [
            written[open..inner.end].find("}}"),
            written[open..inner.end].find("%}"),
        ];
        at = close
            .into_iter()
            .flatten()
            .min()
            .map_or(inner.end, |close| open + close + 2);
        found.extend(
            literals(&written[open..at])
                .into_iter()
                .map(|part| open + part.start..open + part.end),
        );
    }
    found
}

/// Quoted text of an expression.
fn literals(expression: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(usize, char)> = None;
    for (at, c) in expression
        .char_indices()
        .filter(|(_, c)| matches!(c, '"' | '\''))
    {
        match open {
            None => open = Some((at, c)),
            Some((start, quote)) if quote == c => {
                found.extend((at > start + 1).then_some(start + 1..at));
                open = None;
            }
            Some(_) => {}
        }
    }
    found.extend(open.map(|(start, _)| start + 1..expression.len()));
    found.retain(|part| !part.is_empty());
    found
}
