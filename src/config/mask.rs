//! What of a configuration may be shown: keys, and values of keys that never hold a secret. A pasted token or password is hidden.
//!
//! It works on the text as it is written, because it must also work on a text that does not parse.

mod keys;
mod scan;

use std::ops::Range;

/// What stands for hidden text. Always the same: its length tells nothing.
pub const HIDDEN: &str = "********";

/// How tokens and keys begin, and how long each is at least.
const SHAPES: &[(&str, usize)] = &[
    ("hvs.", 20),
    ("hvb.", 20),
    ("hvr.", 20),
    ("sbx.", 20),
    ("s.", 20),
    ("b.", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("eyJ", 30),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AGE-SECRET-KEY-", 17),
    ("AGE-PLUGIN-", 17),
];

/// Whether a word has the form of a token, of an access key or of a private key.
pub fn is_token(word: &str) -> bool {
    SHAPES.iter().any(|&(beginning, least)| {
        word.len() >= least
            && word
                .strip_prefix(beginning)
                .is_some_and(|rest| rest.chars().all(is_opaque) && is_plausible(beginning, rest))
    })
}

/// A short beginning alone proves little: `s.` may begin the name of a host, `eyJ` a word.
fn is_plausible(beginning: &str, rest: &str) -> bool {
    match beginning {
        "s." | "b." => {
            let body = rest.split('.').next().unwrap_or_default();
            body.len() >= 18 && !body.contains('-') && !body.bytes().all(|b| b.is_ascii_lowercase())
        }
        "eyJ" => is_mixed(rest),
        "AKIA" | "ASIA" => rest
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
        _ => true,
    }
}

/// One line of a message without what looks like a secret.
pub fn message(text: &str) -> String {
    hide(text, &words(text))
}

/// A text whose secrets are hidden. Lines stay lines, so that numbers of lines stay true.
#[derive(Debug)]
pub struct Masked {
    /// Fit to be shown.
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

    /// Where a range of the original text is in the masked one.
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

/// PEM blocks; one without its end goes on to the end of the text.
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

/// Words that look like secrets, and what stands between `://` and `@`.
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

/// Runs of signs that tokens are made of.
fn runs(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(|c: char| !is_opaque(c)).map(move |run| {
        let here = at;
        // Whatever ended the run is one sign, of one byte or more.
        at = here + run.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
        (here, run)
    })
}

fn is_opaque(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '.' | '~')
}

/// Letters of both cases and digits.
fn is_mixed(run: &str) -> bool {
    let any = |is: fn(&u8) -> bool| run.as_bytes().iter().any(is);
    any(u8::is_ascii_digit) && any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase)
}

/// Whether a long run looks as if chance had made it: names change between letters and digits seldom.
fn is_random(run: &str) -> bool {
    let bytes = run.as_bytes();
    if bytes.len() < 16 || !bytes.iter().any(u8::is_ascii_digit) {
        return false;
    }
    let changes = bytes
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
        .count();
    let bare = bytes.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let hex = bare.clone().all(u8::is_ascii_hexdigit);
    (is_mixed(run) && changes >= 3) || changes >= 6 || (hex && bare.count() >= 20)
}

#[cfg(test)]
mod tests;
