//! What is wrong in a template, and where.

use std::fmt;

use crate::base::failure::{Class, Failure, Fault};
use crate::base::plain;

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

/// Why a template gives no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct TemplateError {
    pub(super) at: Place,
    /// What is wrong, without its place.
    pub problem: Problem,
}

impl TemplateError {
    /// As a failure that says which text the line is counted in.
    pub(crate) fn in_text(&self, name: &str) -> Failure {
        self.failure(format!("{name}, {self}"))
    }

    /// As a failure in a file of its own.
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

    /// The same in words.
    pub(crate) fn position(&self) -> String {
        self.at.to_string()
    }
}

/// Texts, words and signs of all Go templates of one file. Each costs far more memory than its
/// text.
pub const MOST_PARTS: usize = 100_000;

/// Names that stand in the template, kinds and limits; never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not Jinja's language.
    #[error("the template does not parse: {0}")]
    Syntax(String),
    /// Jinja's language, and not what can be done here.
    #[error("{what}")]
    Mistake {
        /// What cannot.
        what: String,
        /// What can.
        hint: String,
    },
    /// A name that no field has.
    #[error("{} is not defined", plain::quoted(name))]
    Undefined {
        /// Which.
        name: String,
        /// Those that fields have.
        known: String,
    },
    /// A field that may not be printed.
    #[error("{}", .0.what)]
    Field(Box<Failure>),
    /// A value of another kind.
    #[error("{wants}, and this is {is}")]
    Kind {
        /// Who takes what.
        wants: String,
        /// What was given.
        is: &'static str,
    },
    /// No whole number of 64 bits.
    #[error("the number has no value in 64 bits")]
    Number,
    /// Not Go's language, or something that cannot be used so.
    #[error("{0}")]
    Misuse(&'static str),
    /// Go's language, and not what is supported of it.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A name that nothing sealed has.
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
    /// Too many parts.
    #[error("the templates of this file have more than {MOST_PARTS} texts, words and signs")]
    TooLong,
    /// Too much.
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
