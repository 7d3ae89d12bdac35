//! Edits a `.env` file that also belongs to others: only managed variables change, every other line
//! stays.
//!
//! - If a variable occurs more than once, the last line counts, so that line is compared and
//!   changed.
//! - A correct value keeps its bytes, with whatever quotes. Correct means that all named readers
//!   read it as the same value ([`common`]). A value that they read differently is written again.
//! - `export` and a comment after a value stay. Missing variables are added at the end, in order;
//!   only then does a missing last newline get added.
//! - If some line prevents a reader from reaching our variables, the file is not edited at all
//!   ([`EditFlaw`]).

mod common;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::wiped::WipedBytes;

use crate::base::artifact::EnvLine;
use crate::base::material::SecretBytes;
use crate::format::dotenv::statement::{
    Assignment, MARK, Raw, Statement, StatementKind, statements,
};
pub use common::Obstacle;

/// The value that readers find for a variable.
#[derive(Debug, PartialEq, Eq)]
pub enum FoundValue {
    /// It is not set.
    Nothing,
    /// It is set to something that readers read differently.
    Unclear,
    /// All readers find this value.
    Value(SecretBytes),
}

/// Why a file cannot be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EditFlaw {
    /// It contains a NUL byte or is not UTF-8.
    #[error("it is not a text in UTF-8")]
    NotText,
    /// It begins with a byte order mark.
    #[error(
        "it begins with a byte order mark, which sh and node take for a part of the first name"
    )]
    Mark,
    /// Some reader does not get past a line.
    #[error("line {line} {obstacle}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// Why a reader stops there.
        obstacle: Obstacle,
    },
}

/// A file that can be edited.
pub struct EnvFile<'t> {
    text: &'t str,
    /// The last statement of each of our variables.
    ours: BTreeMap<&'t str, Statement<'t>>,
    /// Our variables that occur more than once.
    repeated: BTreeSet<&'t str>,
}

impl<'t> EnvFile<'t> {
    /// Reads a file in which the variables of these lines are ours.
    pub fn read(text: &'t [u8], lines: &[EnvLine]) -> Result<Self, EditFlaw> {
        let text = std::str::from_utf8(text).map_err(|_| EditFlaw::NotText)?;
        if text.contains('\0') {
            return Err(EditFlaw::NotText);
        }
        if text.starts_with(MARK) {
            return Err(EditFlaw::Mark);
        }
        let names: BTreeSet<&str> = lines.iter().map(|line| line.name.as_str()).collect();
        let ours = |name: &str| names.contains(name);
        let mut file = Self {
            text,
            ours: BTreeMap::new(),
            repeated: BTreeSet::new(),
        };
        let mut others = Vec::new();
        let mut joined = common::Joined::default();
        for statement in statements(text) {
            joined.next(&statement, &ours);
            match name(&statement).filter(|name| ours(name)) {
                None => others.push(statement),
                Some(name) => {
                    if let Some(before) = file.ours.insert(name, statement) {
                        file.repeated.insert(name);
                        others.push(before);
                    }
                }
            }
        }
        // A line that we are about to write again does no harm.
        let met = |statement: &Statement<'_>| {
            let obstacle = common::obstacle(statement, &ours)?;
            Some((statement.line, obstacle))
        };
        // Unless it also contains lines of others.
        let torn = file
            .ours
            .values()
            .filter_map(|statement| match statement.kind {
                StatementKind::Broken(problem, _)
                    if text[statement.place.clone()].contains('\n') =>
                {
                    Some((statement.line, Obstacle::Broken(problem)))
                }
                StatementKind::Broken(..)
                | StatementKind::Assignment(_)
                | StatementKind::Blank
                | StatementKind::Comment(_) => None,
            });
        let adds = names.iter().any(|name| !file.ours.contains_key(name));
        let joined = joined.end(adds).map(|line| (line, Obstacle::Indent));
        let met = others.iter().filter_map(met).chain(joined);
        match met.chain(torn).min_by_key(|(line, _)| *line) {
            Some((line, obstacle)) => Err(EditFlaw::Line { line, obstacle }),
            None => Ok(file),
        }
    }

    /// The value that readers find for one of our variables.
    pub fn find(&self, name: &str) -> FoundValue {
        let Some(statement) = self.ours.get(name) else {
            return FoundValue::Nothing;
        };
        let value = match &statement.kind {
            StatementKind::Assignment(assignment) => common::value(statement, assignment),
            StatementKind::Blank | StatementKind::Comment(_) | StatementKind::Broken(..) => None,
        };
        value.map_or(FoundValue::Unclear, FoundValue::Value)
    }

    /// Variables of ours that are set more than once.
    pub fn repeated(&self) -> impl Iterator<Item = &'t str> {
        self.repeated.iter().copied()
    }

    /// The whole new text.
    pub fn edit(&self, lines: &[EnvLine]) -> SecretBytes {
        let mut changes = Vec::new();
        let mut missing = Vec::new();
        for line in lines {
            match (self.ours.get(line.name.as_str()), self.find(&line.name)) {
                (_, FoundValue::Value(value)) if value == line.value => {}
                (Some(statement), _) => changes.push((statement, line)),
                (None, _) => missing.push(line),
            }
        }
        changes.sort_by_key(|(statement, _)| statement.place.start);
        let mut out = WipedBytes::with_capacity(self.text.len());
        let mut at = 0;
        for (statement, line) in changes {
            out.write(&self.text.as_bytes()[at..statement.place.start]);
            rewrite(&mut out, statement, line);
            at = statement.place.end;
        }
        out.write(&self.text.as_bytes()[at..]);
        append(&mut out, &missing);
        SecretBytes::from(out)
    }
}

/// The variable that a statement sets, even if the statement is not valid for all readers.
fn name<'t>(statement: &Statement<'t>) -> Option<&'t str> {
    match &statement.kind {
        StatementKind::Assignment(assignment) => Some(assignment.name),
        StatementKind::Broken(_, name) => *name,
        StatementKind::Blank | StatementKind::Comment(_) => None,
    }
}

/// Writes one of our statements for all readers: without blanks around `=`, and with its comment.
fn rewrite(out: &mut WipedBytes, statement: &Statement<'_>, line: &EnvLine) {
    if statement.indent.bytes().all(|byte| byte == b' ') {
        out.write(statement.indent.as_bytes());
    }
    let StatementKind::Assignment(assignment) = &statement.kind else {
        out.write(line.line.expose());
        return;
    };
    if assignment.export.is_some() {
        out.write(b"export ");
    }
    out.write(line.line.expose());
    if let Some((gap, comment)) = comment(assignment) {
        out.write(gap.as_bytes());
        out.write(comment.as_bytes());
    }
}

/// The comment after a value, and the blanks before it.
fn comment<'t>(assignment: &Assignment<'t>) -> Option<(&'t str, &'t str)> {
    let Assignment {
        gaps,
        value,
        tail,
        written,
        ..
    } = assignment;
    let (gap, comment) = match value {
        // `NAME= # comment`
        Raw::Bare(value) if value.starts_with('#') && !gaps.1.is_empty() => (gaps.1, *written),
        Raw::Bare(_) => {
            let mut hashes = written.match_indices('#').map(|(at, _)| at);
            let at = hashes.find(|at| written[..*at].ends_with([' ', '\t']))?;
            let value = written[..at].trim_end_matches([' ', '\t']);
            (&written[value.len()..at], &written[at..])
        }
        Raw::Single(_) | Raw::Double(_) => tail.split_at(tail.find('#')?),
    };
    let spaces = !gap.is_empty() && gap.bytes().all(|byte| byte == b' ');
    Some((if spaces { gap } else { " " }, comment))
}

fn append(out: &mut WipedBytes, missing: &[&EnvLine]) {
    if !missing.is_empty() && !out.is_empty() && !out.ends_with(b"\n") {
        out.byte(b'\n');
    }
    for line in missing {
        out.write(line.line.expose());
        out.byte(b'\n');
    }
}

#[cfg(test)]
mod tests;
