//! Walks a tree with the data of one template: statements here, expressions in `eval/expr.rs`.

use std::rc::Rc;

use super::meter::Meter;
use super::tree::{Loop, Names, Stmt};
use super::value::{Buffer, Value};
use super::{Data, Language, Problem, TemplateError};
use crate::base::material::SecretBytes;

mod expr;
mod name;

/// The text of a template.
pub(super) fn render<'a>(
    language: Language,
    body: &'a [Stmt],
    data: &'a dyn Data,
) -> Result<SecretBytes, TemplateError> {
    let mut machine = Machine {
        language,
        data,
        locals: Vec::new(),
        dot: Value::All,
        out: Buffer::for_output(),
        meter: Meter::full(),
    };
    machine.body(body)?;
    Ok(machine.out.finish())
}

/// What a template sees and has made so far.
pub(super) struct Machine<'a> {
    pub language: Language,
    pub data: &'a dyn Data,
    pub meter: Meter,
    /// Names that the template gave a value; the last of a name counts.
    locals: Vec<(&'a str, Value<'a>)>,
    /// What Go's `.` is.
    dot: Value<'a>,
    out: Buffer,
}

impl<'a> Machine<'a> {
    fn body(&mut self, body: &'a [Stmt]) -> Result<(), TemplateError> {
        for statement in body {
            match statement {
                Stmt::Text(at, text) => self.out.push(text.as_bytes()).map_err(at.at())?,
                Stmt::Print(expr) => {
                    let value = self.value(expr)?;
                    self.print(&value).map_err(expr.at.at())?;
                }
                Stmt::Set(names, expr) => {
                    let value = self.value(expr)?;
                    self.bind(names, &[value]);
                }
                Stmt::Scope(body) => self.scope(|machine| machine.body(body))?,
                Stmt::If {
                    condition,
                    dot,
                    yes,
                    no,
                } => {
                    let value = self.value(condition)?;
                    match (self.is_true(&value), dot) {
                        (true, true) => self.with_dot(value, yes)?,
                        (true, false) => self.body(yes)?,
                        (false, _) => self.body(no)?,
                    }
                }
                Stmt::For(each) => self.each(each)?,
            }
        }
        Ok(())
    }

    fn print(&mut self, value: &Value<'a>) -> Result<(), Problem> {
        if let Some(bytes) = value.bytes() {
            return self.out.push(bytes);
        }
        if self.language == Language::Jinja {
            return Err(value.is_not("`{{ }}`", "text"));
        }
        Err(value
            .absence()
            .unwrap_or(Problem::Misuse(if let Value::List(_) = value {
                "a list has no text: use `join` or `toJson`"
            } else {
                "`.` is all values here: name one, or use `toJson`"
            })))
    }

    pub(super) fn is_true(&self, value: &Value<'_>) -> bool {
        value.is_true(self.data.is_true())
    }

    fn bind(&mut self, names: &'a Names, values: &[Value<'a>]) {
        for (name, value) in names.list.iter().zip(values) {
            let mut known = self.locals.iter_mut().rev();
            match known.find(|(known, _)| names.assigns && known == name) {
                Some((_, old)) => *old = value.clone(),
                None => self.locals.push((name, value.clone())),
            }
        }
    }

    fn scope<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.locals.len();
        let done = inner(self);
        self.locals.truncate(outer);
        done
    }

    fn with_dot(&mut self, dot: Value<'a>, body: &'a [Stmt]) -> Result<(), TemplateError> {
        let outer = std::mem::replace(&mut self.dot, dot);
        let done = self.body(body);
        self.dot = outer;
        done
    }

    fn each(&mut self, each: &'a Loop) -> Result<(), TemplateError> {
        let at = each.items.at;
        let items = self.value(&each.items)?;
        let mut rounds = match self.language {
            Language::Jinja => self.elements(items, each.names.list.len()),
            Language::Go => self.pairs(items, each.names.list.len()),
        }
        .map_err(at.at())?;
        if let Some(filter) = &each.filter {
            let mut chosen = Vec::new();
            for values in rounds {
                let holds = self.scope(|machine| {
                    machine.bind(&each.names, &values);
                    machine.value(filter)
                })?;
                if self.is_true(&holds) {
                    chosen.push(values);
                }
            }
            rounds = chosen;
        }
        if rounds.is_empty() {
            return self.body(&each.otherwise);
        }
        for (index, values) in rounds.iter().enumerate() {
            self.meter.step().map_err(at.at())?;
            self.scope(|machine| {
                machine.bind(&each.names, values);
                match (machine.language, values.last()) {
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

    /// For each round of Jinja's `for` the values of so many names: elements of a list or keys of a
    /// mapping, taken apart for several names.
    fn elements(&self, items: Value<'a>, names: usize) -> Result<Vec<Vec<Value<'a>>>, Problem> {
        let items: Vec<Value<'a>> = match self.spread(items)? {
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
        items.into_iter().map(apart).collect()
    }

    /// The same for Go's `range`: the value, and for two names its index or key before it.
    fn pairs(&self, items: Value<'a>, names: usize) -> Result<Vec<Vec<Value<'a>>>, Problem> {
        let pair = |key: Value<'a>, value: &Value<'a>| match names {
            2 => vec![key, value.clone()],
            _ => vec![value.clone()],
        };
        let items = self.spread(items)?;
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

/// What `loop` is in one round.
fn round<'a>(index: usize, count: usize) -> Value<'a> {
    let entries = [
        ("index", Value::count(index + 1)),
        ("index0", Value::count(index)),
        ("first", Value::Bool(index == 0)),
        ("last", Value::Bool(index + 1 == count)),
        ("length", Value::count(count)),
    ];
    let entries = entries.map(|(name, value)| (name.to_owned(), value));
    Value::Map(Rc::new(entries.into()))
}
