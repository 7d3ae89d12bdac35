//! Expressions. Jinja is strict: a missing value is an error, unless the template handles it with
//! `default` or `is defined`.

use super::Machine;
use crate::template::context::Language;
use crate::template::functions::Function;
use crate::template::tree::{Expr, Kind};
use crate::template::value::{Text, Value};
use crate::template::{Problem, TemplateError};

/// The name of all fields in a Jinja template: `fields["tls.crt"]`.
pub(in crate::template) const FIELDS: &str = "fields";

type Made<'a> = Result<Value<'a>, TemplateError>;

impl<'a> Machine<'a> {
    pub(super) fn value(&self, expr: &'a Expr) -> Made<'a> {
        match (self.context.language, self.optional(expr)?) {
            (Language::Jinja, Value::Missing(name)) => Err(expr.at.at()(Problem::Undefined {
                name: name.unwrap_or("this").to_owned(),
                known: self.context.names(),
            })),
            (Language::Jinja | Language::Go, value) => Ok(value),
        }
    }

    fn values(&self, exprs: &'a [Expr]) -> Result<Vec<Value<'a>>, TemplateError> {
        exprs.iter().map(|expr| self.value(expr)).collect()
    }

    /// The same, but a missing value is allowed.
    fn optional(&self, expr: &'a Expr) -> Made<'a> {
        self.command(expr, None)
    }

    /// The same, with the value that a pipeline passes on.
    fn command(&self, expr: &'a Expr, piped: Option<Value<'a>>) -> Made<'a> {
        if expr.counts {
            self.context.meter.step().map_err(expr.at.at())?;
        }
        match &expr.kind {
            Kind::Name(name) => self.name(name).map_err(expr.at.at()),
            Kind::Dot => Ok(self.dot.clone()),
            Kind::All => Ok(Value::All),
            Kind::Text(text) => Ok(Value::Text(Text::Written(text))),
            Kind::Number(number) => Ok(Value::number(*number)),
            Kind::Bool(value) => Ok(Value::Bool(*value)),
            Kind::Null => Ok(Value::Null),
            Kind::List(items) => {
                let list = Value::list(self.values(items)?);
                list.nested().map_err(expr.at.at())
            }
            Kind::Map(entries) => self.map(entries)?.nested().map_err(expr.at.at()),
            Kind::Member(of, key) => {
                let of = self.optional(of)?;
                self.context.member(&of, key).map_err(expr.at.at())
            }
            Kind::Item(of, key) => {
                let key = self.value(key)?;
                let of = self.optional(of)?;
                self.context.item(&of, &key).map_err(expr.at.at())
            }
            Kind::Choice(condition, yes, no) => {
                let condition = self.value(condition)?;
                match (self.context.is_true(&condition), no) {
                    (true, _) => self.value(yes),
                    (false, Some(no)) => self.value(no),
                    (false, None) => Ok(Value::Missing(None)),
                }
            }
            Kind::Chain(first, rest) => self.chain(expr, first, rest),
            Kind::Either { or, of } => self.either(*or, piped, of),
            Kind::Call {
                function,
                input,
                arguments,
            } => {
                let input = match input {
                    Some(input) if function.takes_nothing => Some(self.optional(input)?),
                    Some(input) => Some(self.value(input)?),
                    None => piped,
                };
                let values = self.arguments(input, arguments)?;
                self.run(function, values).map_err(expr.at.at())
            }
            Kind::Pipeline(commands) => {
                let mut piped = None;
                for command in commands {
                    piped = Some(self.command(command, piped)?);
                }
                Ok(piped.unwrap_or(Value::Null))
            }
            Kind::Misuse(why) => Err(expr.at.at()(Problem::Misuse(why))),
        }
    }

    /// Each variable that the search passes costs one byte.
    fn name(&self, name: &'a str) -> Result<Value<'a>, Problem> {
        let mut locals = self.locals.iter().rev();
        let found = locals.find(|(own, _)| *own == name);
        self.context.meter.bytes(self.locals.len() - locals.len())?;
        match found {
            Some((_, value)) => Ok(value.clone()),
            None if name == FIELDS => Ok(Value::All),
            None => self.context.datum(name, Some(name)),
        }
    }

    fn map(&self, entries: &'a [(Expr, Expr)]) -> Made<'a> {
        let mut made = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let key = self.value(name)?;
            let value = self.value(value)?;
            let text = key.text_for("a mapping's key").map_err(name.at.at())?;
            made.push((text.to_owned(), value));
        }
        Ok(Value::map(made))
    }

    fn chain(
        &self,
        expr: &Expr,
        first: &'a Expr,
        rest: &'a [(&'static Function, bool, Expr)],
    ) -> Made<'a> {
        let mut left = self.value(first)?;
        for (operator, negated, right) in rest {
            let right = self.value(right)?;
            let pair = vec![left, right.clone()];
            let holds = self.run(operator, pair).map_err(expr.at.at())?;
            if self.context.is_true(&holds) == *negated {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    fn either(&self, or: bool, piped: Option<Value<'a>>, of: &'a [Expr]) -> Made<'a> {
        let mut last = Value::Null;
        for operand in of {
            last = self.value(operand)?;
            if self.context.is_true(&last) == or {
                return Ok(last);
            }
        }
        Ok(piped.unwrap_or(last))
    }

    /// The input is evaluated before the other arguments, and is the last argument.
    fn arguments(
        &self,
        input: Option<Value<'a>>,
        others: &'a [Option<Expr>],
    ) -> Result<Vec<Value<'a>>, TemplateError> {
        let mut values = Vec::with_capacity(others.len() + 1);
        for argument in others {
            values.push(match argument {
                Some(argument) => self.value(argument)?,
                None => Value::Missing(None),
            });
        }
        values.extend(input);
        Ok(values)
    }

    fn run(
        &self,
        function: &'static Function,
        mut arguments: Vec<Value<'a>>,
    ) -> Result<Value<'a>, Problem> {
        if let Some(input) = arguments.pop_if(|_| function.takes_mapping) {
            arguments.push(self.context.spread(input)?);
        }
        self.context
            .meter
            .bytes(arguments.iter().map(Value::weight).sum())?;
        let made = function.call(&self.context, &arguments)?;
        self.context.meter.bytes(made.weight())?;
        Ok(made)
    }
}
