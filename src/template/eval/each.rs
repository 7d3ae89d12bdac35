//! Loops: Jinja's `for`, Go's `range`.

use super::Machine;
use crate::template::context::Language;
use crate::template::tree::Loop;
use crate::template::value::Value;
use crate::template::{Problem, TemplateError};

/// The values of a loop's variables in one round.
type Round<'a> = Result<Vec<Value<'a>>, Problem>;

impl<'a> Machine<'a> {
    pub(super) fn repeat(&mut self, each: &'a Loop) -> Result<(), TemplateError> {
        let at = each.items.at;
        let items = self.value(&each.items)?;
        let all = match self.context.language {
            Language::Jinja => self.elements(items, each.names.list.len()),
            Language::Go => self.pairs(items, each.names.list.len()),
        };
        let mut rounds = Vec::new();
        for values in all.map_err(at.at())? {
            let values = values.map_err(at.at())?;
            if self.is_chosen(each, &values)? {
                rounds.push(values);
            }
        }
        if rounds.is_empty() {
            return self.body(&each.otherwise);
        }
        for (index, values) in rounds.iter().enumerate() {
            self.context.meter.step().map_err(at.at())?;
            self.scope(|machine| {
                machine.bind(&each.names, values);
                match (machine.context.language, values.last()) {
                    (Language::Go, Some(dot)) => machine.with_dot(dot.clone(), &each.body),
                    (Language::Jinja | Language::Go, _) => {
                        machine.locals.push(("loop", round(index, rounds.len())));
                        machine.body(&each.body)
                    }
                }
            })?;
        }
        Ok(())
    }

    fn is_chosen(&mut self, each: &'a Loop, values: &[Value<'a>]) -> Result<bool, TemplateError> {
        let Some(filter) = &each.filter else {
            return Ok(true);
        };
        let holds = self.scope(|machine| {
            machine.bind(&each.names, values);
            machine.value(filter)
        })?;
        Ok(self.context.is_true(&holds))
    }

    /// For each round of Jinja's `for`, the values of its variables: elements of a list or keys of
    /// a mapping. With several names, each element is split.
    fn elements(&self, items: Value<'a>, names: usize) -> Result<Vec<Round<'a>>, Problem> {
        let items: Vec<Value<'a>> = match self.context.spread(items)? {
            Value::List(items) => items.to_vec(),
            Value::Map(entries) => {
                let keys = entries.iter().map(|(key, _)| key.as_str());
                keys.map(Value::made).collect()
            }
            other @ (Value::Text(_)
            | Value::Number(_)
            | Value::Bool(_)
            | Value::Null
            | Value::All
            | Value::Missing(_)) => return Err(other.is_not("`for`", "a list or a mapping")),
        };
        let apart = |item: Value<'a>| {
            if names == 1 {
                return Ok(vec![item]);
            }
            if let Value::List(parts) = &item
                && parts.len() == names
            {
                return Ok(parts.to_vec());
            }
            Err(item.is_not("`for`", &format!("lists of {names}")))
        };
        Ok(items.into_iter().map(apart).collect())
    }

    /// The same for Go's `range`: the value, and with two names its index or key before it.
    fn pairs(&self, items: Value<'a>, names: usize) -> Result<Vec<Round<'a>>, Problem> {
        let pair = |key: Value<'a>, value: &Value<'a>| match names {
            2 => Ok(vec![key, value.clone()]),
            _ => Ok(vec![value.clone()]),
        };
        let items = self.context.spread(items)?;
        if let Value::List(items) = items {
            let indexed = (0..).map(Value::number).zip(items.iter());
            return Ok(indexed.map(|(index, item)| pair(index, item)).collect());
        }
        if let Value::Map(entries) = items {
            let entries = entries.iter();
            let named = entries.map(|(key, value)| pair(Value::made(key.as_str()), value));
            return Ok(named.collect());
        }
        Err(items.absence().unwrap_or(Problem::Misuse(
            "`range` goes over all values, or over a list",
        )))
    }
}

/// The variable `loop` in one round.
fn round<'a>(index: usize, count: usize) -> Value<'a> {
    let entries = [
        ("index", Value::count(index + 1)),
        ("index0", Value::count(index)),
        ("first", Value::Bool(index == 0)),
        ("last", Value::Bool(index + 1 == count)),
        ("length", Value::count(count)),
    ];
    let entries = entries.map(|(name, value)| (name.to_owned(), value));
    Value::map(entries.into())
}
