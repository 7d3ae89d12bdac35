//! Errors in a template, and their places.

use std::fmt;

use crate::base::failure::{Class, Failure, Fault};
use crate::base::printable;

/// Line and, in Jinja, column of a template, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub(super) line: u32,
    pub(super) column: Option<u32>,
}

impl Place {
    pub(super) fn of_line(line: u32) -> Self {
        Self { line, column: None }
    }

    pub(super) fn of_column(line: u32, column: u32) -> Self {
        let column = Some(column);
        Self { line, column }
    }

    /// Turns a problem into an error at this place.
    pub(super) fn at(self) -> impl Fn(Problem) -> TemplateError {
        move |problem| TemplateError { at: self, problem }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        match self.column {
            Some(column) => write!(f, ", column {column}"),
            None => Ok(()),
        }
    }
}

/// Why a template cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct TemplateError {
    pub(super) at: Place,
    /// The error, without its place.
    pub problem: Problem,
}

impl TemplateError {
    /// A failure whose text says in which text the lines are counted.
    pub(crate) fn in_text(&self, name: &str) -> Failure {
        self.failure(format!("{name}, {self}"))
    }

    /// A failure for a template in a separate file.
    pub(crate) fn in_file(&self, name: &str) -> Failure {
        let (line, column) = self.place();
        self.failure(format!("{name}:{line}:{column}: {}", self.problem))
    }

    fn failure(&self, what: String) -> Failure {
        let mut failure = Failure::new(self.class(), what);
        failure.hint = self.hint();
        failure
    }

    /// Line and column in the template.
    pub(crate) fn place(&self) -> (u32, u32) {
        (self.at.line, self.at.column.unwrap_or(1))
    }

    /// The same as text.
    pub(crate) fn position(&self) -> String {
        self.at.to_string()
    }
}

/// The most texts, words and signs in all Go templates of one file. Each takes far more memory than
/// its text.
pub const MOST_PARTS: usize = 100_000;

/// Errors hold names from the template, kinds and limits; never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not valid Jinja.
    #[error("the template does not parse: {0}")]
    Syntax(String),
    /// The text is valid Jinja, but not supported here.
    #[error("{what}")]
    Mistake {
        /// The unsupported part.
        what: String,
        /// The supported alternative.
        hint: String,
    },
    /// A name that no field has.
    #[error("{} is not defined", printable::quoted(name))]
    Undefined {
        /// The name.
        name: String,
        /// The names that fields have.
        known: String,
    },
    /// A field that may not be printed.
    #[error("{}", .0.what)]
    Field(Box<Failure>),
    /// A value of the wrong kind.
    #[error("{wants}, and this is {is}")]
    Kind {
        /// The function, and the kind that it needs.
        wants: String,
        /// The kind of the value.
        is: &'static str,
    },
    /// The result is not a whole number of 64 bits.
    #[error("the number has no value in 64 bits")]
    Number,
    /// The text is not valid Go, or is used where it is not allowed.
    #[error("{0}")]
    Misuse(&'static str),
    /// Valid Go, but not supported here.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A name that no sealed value has.
    #[error("there is no {0}")]
    Unknown(String),
    /// A function cannot do this with these arguments.
    #[error("`{function}` {why}")]
    Function {
        /// Its name.
        function: &'static str,
        /// What it needs, or what is wrong.
        why: &'static str,
    },
    /// The template has too many parts.
    #[error("the templates of this file have more than {MOST_PARTS} texts, words and signs")]
    TooLong,
    /// A limit was exceeded.
    #[error("{0}")]
    Excess(&'static str),
}

impl Fault for TemplateError {
    fn class(&self) -> Class {
        match &self.problem {
            Problem::Syntax(_) | Problem::Mistake { .. } | Problem::Kind { .. } => {
                Class::Configuration
            }
            Problem::Undefined { .. } | Problem::Unknown(_) => Class::Missing,
            Problem::Field(failure) => failure.class,
            Problem::Misuse(_) | Problem::Function { .. } => Class::Corrupt,
            Problem::Number | Problem::Unsupported(_) | Problem::TooLong | Problem::Excess(_) => {
                Class::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &self.problem {
            Problem::Syntax(_) => "write `{{ NAME }}`; text with braces stands in `{% raw %}`",
            Problem::Mistake { hint, .. } => hint,
            Problem::Undefined { known, .. } if known.is_empty() => {
                "no source and no field above gives it: add a source, or declare it above"
            }
            Problem::Undefined { known, .. } => {
                return Some(format!(
                    "the fields are {known}; `default(\"…\")` or `is defined` allow for one that \
                     may be absent"
                ));
            }
            Problem::Field(failure) => return failure.hint.clone(),
            Problem::Unsupported(_) => {
                "see docs/templates.md for the functions that work; or template the file where it \
                 is used"
            }
            Problem::Unknown(_) => "seal a value under this name, or give a `default`",
            Problem::Excess(_) => "split it into several files or fields",
            Problem::Kind { .. }
            | Problem::Number
            | Problem::Misuse(_)
            | Problem::Function { .. }
            | Problem::TooLong => return None,
        };
        Some(hint.to_owned())
    }
}
