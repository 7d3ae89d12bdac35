//! What all parts of a template can use: the data, the rules of the language, and the remaining
//! budget.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Problem;
use super::meter::Meter;
use super::value::{Text, Value};
use crate::base::failure::Failure;
use crate::base::printable;

/// The language whose rules apply where the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// A missing value is an error, and a printable value can be used as text.
    Jinja,
    /// A missing value is a value that some functions accept; only a text is a text.
    Go,
}

/// The values of a template.
pub(super) trait Data {
    /// All values by name: each value, or why it may not be printed.
    fn all(&self) -> Vec<(&str, Result<Value<'_>, Failure>)>;
    /// The value with this name.
    fn named(&self, name: &str) -> Option<Result<Value<'_>, Failure>>;
    /// Whether the mapping of all values is true.
    fn is_true(&self) -> bool;
}

pub(super) struct Context<'a> {
    pub language: Language,
    pub data: &'a dyn Data,
    pub meter: Meter,
    /// Lists and mappings of the data that were asked for: making one takes as long as it is large.
    seen: RefCell<BTreeMap<String, Value<'a>>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(language: Language, data: &'a dyn Data) -> Self {
        Self {
            language,
            data,
            meter: Meter::full(),
            seen: RefCell::default(),
        }
    }

    pub(super) fn is_true(&self, value: &Value<'_>) -> bool {
        value.is_true(self.data.is_true())
    }

    /// The names of all data, for messages.
    pub(super) fn names(&self) -> String {
        printable::names(self.data.all().into_iter().map(|(name, _)| name))
    }

    /// The value with this name; if it is missing, the error uses the name as written in the
    /// template.
    pub(super) fn datum(&self, name: &str, written: Option<&'a str>) -> Result<Value<'a>, Problem> {
        if let Some(value) = self.seen.borrow().get(name) {
            return Ok(value.clone());
        }
        let Some(value) = self.data.named(name) else {
            return Ok(Value::Missing(written));
        };
        let value = value.map_err(refused)?;
        if matches!(value, Value::List(_) | Value::Map(_)) {
            let mut seen = self.seen.borrow_mut();
            seen.insert(name.to_owned(), value.clone());
        }
        Ok(value)
    }

    /// All values as one mapping, if the value is that of all data.
    pub(super) fn spread(&self, value: Value<'a>) -> Result<Value<'a>, Problem> {
        if !matches!(value, Value::All) {
            return Ok(value);
        }
        let mut entries = Vec::new();
        for (name, value) in self.data.all() {
            entries.push((name.to_owned(), value.map_err(refused)?));
        }
        let whole = Value::map(entries);
        self.meter.bytes(whole.weight())?;
        Ok(whole)
    }

    pub(super) fn member(&self, of: &Value<'a>, key: &'a str) -> Result<Value<'a>, Problem> {
        self.entry(of, key, Some(key))
    }

    /// The entry or the element at a key.
    pub(super) fn item(&self, of: &Value<'a>, key: &Value<'a>) -> Result<Value<'a>, Problem> {
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
                let found = entries.entry(key).cloned();
                Ok(found.unwrap_or(Value::Missing(written)))
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
