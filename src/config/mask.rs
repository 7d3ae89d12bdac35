//! Which parts of a configuration may be shown: keys, and values of keys that never hold a secret.
//! A pasted token or password is hidden.
//!
//! The mask works on the written text, because a text that does not parse must be masked too.

mod scan;
mod shown_keys;
mod template;

use std::ops::Range;

use crate::base::redact::form::{is_random, is_token, runs};

/// Stands for hidden text. It is always the same, so that its length tells nothing.
pub const HIDDEN: &str = "********";

/// One line of a message without what looks like a secret.
pub fn message(text: &str) -> String {
    hide(text, &words(text))
}

/// A text whose secrets are hidden. Lines stay lines, so that numbers of lines stay true.
#[derive(Debug)]
pub struct Masked {
    /// The text that may be shown.
    pub text: String,
    hidden: Vec<Range<usize>>,
}

impl Masked {
    /// Hides what may be a secret.
    pub fn new(text: &str) -> Self {
        let mut hidden = Vec::new();
        for range in scan::closed_scalars(text).into_iter().chain(words(text)) {
            hidden.extend(lines_of(text, range));
        }
        hidden.extend(
            blocks(text)
                .into_iter()
                .flat_map(|range| lines_of(text, range)),
        );
        hidden.sort_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in hidden {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self {
            text: hide(text, &merged),
            hidden: merged,
        }
    }

    /// Whether a place of the original text is hidden.
    pub fn hides(&self, original: usize) -> bool {
        self.hidden.iter().any(|range| range.contains(&original))
    }

    /// The range in the masked text for a range of the original text.
    pub fn span(&self, original: Range<usize>) -> Range<usize> {
        let start = self.place(original.start);
        let end = match self.hides(original.start) {
            true => start + HIDDEN.len(),
            false => self.place(original.end).max(start + 1),
        };
        start..end.min(self.text.len())
    }

    fn place(&self, original: usize) -> usize {
        let mut place = original;
        for range in &self.hidden {
            if original >= range.end {
                place = place + HIDDEN.len() - range.len();
            } else if original > range.start {
                place -= original - range.start;
            }
        }
        place
    }
}

/// The places of tokens and private keys in a configuration, comments included.
pub fn tokens(text: &str) -> Vec<usize> {
    let mut found: Vec<usize> = runs(text)
        .filter(|&(_, run)| is_token(run))
        .map(|(at, _)| at)
        .collect();
    found.extend(
        blocks(text)
            .into_iter()
            .filter(|block| text[block.clone()].contains("PRIVATE KEY-----"))
            .filter(|block| !text[block.clone()].contains("{{"))
            .map(|block| block.start),
    );
    found.sort_unstable();
    found
}

fn hide(text: &str, ranges: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for range in ranges {
        out.push_str(&text[done..range.start]);
        out.push_str(HIDDEN);
        done = range.end;
    }
    out.push_str(&text[done..]);
    out
}

/// The parts of a range on each of its lines, without indentation.
fn lines_of(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = range.start;
    for line in text[range].split_inclusive('\n') {
        let content = line.trim_end();
        let start = at + content.len() - content.trim_start().len();
        if start < at + content.len() {
            parts.push(start..at + content.len());
        }
        at += line.len();
    }
    parts
}

/// PEM blocks; a block without an END line goes on to the end of the text.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find("-----BEGIN ").map(|at| from + at) {
        let end = text[start..].find("-----END ").map_or(text.len(), |at| {
            let end = start + at;
            end + text[end..].find('\n').unwrap_or(text.len() - end)
        });
        found.push(start..end);
        from = end;
    }
    found
}

/// Words that look like secrets, and logins between `://` and `@`.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = runs(text)
        .filter(|&(_, run)| is_token(run) || is_random(run))
        .map(|(at, run)| at..at + run.len())
        .collect();
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let authority = text[start..]
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '`' | '{'))
            .map_or(&text[start..], |end| &text[start..start + end]);
        if let Some(end) = authority.rfind('@').filter(|&end| end > 0) {
            found.push(start..start + end);
        }
    }
    found.sort_by_key(|range| range.start);
    found.dedup_by(|second, first| second.start < first.end);
    found
}

#[cfg(test)]
mod tests;
