//! Editing a `.env` file that belongs to others too: only managed variables change, every other byte stays.
//!
//! - A variable that stands twice is read by its last place, so that is the one that is compared and changed
//!   ([`repeated`] names such variables).
//! - A value that is right already keeps its bytes, however it is quoted; right means that docker compose and node read it
//!   to the same bytes ([`find`]). One that they read differently is written anew.
//! - `export`, blanks around `=`, a comment behind a value, CRLF and a byte order mark stay. What is missing is added at
//!   the end, in order; only then does a missing last newline get one.
//! - A quote that never closes, or bytes that are no text, make a file unfit ([`flaw`]): what a reader then takes for a value
//!   depends on lines that are not ours, and on those that we would add.

mod read;

use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::artifact::EnvLine;
use crate::material::SecretBytes;
use read::{Assignment, assignments};

/// What readers find for a variable.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// It is not set.
    Nothing,
    /// It is set to something that readers take differently.
    Unclear,
    /// All of them take it for this.
    Value(SecretBytes),
}

/// What readers find for a variable.
pub fn find(text: &[u8], name: &str) -> Found {
    match last(&mut assignments(text), name) {
        None => Found::Nothing,
        Some(Assignment { value: None, .. }) => Found::Unclear,
        Some(Assignment {
            value: Some(value), ..
        }) => Found::Value(std::mem::take(value)),
    }
}

/// The value that readers find for a variable, where they find the same.
pub fn value_of(text: &[u8], name: &str) -> Option<SecretBytes> {
    match find(text, name) {
        Found::Value(value) => Some(value),
        Found::Nothing | Found::Unclear => None,
    }
}

/// Whether a line stands as we write it, so that an edit would change no byte.
pub fn stands(text: &[u8], line: &EnvLine) -> bool {
    edit(text, std::slice::from_ref(line)).expose() == text
}

/// Managed variables that are set more than once.
pub fn repeated<'l>(text: &[u8], lines: &'l [EnvLine]) -> Vec<&'l str> {
    let found = assignments(text);
    let names = lines.iter().map(|line| line.name.as_str());
    names
        .filter(|name| {
            let times = found
                .iter()
                .filter(|assignment| assignment.name == name.as_bytes());
            times.count() > 1
        })
        .collect()
}

/// Why a file cannot be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It holds a NUL byte or is UTF-16.
    NotText,
    /// A value that is not ours opens a quote that never closes.
    OpenQuote {
        /// From 1.
        line: usize,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("it is not a text in UTF-8"),
            Self::OpenQuote { line } => {
                write!(f, "line {line} opens a quote that never closes")
            }
        }
    }
}

/// Why this file cannot be edited to hold these lines; nothing where it can.
pub fn flaw(text: &[u8], lines: &[EnvLine]) -> Option<Flaw> {
    if text.contains(&0) || text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Some(Flaw::NotText);
    }
    let mut found = assignments(text);
    // A quote that we are about to replace does no harm.
    for line in lines {
        if let Some(assignment) = last(&mut found, &line.name) {
            assignment.open = false;
        }
    }
    let open = found.iter().find(|assignment| assignment.open)?;
    let before = text[..open.place.start].iter();
    let line = 1 + before.filter(|byte| **byte == b'\n').count();
    Some(Flaw::OpenQuote { line })
}

fn last<'f, 't>(found: &'f mut [Assignment<'t>], name: &str) -> Option<&'f mut Assignment<'t>> {
    let mut from_the_end = found.iter_mut().rev();
    from_the_end.find(|assignment| assignment.name == name.as_bytes())
}

/// The whole new text.
pub fn edit(text: &[u8], lines: &[EnvLine]) -> SecretBytes {
    let mut found = assignments(text);
    let mut changes: Vec<(Range<usize>, &[u8])> = Vec::new();
    let mut missing = Vec::new();
    for line in lines {
        match last(&mut found, &line.name) {
            None => missing.push(line),
            Some(assignment) if assignment.value.as_ref() == Some(&line.value) => {}
            Some(assignment) => {
                changes.push((assignment.place.clone(), spelt(line, !assignment.ends_line)))
            }
        }
    }
    changes.sort_by_key(|(place, _)| place.start);
    let added: usize = lines.iter().map(|line| line.line.len() + 2).sum();
    // Sized once: a buffer that grows leaves copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() + added + 2));
    let mut at = 0;
    for (place, value) in changes {
        out.extend_from_slice(&text[at..place.start]);
        out.extend_from_slice(value);
        at = place.end;
    }
    out.extend_from_slice(&text[at..]);
    append(&mut out, &missing, newline(text));
    SecretBytes::from(out)
}

/// The value as it is written. Before a comment nothing at all would be read as part of that comment.
fn spelt(line: &EnvLine, before_comment: bool) -> &[u8] {
    let text = line.line.expose();
    let value = text.iter().position(|&byte| byte == b'=');
    match &text[value.map_or(0, |equals| equals + 1)..] {
        [] if before_comment => b"\"\"",
        value => value,
    }
}

fn append(out: &mut Vec<u8>, missing: &[&EnvLine], newline: &[u8]) {
    if !missing.is_empty() && !out.is_empty() && !out.ends_with(b"\n") && *out != read::MARK {
        out.extend_from_slice(newline);
    }
    for line in missing {
        out.extend_from_slice(line.line.expose());
        out.extend_from_slice(newline);
    }
}

/// How the first line ends is how added ones do.
fn newline(text: &[u8]) -> &'static [u8] {
    let first = text.split_inclusive(|&byte| byte == b'\n').next();
    match first {
        Some(line) if line.ends_with(b"\r\n") => b"\r\n",
        Some(_) | None => b"\n",
    }
}

#[cfg(test)]
mod tests;
