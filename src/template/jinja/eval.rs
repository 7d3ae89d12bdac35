//! Walks a template with the fields of one delivery. Every step and every byte made is paid from a
//! [`Meter`](crate::base::meter::Meter).

use std::rc::Rc;

use crate::base::material::SecretBytes;
use crate::base::wiped::Wiped;

use super::scope::Scope;
use super::tree::{For, Stmt};
use super::value::{Text, Value};
use super::{Fields, Position, Problem, TemplateError};

/// Bytes a template may print: as many as a Secret may hold.
const MOST_OUTPUT: usize = 1024 * 1024;

pub(super) fn render<'a>(
    body: &'a [Stmt],
    fields: &'a dyn Fields,
) -> Result<SecretBytes, TemplateError> {
    let mut pass = Pass {
        scope: Scope::of(fields),
        out: Wiped::default(),
    };
    pass.body(body)?;
    Ok(pass.out.into_secret())
}

struct Pass<'a> {
    scope: Scope<'a>,
    out: Wiped,
}

impl<'a> Pass<'a> {
    fn body(&mut self, body: &'a [Stmt]) -> Result<(), TemplateError> {
        for statement in body {
            match statement {
                Stmt::Raw(text) => self.print(text.as_bytes(), Position::START)?,
                Stmt::Emit(expr) => {
                    let value = self.scope.value(expr)?;
                    let bytes = value.bytes_for("`{{ }}`").map_err(expr.at.at())?;
                    self.print(bytes, expr.at)?;
                }
                Stmt::Set { name, value } => {
                    let value = self.scope.value(value)?;
                    self.scope.locals.push((name, value));
                }
                Stmt::If { condition, yes, no } => {
                    let branch = if self.scope.value(condition)?.is_true() {
                        yes
                    } else {
                        no
                    };
                    self.body(branch)?;
                }
                Stmt::For(each) => self.each(each)?,
            }
        }
        Ok(())
    }

    fn print(&mut self, bytes: &[u8], place: Position) -> Result<(), TemplateError> {
        if self.out.len() + bytes.len() > MOST_OUTPUT {
            let limit = format!("the template prints more than {} KiB", MOST_OUTPUT / 1024);
            return Err(TemplateError::new(place, Problem::Limit(limit)));
        }
        self.scope.meter.step().map_err(place.at())?;
        self.out.push(bytes);
        Ok(())
    }

    fn each(&mut self, each: &'a For) -> Result<(), TemplateError> {
        let items = self.scope.value(&each.items)?;
        let items = self.elements(items).map_err(each.items.at.at())?;
        let outer = self.scope.locals.len();
        let mut chosen = Vec::new();
        for item in items.iter() {
            self.unpack(each, item)?;
            if match &each.filter {
                Some(filter) => self.scope.value(filter)?.is_true(),
                None => true,
            } {
                chosen.push(item);
            }
            self.scope.locals.truncate(outer);
        }
        for (index, item) in chosen.iter().enumerate() {
            self.unpack(each, item)?;
            self.scope.locals.push(("loop", round(index, chosen.len())));
            self.body(&each.body)?;
            self.scope.locals.truncate(outer);
        }
        if chosen.is_empty() {
            self.body(&each.otherwise)?;
        }
        Ok(())
    }

    /// A list's elements; a mapping's keys.
    fn elements(&self, items: Value<'a>) -> Result<Rc<Vec<Value<'a>>>, Problem> {
        match self.scope.spread(items)? {
            Value::List(items) => Ok(items),
            Value::Map(entries) => {
                let key = |(key, _): &(String, Value<'a>)| Value::Text(Text::made(key.clone()));
                Ok(Rc::new(entries.iter().map(key).collect()))
            }
            other @ (Value::Text(_)
            | Value::Bytes(_)
            | Value::Number(_)
            | Value::Bool(_)
            | Value::Null
            | Value::Fields) => Err(other.is_not("`for`", "a list or a mapping")),
        }
    }

    fn unpack(&mut self, each: &'a For, item: &Value<'a>) -> Result<(), TemplateError> {
        self.scope.meter.step().map_err(each.items.at.at())?;
        if let [name] = each.names.as_slice() {
            self.scope.locals.push((name, item.clone()));
            return Ok(());
        }
        match item {
            Value::List(parts) if parts.len() == each.names.len() => {
                for (name, part) in each.names.iter().zip(parts.iter()) {
                    self.scope.locals.push((name, part.clone()));
                }
                Ok(())
            }
            Value::List(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Number(_)
            | Value::Bool(_)
            | Value::Null
            | Value::Map(_)
            | Value::Fields => {
                let wanted = format!("lists of {}", each.names.len());
                Err(each.items.at.at()(item.is_not("`for`", &wanted)))
            }
        }
    }
}

/// What `loop` is in one round.
fn round<'a>(index: usize, count: usize) -> Value<'a> {
    let number = |number: usize| Value::number(i64::try_from(number).unwrap_or(i64::MAX));
    let entries = [
        ("index", number(index + 1)),
        ("index0", number(index)),
        ("first", Value::Bool(index == 0)),
        ("last", Value::Bool(index + 1 == count)),
        ("length", number(count)),
    ];
    let entries = entries.map(|(name, value)| (name.to_owned(), value));
    Value::Map(Rc::new(entries.into()))
}
