//! The names an expression may see: fields, all of them as `fields`, and what the template itself
//! named.

use std::rc::Rc;

use crate::base::failure::Failure;
use crate::base::material::Node;
use crate::base::meter::Meter;
use crate::base::plain;

use super::value::{self, FIELDS, Value};
use super::{Fields, Problem};

/// What an expression may see.
pub(super) struct Scope<'a> {
    fields: &'a dyn Fields,
    /// Names that the template gave a value; the last of a name counts.
    pub locals: Vec<(&'a str, Value<'a>)>,
    pub meter: Meter,
}

impl<'a> Scope<'a> {
    pub(super) fn of(fields: &'a dyn Fields) -> Self {
        Self {
            fields,
            locals: Vec::new(),
            meter: value::meter(),
        }
    }

    /// The names of all fields, for messages.
    pub(super) fn known(&self) -> String {
        plain::names(self.fields.all().into_iter().map(|(name, _)| name))
    }

    pub(super) fn name(&self, name: &str) -> Result<Option<Value<'a>>, Problem> {
        if let Some((_, value)) = self.locals.iter().rev().find(|(own, _)| *own == name) {
            return Ok(Some(value.clone()));
        }
        if name == FIELDS {
            return Ok(Some(Value::Fields));
        }
        self.field(name)
    }

    pub(super) fn has_field(&self, name: &str) -> bool {
        self.fields.field(name).is_some()
    }

    fn field(&self, name: &str) -> Result<Option<Value<'a>>, Problem> {
        self.fields.field(name).map(printable).transpose()
    }

    /// All fields as one mapping, once a template asks for all of them.
    pub(super) fn spread(&self, value: Value<'a>) -> Result<Value<'a>, Problem> {
        if !matches!(value, Value::Fields) {
            return Ok(value);
        }
        let mut entries = Vec::new();
        for (name, node) in self.fields.all() {
            self.meter.step()?;
            entries.push((name.to_owned(), printable(node)?));
        }
        Ok(Value::Map(Rc::new(entries)))
    }

    pub(super) fn member(&self, of: &Value<'a>, key: &str) -> Result<Option<Value<'a>>, Problem> {
        match of {
            Value::Fields => self.field(key),
            Value::Map(entries) => Ok(entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.clone())),
            Value::Text(_)
            | Value::Bytes(_)
            | Value::Number(_)
            | Value::Bool(_)
            | Value::Null
            | Value::List(_) => Err(of.is_not("`.`", "a mapping")),
        }
    }

    pub(super) fn item(
        &self,
        of: &Value<'a>,
        key: &Value<'a>,
    ) -> Result<Option<Value<'a>>, Problem> {
        let Value::List(items) = of else {
            return self.member(of, key.text_for("`[ ]` of a mapping")?);
        };
        let index = key
            .integer()
            .ok_or_else(|| key.is_not("`[ ]` of a list", "a number"))?;
        let found = usize::try_from(index)
            .ok()
            .and_then(|index| items.get(index));
        Ok(found.cloned())
    }
}

fn printable(node: Result<&Node, Failure>) -> Result<Value<'_>, Problem> {
    node.map(Value::of_node).map_err(Problem::Field)
}
