//! Evaluates a tree with the data of one template: statements are here, expressions in
//! `eval/expr.rs`.

use super::context::{Context, Data, Language};
use super::tree::{Names, Stmt};
use super::value::{Buffer, Value};
use super::{Problem, TemplateError};
use crate::base::material::SecretBytes;

mod each;
mod expr;

pub(super) use expr::FIELDS;

/// Renders a template to text.
pub(super) fn render<'a>(
    language: Language,
    body: &'a [Stmt],
    data: &'a dyn Data,
) -> Result<SecretBytes, TemplateError> {
    let mut machine = Machine {
        context: Context::new(language, data),
        locals: Vec::new(),
        dot: Value::All,
        out: Buffer::small(),
    };
    machine.body(body)?;
    Ok(machine.out.finish())
}

/// The state of an evaluation.
struct Machine<'a> {
    context: Context<'a>,
    /// Variables of the template; the last one of a name counts.
    locals: Vec<(&'a str, Value<'a>)>,
    /// The value of Go's `.`.
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
                    match (self.context.is_true(&value), dot) {
                        (true, true) => self.with_dot(value, yes)?,
                        (true, false) => self.body(yes)?,
                        (false, _) => self.body(no)?,
                    }
                }
                Stmt::For(each) => self.repeat(each)?,
            }
        }
        Ok(())
    }

    fn print(&mut self, value: &Value<'a>) -> Result<(), Problem> {
        if let Some(bytes) = value.bytes() {
            return self.out.push(bytes);
        }
        if self.context.language == Language::Jinja {
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

    fn bind(&mut self, names: &'a Names, values: &[Value<'a>]) {
        for (name, value) in names.list.iter().zip(values) {
            let known = match names.assigns {
                true => self
                    .locals
                    .iter_mut()
                    .rev()
                    .find(|(known, _)| known == name),
                false => None,
            };
            match known {
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
}
