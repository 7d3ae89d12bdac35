//! Templates: text with `{{ fields }}`, `{% if %}`, `{% for %}` and `{% set %}`, in Jinja's syntax.
//!
//! minijinja parses; our machine evaluates. The engine of minijinja is not used: it keeps every
//! intermediate value in shared strings that nobody wipes, puts values into some error texts
//! (`int`, unknown keys), and lets `~` double a string without limit. Its parser sees only the
//! template's text, which is not secret. In our machine every intermediate value is wiped, and work
//! is limited.
//!
//! Absent on purpose: functions, methods, includes, macros, and access to files, environment
//! variables, clocks or the network. Values never reach an error: errors hold only names, positions
//! and kinds.

mod limits;
mod syntax;
#[cfg(test)]
mod tests;
mod to_tree;

use super::context::{Data, Language};
use super::value::Value;
use super::{eval, tree};
use crate::base::failure::Failure;
use crate::base::material::{Node, SecretBytes};
use syntax::Use;

pub(crate) use super::TemplateError;

/// The fields that a template may read, in order.
pub(crate) trait Fields {
    /// All fields by name: the value of each, or why it may not be printed.
    fn all(&self) -> Vec<(&str, Result<&Node, Failure>)>;
    /// The field with this name.
    fn field(&self, name: &str) -> Option<Result<&Node, Failure>>;
}

/// A parsed template; every part of it is supported.
#[derive(Debug)]
pub(crate) struct Template {
    body: Vec<tree::Stmt>,
    /// Names that it reads, without its own variables and loop variables.
    pub(crate) uses: Vec<Use>,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        limits::check(text)?;
        let (body, uses) = syntax::parse(text)?;
        Ok(Self { body, uses })
    }

    pub(crate) fn render(&self, fields: &dyn Fields) -> Result<SecretBytes, TemplateError> {
        eval::render(Language::Jinja, &self.body, &Printable(fields))
    }
}

struct Printable<'f>(&'f dyn Fields);

impl Data for Printable<'_> {
    fn all(&self) -> Vec<(&str, Result<Value<'_>, Failure>)> {
        let fields = self.0.all().into_iter();
        fields
            .map(|(name, node)| (name, node.map(Value::of_node)))
            .collect()
    }

    fn named(&self, name: &str) -> Option<Result<Value<'_>, Failure>> {
        let node = self.0.field(name)?;
        Some(node.map(Value::of_node))
    }

    fn is_true(&self) -> bool {
        true
    }
}
