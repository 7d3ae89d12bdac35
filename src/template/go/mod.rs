//! Go's `text/template` with the functions of sprig, as far as SealedSecrets use them:
//! `spec.template.data`. This module parses; the common machine evaluates.
//!
//! Unsupported parts are refused by name when the manifest is read, before anything is opened. Two
//! differences from upstream are intended: a missing field is an error (upstream writes `<no
//! value>` into the Secret), and so is a failing function (upstream's `b64dec` writes its error
//! message there).

mod lex;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::context::{Data, Language};
use super::value::{Text, Value};
use super::{eval, tree};
use crate::base::failure::Failure;
use crate::base::material::SecretBytes;

pub use super::error::MOST_PARTS;
pub use super::{Problem, TemplateError};

/// A template that can be rendered.
#[derive(Debug)]
pub struct Template {
    body: Vec<tree::Stmt>,
}

impl Template {
    /// Parses a template and refuses unsupported functions and actions. `left` is how many of
    /// [`MOST_PARTS`] it may have.
    pub fn parse(text: &str, left: &mut usize) -> Result<Self, TemplateError> {
        parse::parse(text, left).map(|body| Self { body })
    }

    /// Renders the template with these values.
    pub fn render(
        &self,
        data: &BTreeMap<String, SecretBytes>,
    ) -> Result<SecretBytes, TemplateError> {
        eval::render(Language::Go, &self.body, data)
    }
}

impl Data for BTreeMap<String, SecretBytes> {
    fn all(&self) -> Vec<(&str, Result<Value<'_>, Failure>)> {
        let values = self.iter();
        values
            .map(|(name, value)| (name.as_str(), Ok(lent(value))))
            .collect()
    }

    fn named(&self, name: &str) -> Option<Result<Value<'_>, Failure>> {
        self.get(name).map(|value| Ok(lent(value)))
    }

    fn is_true(&self) -> bool {
        !self.is_empty()
    }
}

fn lent(value: &SecretBytes) -> Value<'_> {
    Value::Text(Text::Given(value.expose()))
}
