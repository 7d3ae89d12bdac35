//! What a name stands for: something that the template named, one of the data, or a part of
//! another value.

use std::rc::Rc;

use super::Machine;
use crate::base::failure::Failure;
use crate::base::plain;
use crate::template::jinja::FIELDS;
use crate::template::value::{Text, Value};
use crate::template::{Language, Problem};

impl<'a> Machine<'a> {
    /// The names of all data, for messages.
    pub(super) fn known(&self) -> String {
        plain::names(self.data.all().into_iter().map(|(name, _)| name))
    }

    /// Each name that is passed on the way costs a byte.
    pub(super) fn name(&self, name: &'a str) -> Result<Value<'a>, Problem> {
        let mut locals = self.locals.iter().rev();
        let found = locals.find(|(own, _)| *own == name);
        self.meter.bytes(self.locals.len() - locals.len())?;
        match found {
            Some((_, value)) => Ok(value.clone()),
            None if name == FIELDS => Ok(Value::All),
            None => self.datum(name, Some(name)),
        }
    }

    /// One of the data; what is not there is told under the name that stands in the template.
    fn datum(&self, name: &str, written: Option<&'a str>) -> Result<Value<'a>, Problem> {
        match self.data.named(name) {
            Some(value) => value.map_err(refused),
            None => Ok(Value::Missing(written)),
        }
    }

    /// All data as one mapping, once a template asks for all of them.
    pub(in crate::template) fn spread(&self, value: Value<'a>) -> Result<Value<'a>, Problem> {
        if !matches!(value, Value::All) {
            return Ok(value);
        }
        let mut entries = Vec::new();
        for (name, value) in self.data.all() {
            entries.push((name.to_owned(), value.map_err(refused)?));
        }
        let whole = Value::Map(Rc::new(entries));
        self.meter.bytes(whole.weight())?;
        Ok(whole)
    }

    pub(super) fn member(&self, of: &Value<'a>, key: &'a str) -> Result<Value<'a>, Problem> {
        self.entry(of, key, Some(key))
    }

    /// The entry or the element that a value stands for.
    pub(in crate::template) fn item(
        &self,
        of: &Value<'a>,
        key: &Value<'a>,
    ) -> Result<Value<'a>, Problem> {
        if let Value::List(items) = of {
            let index = key.integer();
            let index = index.ok_or_else(|| key.is_not("`[ ]` of a list", "a number"))?;
            let found = usize::try_from(index).ok().and_then(|at| items.get(at));
            return Ok(found.cloned().unwrap_or(Value::Missing(None)));
        }
        let written = if let Value::Text(Text::Written(name)) = key {
            std::str::from_utf8(name).ok()
        } else {
            None
        };
        self.entry(of, key.text_for("`[ ]` of a mapping")?, written)
    }

    fn entry(
        &self,
        of: &Value<'a>,
        key: &str,
        written: Option<&'a str>,
    ) -> Result<Value<'a>, Problem> {
        match (of, self.language) {
            (Value::All, _) => self.datum(key, written),
            (Value::Map(entries), _) => {
                let found = entries.iter().find(|(name, _)| name == key);
                Ok(found.map_or(Value::Missing(written), |(_, value)| value.clone()))
            }
            (Value::Missing(_), Language::Jinja) => Ok(Value::Missing(written)),
            (_, Language::Jinja) => Err(of.is_not("`.`", "a mapping")),
            (_, Language::Go) => Err(of.absence().unwrap_or(Problem::Misuse(
                "a field is asked of something that has none",
            ))),
        }
    }
}

fn refused(failure: Failure) -> Problem {
    Problem::Field(Box::new(failure))
}
