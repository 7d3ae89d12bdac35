//! The part of the `.env` syntax that all named readers read in the same way: `sh`, docker compose,
//! `node --env-file` and python-dotenv.
//!
//! A line of other owners need not mean the same for each of them. It only has to end at the same
//! place and do no more than set a variable, so that each reader reaches our lines. The rules were
//! tested with the programs themselves (`tests/it/render/edits.rs`).

use super::super::dotenv::is_bare;
use crate::base::material::SecretBytes;
use crate::format::LineProblem;
use crate::format::dotenv::first_substitution;
use crate::format::dotenv::statement::{Assignment, Raw, Statement, StatementKind};
use crate::render::names::is_variable;

/// Why some reader does not get past a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// See [`LineProblem`].
    #[error("{0}")]
    Broken(LineProblem),
    /// node before 22 reads this line and the next as one name.
    #[error(
        "holds only blanks, or has blanks before its comment: node takes the next line for a part \
         of it"
    )]
    Indent,
    /// node from 22 on reads the next line as the value.
    #[error("has blanks and no value behind its `=`: node takes the next line for the value")]
    Empty,
    /// sh runs the line, or reads the following lines as a part of it.
    #[error("holds signs that sh does not take for a part of the value: put it in quotes")]
    Shell,
    /// sh and compose fail here.
    #[error("holds a `$` that sh or docker compose cannot replace")]
    Substitution,
    /// node ends the value at the escape, or does not end it at its real end.
    #[error("holds a `\\` before a quote, which node takes differently")]
    Escape,
    /// python-dotenv starts a new line here.
    #[error("holds a carriage return in the middle")]
    Return,
    /// dash stops here.
    #[error("exports more than one plain name, where dash ends")]
    Export,
    /// The line also sets one of our variables.
    #[error("sets a variable of ours where only sh sees it")]
    Ours,
}

/// Words for which a shell does something other than run a program.
const SHELL_WORDS: [&str; 39] = [
    ".", "alias", "break", "builtin", "case", "cd", "command", "continue", "declare", "do", "done",
    "elif", "else", "esac", "eval", "exec", "exit", "export", "fi", "for", "function", "if",
    "local", "read", "readonly", "return", "select", "set", "shift", "source", "then", "time",
    "trap", "unset", "until", "while", "{", "}", "!",
];

/// Why some reader does not get past a statement of other owners; `ours` says which names are ours.
pub(super) fn obstacle(statement: &Statement<'_>, ours: &dyn Fn(&str) -> bool) -> Option<Obstacle> {
    match &statement.kind {
        StatementKind::Blank if statement.indent.contains(|c| c != ' ' && c != '\r') => {
            Some(Obstacle::Indent)
        }
        StatementKind::Comment(_) if !statement.indent.is_empty() => Some(Obstacle::Indent),
        StatementKind::Comment(text) if breaks_a_line(text) => Some(Obstacle::Return),
        StatementKind::Blank | StatementKind::Comment(_) => None,
        StatementKind::Broken(problem, _) => Some(Obstacle::Broken(*problem)),
        StatementKind::Assignment(assignment) => foreign(assignment, ours),
    }
}

/// Lines that contain only spaces: node before 22 reads them as a part of the next name, which does
/// harm if that name is ours.
#[derive(Default)]
pub(super) struct Joined {
    /// The first line of spaces whose next name has not come yet.
    open: Option<usize>,
    /// The first line of spaces before a name of ours.
    met: Option<usize>,
}

impl Joined {
    /// Takes in the next statement; `ours` says which names are ours.
    pub(super) fn next(&mut self, statement: &Statement<'_>, ours: &dyn Fn(&str) -> bool) {
        match &statement.kind {
            // node skips the spaces at the beginning of a file.
            StatementKind::Blank if statement.indent.contains(' ') && statement.place.start > 0 => {
                self.open = self.open.or(Some(statement.line));
            }
            StatementKind::Assignment(assignment) if ours(assignment.name) => {
                self.met = self.met.or(self.open.take());
            }
            StatementKind::Assignment(_) | StatementKind::Broken(..) => self.open = None,
            StatementKind::Comment(text) if text.contains('=') => self.open = None,
            StatementKind::Blank | StatementKind::Comment(_) => {}
        }
    }

    /// The first line that does harm; `adds`: a variable of ours is added at the end.
    pub(super) fn end(self, adds: bool) -> Option<usize> {
        self.met.or(self.open.filter(|_| adds))
    }
}

/// A carriage return ends a line for python-dotenv, and for none of the others.
fn breaks_a_line(line: &str) -> bool {
    line.strip_suffix('\r').unwrap_or(line).contains('\r')
}

fn foreign(assignment: &Assignment<'_>, ours: &dyn Fn(&str) -> bool) -> Option<Obstacle> {
    let Assignment {
        export,
        name,
        gaps: (before, behind),
        value,
        tail,
        written: _,
    } = assignment;
    if tail.split('\n').any(breaks_a_line) {
        return Some(Obstacle::Return);
    }
    // For sh, `NAME = value` is a program with arguments.
    if !(before.is_empty() && behind.is_empty()) && SHELL_WORDS.contains(name) {
        return Some(Obstacle::Shell);
    }
    let blanks = matches!(value, Raw::Bare(value) if value.contains([' ', '\t']));
    // dash stops at a name that it cannot export, and treats each word as a name.
    if export.is_some() && (!is_variable(name) || before.len() + behind.len() > 0 || blanks) {
        return Some(Obstacle::Export);
    }
    match value {
        // A comment for sh and node, but an ordinary value for compose.
        Raw::Bare(value) if value.starts_with('#') && !behind.is_empty() => substitutions(value),
        Raw::Bare("") if !behind.trim_end_matches('\r').is_empty() => Some(Obstacle::Empty),
        Raw::Bare(value) => bare(value, behind, tail, ours),
        Raw::Single(_) | Raw::Double(_) if comment_sticks(tail) => Some(Obstacle::Shell),
        // node up to 20.12 reads the closing quote as an escaped quote.
        Raw::Single(inner) | Raw::Double(inner) if inner.ends_with('\\') => Some(Obstacle::Escape),
        Raw::Single(_) => None,
        Raw::Double(inner) => double(inner),
    }
}

/// For sh, a `#` directly after a quote belongs to the value.
fn comment_sticks(tail: &str) -> bool {
    tail.starts_with('#')
}

fn double(inner: &str) -> Option<Obstacle> {
    if inner.contains('`') {
        return Some(Obstacle::Shell);
    }
    if inner.contains('\n') && inner.contains("\\\"") {
        return Some(Obstacle::Escape);
    }
    substitutions(inner)
}

/// All readers replace a `$` with a plain name, or with a name in braces and perhaps a plain
/// default, or none does. Anything else after a `$` may be an error.
fn substitutions(text: &str) -> Option<Obstacle> {
    let mut rest = text;
    while let Some(at) = first_substitution(rest.as_bytes()) {
        let after = &rest[at + 1..];
        let name = |text: &str| {
            let named = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
            text.len() - named.len()
        };
        let length = match after.as_bytes().first() {
            Some(b'(') => return Some(Obstacle::Shell),
            Some(b'$') => 1,
            Some(b'{') => {
                let inner = after[1..].split_once('}').map_or("", |(inner, _)| inner);
                let length = name(inner);
                let plain = |c: char| c.is_ascii() && is_bare(c as u8);
                let rest = inner[length..]
                    .strip_prefix(":-")
                    .unwrap_or(&inner[length..]);
                let whole = length == inner.len() || rest.len() < inner.len() - length;
                let digit = inner.starts_with(|c: char| c.is_ascii_digit());
                if length == 0 || digit || !whole || !rest.chars().all(plain) {
                    return Some(Obstacle::Substitution);
                }
                inner.len() + 2
            }
            Some(_) | None => name(after).max(1),
        };
        rest = after.get(length..).unwrap_or_default();
    }
    None
}

/// A value without quotes: for sh its characters have meanings, and the text after a blank, `;` or
/// `&` is another command. `behind` is what stands between `=` and the value.
fn bare(value: &str, behind: &str, tail: &str, ours: &dyn Fn(&str) -> bool) -> Option<Obstacle> {
    if breaks_a_line(value) {
        return Some(Obstacle::Return);
    }
    // For compose, a comment after a tab belongs to the value, so its text is checked too.
    let seen = value.find("\t#").map_or(value, |at| &value[..at]);
    if let Some(obstacle) = substitutions(value) {
        return Some(obstacle);
    }
    let signs = ['\'', '"', '`', '(', ')', '<', '>', '|'];
    let joined = ["&&", ";;", ";&", "&;"];
    let close = seen.replace([' ', '\t'], "");
    let continued = seen.ends_with('\\') && tail.trim().is_empty();
    if seen.contains(signs) || joined.iter().any(|sign| close.contains(sign)) || continued {
        return Some(Obstacle::Shell);
    }
    let parts_of_value = usize::from(behind.is_empty());
    let mut words = seen.split([' ', '\t', ';', '&']).skip(parts_of_value);
    words.find_map(|word| {
        if SHELL_WORDS.contains(&word) {
            return Some(Obstacle::Shell);
        }
        let (name, _) = word.split_once('=')?;
        // bash appends to a variable with `+=`.
        ours(name.strip_suffix('+').unwrap_or(name)).then_some(Obstacle::Ours)
    })
}

/// The value of our variable, if all readers read the same; otherwise nothing.
pub(super) fn value(statement: &Statement<'_>, assignment: &Assignment<'_>) -> Option<SecretBytes> {
    let Assignment {
        export,
        name: _,
        gaps,
        value,
        tail,
        written: _,
    } = assignment;
    let spaces = |text: &str| text.bytes().all(|byte| byte == b' ');
    let begins =
        spaces(statement.indent) && spaces(export.unwrap_or_default()) && *gaps == ("", "");
    let comment = tail.trim_start_matches(' ');
    // For sh, a carriage return at the end belongs to the value.
    let ends = comment.is_empty() || (comment.starts_with('#') && tail.starts_with(' '));
    let inner = match value {
        Raw::Bare(inner) => Some(*inner).filter(|inner| inner.bytes().all(is_bare)),
        Raw::Single(inner) => {
            Some(*inner).filter(|inner| !inner.ends_with('\\') && !inner.contains('\r'))
        }
        Raw::Double(inner) => Some(*inner).filter(|inner| !inner.contains(['\\', '$', '`', '\r'])),
    };
    inner.filter(|_| begins && ends).map(SecretBytes::from)
}
