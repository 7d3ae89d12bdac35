//! Templates: text with `{{ fields }}`, `{% if %}`, `{% for %}` and `{% set %}`, in the spelling of
//! Jinja.
//!
//! minijinja parses; we evaluate. Its engine keeps every intermediate value in shared strings that
//! nobody wipes, puts values into some error texts (`int`, unknown keys) and lets `~` double a
//! string without end; its parser sees only the template's text, which is no secret. So here every
//! intermediate value is wiped, and work is metered.
//!
//! Absent on purpose: functions, methods, includes, macros, anything that reads a file, a variable
//! of the environment, a clock or the network. Values never reach an error: errors hold names,
//! positions and kinds only.

mod eval;
mod expr;
mod filters;
mod fuses;
mod lower;
mod operate;
mod scope;
mod syntax;
mod tree;
mod value;

use thiserror::Error;

use crate::base::failure::{Class, Failure, Fault};
use crate::base::material::{Node, SecretBytes};
use crate::base::plain;
pub(crate) use tree::Use;

/// What a template may read, in order.
pub(crate) trait Fields {
    /// All fields by name: the value of each, or why it may not be printed.
    fn all(&self) -> Vec<(&str, Result<&Node, Failure>)>;
    /// The one of this name.
    fn field(&self, name: &str) -> Option<Result<&Node, Failure>>;
}

/// A parsed template: everything in it is known to be supported.
#[derive(Debug)]
pub(crate) struct Template {
    body: Vec<tree::Stmt>,
    /// Names it reads that are neither its own variables nor loop variables.
    pub(crate) uses: Vec<Use>,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        fuses::check(text)?;
        let (body, uses) = syntax::parse(text)?;
        Ok(Self { body, uses })
    }

    pub(crate) fn render(&self, fields: &dyn Fields) -> Result<SecretBytes, TemplateError> {
        eval::render(&self.body, fields)
    }
}

/// Line and column in a template, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    line: u32,
    column: u32,
}

impl Position {
    const START: Self = Self { line: 1, column: 1 };

    /// Turns a problem into an error at this place.
    fn at<P: Into<Problem>>(self) -> impl Fn(P) -> TemplateError {
        move |problem| TemplateError::new(self, problem.into())
    }
}

/// What is wrong in a template, and where.
#[derive(Debug, PartialEq, Error)]
#[error("line {}, column {}: {problem}", at.line, at.column)]
pub(crate) struct TemplateError {
    at: Position,
    /// What it is, without its place.
    pub(crate) problem: Problem,
}

impl TemplateError {
    fn new(at: Position, problem: Problem) -> Self {
        Self { at, problem }
    }

    /// As a failure that says which text the line is counted in.
    pub(crate) fn in_text(&self, name: &str) -> Failure {
        let mut failure = Failure::new(self.class(), format!("{name}, {self}"));
        failure.hint = self.hint();
        failure
    }

    /// As a failure in a file of its own.
    pub(crate) fn in_file(&self, name: &str) -> Failure {
        let Position { line, column } = self.at;
        let mut failure = Failure::new(
            self.class(),
            format!("{name}:{line}:{column}: {}", self.problem),
        );
        failure.hint = self.hint();
        failure
    }

    /// Line and column in the template.
    pub(crate) fn place(&self) -> (u32, u32) {
        (self.at.line, self.at.column)
    }

    /// The same in words.
    pub(crate) fn position(&self) -> String {
        format!("line {}, column {}", self.at.line, self.at.column)
    }

    /// A name that is in no source.
    pub(crate) fn unknown_field(used: &Use, known: &str) -> Self {
        Self::new(
            used.at,
            Problem::Undefined {
                name: used.name.clone(),
                known: known.to_owned(),
            },
        )
    }
}

/// Names, kinds and limits; never a value.
#[derive(Debug, Clone, PartialEq, Error)]
pub(crate) enum Problem {
    #[error("the template does not parse: {0}")]
    Syntax(String),
    #[error("{0} has no place in a template of secrets")]
    Unsupported(String),
    #[error("there is no filter {}", plain::quoted(.0))]
    UnknownFilter(String),
    #[error("there is no test {}", plain::quoted(.0))]
    UnknownTest(String),
    #[error("{} does not take these arguments", plain::quoted(name))]
    Arguments { name: String, usage: String },
    #[error("{} is not defined", plain::quoted(name))]
    Undefined { name: String, known: String },
    #[error("{}", .0.what)]
    Field(Failure),
    #[error("{wants}, and this is {is}")]
    Kind { wants: String, is: &'static str },
    #[error("`{filter}` was given something else than {wanted}")]
    Undecodable {
        filter: &'static str,
        wanted: &'static str,
    },
    #[error("the number has no value in 64 bits")]
    Number,
    #[error("{0}")]
    Limit(String),
}

impl Problem {
    fn arguments(name: &str, usage: String) -> Self {
        Self::Arguments {
            name: name.to_owned(),
            usage,
        }
    }
}

impl Fault for TemplateError {
    fn class(&self) -> Class {
        match &self.problem {
            Problem::Syntax(_)
            | Problem::Unsupported(_)
            | Problem::UnknownFilter(_)
            | Problem::UnknownTest(_)
            | Problem::Arguments { .. }
            | Problem::Kind { .. } => Class::Configuration,
            Problem::Undefined { .. } => Class::Missing,
            Problem::Field(failure) => failure.class,
            Problem::Undecodable { .. } => Class::Corrupt,
            Problem::Number | Problem::Limit(_) => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::Syntax(_) => {
                Some("write `{{ NAME }}`; text with braces stands in `{% raw %}`".to_owned())
            }
            Problem::Undecodable { .. } | Problem::Kind { .. } | Problem::Number => None,
            Problem::Unsupported(_) => Some(
                "a template has `{{ }}`, `{% if %}`, `{% for %}`, `{% set %}`, `{% raw %}`, \
                 `{# #}`, operators and filters"
                    .to_owned(),
            ),
            Problem::UnknownFilter(_) => {
                let all: Vec<&str> = filters::names().collect();
                Some(format!("filters are {}", all.join(", ")))
            }
            Problem::UnknownTest(_) => Some(format!("tests are {}", plain::names(tree::TESTS))),
            Problem::Arguments { usage, .. } => Some(usage.clone()),
            Problem::Undefined { known, .. } if known.is_empty() => Some(
                "no source and no field above gives it: add a source, or declare it above"
                    .to_owned(),
            ),
            Problem::Undefined { known, .. } => Some(format!(
                "the fields are {known}; `default(\"…\")` or `is defined` allow for one that may \
                 be absent"
            )),
            Problem::Field(failure) => failure.hint.clone(),
            Problem::Limit(_) => Some("split it into several files or fields".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
