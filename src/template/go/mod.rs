//! Go's `text/template` with the functions of sprig, as far as SealedSecrets use them:
//! `spec.template.data`.
//!
//! Whatever is not supported is refused by its name when the manifest is read, before anything is
//! opened. Two things differ from upstream on purpose: a field that is not there is an error
//! (upstream writes `<no value>` into the Secret), and so is a function that fails (upstream's
//! `b64dec` writes its error message there).
//!
//! Architecture invariant: no function reads anything but its arguments; output, steps and depth
//! are bounded; what is made of secrets lies in memory that is wiped.

mod eval;
mod functions;
mod lex;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

use crate::base::failure::{Class, Fault};
use crate::base::material::SecretBytes;

/// A template that can be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    items: Vec<Item>,
}

/// Texts, words and signs of all templates of one file. Each costs far more memory than its text.
pub const MOST_PARTS: usize = 100_000;

impl Template {
    /// Parses a template; functions and actions that are not supported are refused here. `left` is
    /// how many of [`MOST_PARTS`] it may have.
    pub fn parse(text: &str, left: &mut usize) -> Result<Self, TemplateError> {
        parse::parse(text, left).map(|items| Self { items })
    }

    /// The text for these values.
    pub fn render(
        &self,
        data: &BTreeMap<String, SecretBytes>,
    ) -> Result<SecretBytes, TemplateError> {
        eval::render(&self.items, data)
    }
}

/// Why a template gives no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TemplateError {
    /// Line of the template, from 1.
    pub line: u32,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong in a template: names that stand in it, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not the language.
    #[error("{0}")]
    Syntax(&'static str),
    /// The language, and not what is supported of it.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A name that nothing has.
    #[error("there is no {0}")]
    Unknown(String),
    /// A function cannot do this with these arguments.
    #[error("`{function}` {why}")]
    Function {
        /// Its name.
        function: &'static str,
        /// What it needs, or what it found.
        why: &'static str,
    },
    /// Something that cannot be used so.
    #[error("{0}")]
    Misuse(&'static str),
    /// Too many parts.
    #[error("the templates of this file have more than {MOST_PARTS} texts, words and signs")]
    TooLong,
    /// Too much.
    #[error("it makes more than {0}")]
    Excess(&'static str),
}

impl Fault for TemplateError {
    fn class(&self) -> Class {
        match self.problem {
            Problem::Syntax(_) | Problem::Function { .. } | Problem::Misuse(_) => Class::Corrupt,
            Problem::Unknown(_) => Class::Missing,
            Problem::Unsupported(_) | Problem::Excess(_) | Problem::TooLong => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &self.problem {
            Problem::Unknown(_) => "seal a value under this name, or give a `default`",
            Problem::Unsupported(_) => {
                "see docs/templates.md for the functions that work; or template the file where it \
                 is used"
            }
            Problem::Syntax(_)
            | Problem::Function { .. }
            | Problem::Misuse(_)
            | Problem::TooLong
            | Problem::Excess(_) => return None,
        };
        Some(hint.to_owned())
    }
}

fn error(line: u32, problem: Problem) -> TemplateError {
    TemplateError { line, problem }
}

/// One part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    /// Written as it is.
    Text(String),
    /// Evaluated, and written unless it declares.
    Action(Pipeline),
    /// `if`, `with` or `range`.
    Block(Block),
}

/// `{{ WORD pipeline }} items {{ else }} otherwise {{ end }}`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    kind: BlockKind,
    pipeline: Pipeline,
    items: Vec<Item>,
    otherwise: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    If,
    With,
    Range,
}

/// `$x := command | command`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pipeline {
    line: u32,
    /// At most two, and two only in `range`.
    variables: Vec<String>,
    /// Whether the variables are those declared before (`=`).
    assigns: bool,
    commands: Vec<Command>,
}

/// An operand, or a function and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Command {
    line: u32,
    head: Operand,
    arguments: Vec<Operand>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    /// `.`
    Dot,
    /// `nil`
    Nil,
    /// `true`
    Bool(bool),
    /// `7`
    Int(i64),
    /// `"text"`
    Text(Vec<u8>),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a`
    Variable(String, Vec<String>),
    /// `(pipeline)`
    Parens(Box<Pipeline>),
    /// `quote`
    Function(functions::Function),
}
