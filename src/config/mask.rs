//! What of a configuration may be shown: keys, and values of keys that never hold a secret. A pasted token or password is hidden.
//!
//! It works on the text as it is written, because it must also work on a text that does not parse.

use std::ops::Range;

/// What stands for hidden text. Always the same: its length tells nothing.
pub const HIDDEN: &str = "********";

/// Keys whose values are names, paths, words and switches. The value of any other key is hidden.
const OPEN: &[&str] = &[
    "adopt",
    "address",
    "age",
    "allowEmpty",
    "allowPlaintext",
    "allowUnauthenticated",
    "asStrings",
    "audience",
    "caFile",
    "createDirs",
    "deliver",
    "dir",
    "dirMode",
    "edit",
    "encoding",
    "field",
    "file",
    "flatten",
    "force",
    "format",
    "gid",
    "immutable",
    "inPlace",
    "key",
    "mode",
    "mount",
    "name",
    "namespace",
    "optional",
    "override",
    "passphraseFile",
    "path",
    "pick",
    "prefix",
    "recreate",
    "require",
    "requireTmpfs",
    "role",
    "roleIdFile",
    "sealed",
    "secretIdFile",
    "selector",
    "server",
    "serverName",
    "serviceAccounts",
    "sops",
    "ssh",
    "template",
    "tokenFile",
    "type",
    "uid",
    "vault",
    "version",
    "wrapped",
];

/// Beneath these a key is a name of the user's, and says nothing of its value.
const CLOSED: &[&str] = &["fields", "write", "labels", "annotations"];

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
        for range in closed_scalars(text).into_iter().chain(words(text)) {
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
                place = place - (original - range.start);
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

/// Values of keys that are not known to be harmless. In computed fields what is between braces stays, but for quoted text.
fn closed_scalars(text: &str) -> Vec<Range<usize>> {
    let mut scanner = Scanner {
        text,
        at: 0,
        depth: 0,
        key: None,
        closed: None,
        hidden: Vec::new(),
    };
    while scanner.at < text.len() {
        scanner.step();
    }
    scanner.hidden
}

/// Walks over a text that is more or less YAML, and remembers the key of each value.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Brackets and braces that are open.
    depth: usize,
    key: Option<&'a str>,
    /// Depth and column of a key of [`CLOSED`] that we are beneath.
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
            if self.closed.is_none() && CLOSED.contains(&name) {
                self.closed = Some((self.depth, column));
            }
            self.key = OPEN.iter().find(|open| **open == name).copied();
            return;
        }
        let is_open = self.closed.is_none() && self.key.is_some();
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

/// What of a template's text stands outside `{{ }}` and `{% %}`, or is quoted text in them. Quotes around all of it stay.
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

#[cfg(test)]
mod tests;
