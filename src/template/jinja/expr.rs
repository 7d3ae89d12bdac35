//! Expressions: names, members, literals, filters and tests. Strict: what is not there is an error,
//! unless the template provides for it with `default` or `is defined`.

use std::rc::Rc;

use super::filters::Filter;
use super::operate;
use super::scope::Scope;
use super::tree::{Expr, Kind, Operator, Test};
use super::value::{Text, Value};
use super::{Problem, TemplateError};

impl<'a> Scope<'a> {
    pub(super) fn value(&self, expr: &'a Expr) -> Result<Value<'a>, TemplateError> {
        self.optional(expr)?.ok_or_else(|| {
            let name = missing_name(expr).unwrap_or("this").to_owned();
            let known = self.known();
            TemplateError::new(expr.at, Problem::Undefined { name, known })
        })
    }

    fn values(&self, exprs: &'a [Expr]) -> Result<Vec<Value<'a>>, TemplateError> {
        exprs.iter().map(|expr| self.value(expr)).collect()
    }

    /// Nothing where a name, a member or the other half of a choice is not there.
    fn optional(&self, expr: &'a Expr) -> Result<Option<Value<'a>>, TemplateError> {
        self.meter.step().map_err(expr.at.at())?;
        let value = match &expr.kind {
            Kind::Name(name) => return self.name(name).map_err(expr.at.at()),
            Kind::Member(of, key) => {
                return match self.optional(of)? {
                    Some(of) => self.member(&of, key).map_err(expr.at.at()),
                    None => Ok(None),
                };
            }
            Kind::Item(of, key) => {
                let key = self.value(key)?;
                return match self.optional(of)? {
                    Some(of) => self.item(&of, &key).map_err(expr.at.at()),
                    None => Ok(None),
                };
            }
            Kind::Choice(condition, yes, no) => {
                let condition = self.value(condition)?;
                let branch = if condition.is_true() {
                    Some(yes)
                } else {
                    no.as_ref()
                };
                return match branch {
                    Some(branch) => Ok(Some(self.value(branch)?)),
                    None => Ok(None),
                };
            }
            Kind::Text(text) => Value::Text(Text::Lent(text)),
            Kind::Number(number) => Value::number(*number),
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Null => Value::Null,
            Kind::List(items) => Value::List(Rc::new(self.values(items)?)),
            Kind::Map(entries) => self.map(entries)?,
            Kind::Not(operand) => Value::Bool(!self.value(operand)?.is_true()),
            Kind::Negative(operand) => {
                let value = self.value(operand)?;
                operate::negative(&value).map_err(expr.at.at())?
            }
            Kind::Binary(operator, left, right) => self.binary(expr, *operator, left, right)?,
            Kind::Chain(first, rest) => self.chain(expr, first, rest)?,
            Kind::Filter(filter, input, arguments) => {
                self.filter(expr, filter, input, arguments)?
            }
            Kind::Test(test, input, argument) => {
                self.test(expr, *test, input, argument.as_deref())?
            }
        };
        Ok(Some(value))
    }

    fn map(&self, entries: &'a [(Expr, Expr)]) -> Result<Value<'a>, TemplateError> {
        let mut made = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let key = self.value(name)?;
            let value = self.value(value)?;
            let text = key.text_for("a mapping's key").map_err(name.at.at())?;
            made.push((text.to_owned(), value));
        }
        Ok(Value::Map(Rc::new(made)))
    }

    fn binary(
        &self,
        expr: &Expr,
        operator: Operator,
        left: &'a Expr,
        right: &'a Expr,
    ) -> Result<Value<'a>, TemplateError> {
        let left = self.value(left)?;
        let decided = match operator {
            Operator::And => !left.is_true(),
            Operator::Or => left.is_true(),
            Operator::Equal
            | Operator::Unequal
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual
            | Operator::In
            | Operator::Concat
            | Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder => false,
        };
        if decided {
            return Ok(left);
        }
        let right = self.value(right)?;
        if let (Operator::In, Value::Fields) = (operator, &right) {
            let name = left.text_for("`in fields`").map_err(expr.at.at())?;
            return Ok(Value::Bool(self.has_field(name)));
        }
        operate::binary(operator, &left, &right, &self.meter).map_err(expr.at.at())
    }

    fn chain(
        &self,
        expr: &Expr,
        first: &'a Expr,
        rest: &'a [(Operator, bool, Expr)],
    ) -> Result<Value<'a>, TemplateError> {
        let mut left = self.value(first)?;
        for (operator, negated, right) in rest {
            let right = self.value(right)?;
            let holds = operate::binary(*operator, &left, &right, &self.meter)
                .map_err(expr.at.at())?
                .is_true();
            if holds == *negated {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    fn filter(
        &self,
        expr: &Expr,
        filter: &Filter,
        input: &'a Expr,
        arguments: &'a [Option<Expr>],
    ) -> Result<Value<'a>, TemplateError> {
        let input = if filter.allows_absence() {
            self.optional(input)?
        } else {
            Some(self.value(input)?)
        };
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(argument.as_ref().map(|one| self.value(one)).transpose()?);
        }
        let input = match (input, values.first()) {
            (Some(input), _) => self.spread(input).map_err(expr.at.at())?,
            (None, Some(Some(fallback))) => return Ok(fallback.clone()),
            (None, Some(None) | None) => Value::Null,
        };
        filter
            .apply(&input, &values, &self.meter)
            .map_err(expr.at.at())
    }

    fn test(
        &self,
        expr: &Expr,
        test: Test,
        input: &'a Expr,
        argument: Option<&'a Expr>,
    ) -> Result<Value<'a>, TemplateError> {
        let open = |holds| Ok(Value::Bool(holds));
        match test {
            Test::Defined => return open(self.optional(input)?.is_some()),
            Test::Undefined => return open(self.optional(input)?.is_none()),
            Test::StartsWith | Test::EndsWith => {}
        }
        let input = self.value(input)?;
        let Some(argument) = argument else {
            return open(false);
        };
        let argument = self.value(argument)?;
        let text = input.text_for("this test").map_err(expr.at.at())?;
        let part = argument.text_for("this test").map_err(expr.at.at())?;
        let holds = match test {
            Test::EndsWith => text.ends_with(part),
            Test::StartsWith | Test::Defined | Test::Undefined => text.starts_with(part),
        };
        Ok(Value::Bool(holds))
    }
}

/// What to call a value that is not there.
fn missing_name(expr: &Expr) -> Option<&str> {
    if let Kind::Name(name) | Kind::Member(_, name) = &expr.kind {
        return Some(name);
    }
    if let Kind::Item(_, key) = &expr.kind
        && let Kind::Text(name) = &key.kind
    {
        return Some(name);
    }
    None
}
