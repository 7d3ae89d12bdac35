//! Evaluating the tree: bounded in steps and size, strict about what is missing.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::functions::{self, Function};
use super::value::{Buffer, Text, Value};
use super::{Command, Item, Operand, Pipeline, Problem, TemplateError, error};
use crate::base::material::SecretBytes;
use crate::base::meter::{Meter, Spent};

mod block;

/// Commands that one template may run.
const STEPS: u32 = 100_000;

/// Bytes that functions may read and make: a Secret holds 1 MiB, and each step may go through all
/// of it.
const BYTES: usize = 32 * 1024 * 1024;

impl From<Spent> for Problem {
    fn from(spent: Spent) -> Self {
        Self::Excess(match spent {
            Spent::Steps => "100000 steps",
            Spent::Bytes => "32 MiB of text on its way",
        })
    }
}

/// Renders parsed items.
pub(super) fn render(
    items: &[Item],
    data: &BTreeMap<String, SecretBytes>,
) -> Result<SecretBytes, TemplateError> {
    let mut state = State {
        data,
        variables: Vec::new(),
        out: Buffer::default(),
        meter: Meter::of(STEPS, BYTES),
        line: 1,
    };
    state.items(items, &Value::Data)?;
    Ok(state.out.finish())
}

/// What a template sees and has made so far.
pub(super) struct State<'a> {
    pub(super) data: &'a BTreeMap<String, SecretBytes>,
    variables: Vec<(&'a str, Value<'a>)>,
    out: Buffer,
    meter: Meter,
    line: u32,
}

impl<'a> State<'a> {
    pub(super) fn fail<T>(&self, problem: Problem) -> Result<T, TemplateError> {
        Err(error(self.line, problem))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TemplateError> {
        let line = self.line;
        self.out
            .push(bytes)
            .map_err(|large| error(line, large.into()))
    }

    fn step(&mut self, line: u32) -> Result<(), TemplateError> {
        self.line = line;
        let step = self.meter.step();
        step.map_err(|spent| error(line, spent.into()))
    }

    /// Pays for so many bytes that are read or made.
    pub(super) fn pay(&self, bytes: usize) -> Result<(), Problem> {
        Ok(self.meter.bytes(bytes)?)
    }

    pub(super) fn is_true(&self, value: &Value<'_>) -> bool {
        value.is_true(self.data.is_empty())
    }

    /// One of the opened values, or that it is not there.
    pub(super) fn lookup(&self, name: &str) -> Option<Value<'a>> {
        let value = self.data.get(name)?;
        Some(Value::Text(Text::Given(value.expose())))
    }

    /// One of the opened values, or the name of what is not there: one that stands in the template.
    pub(super) fn lookup_written(&self, name: &str) -> Value<'a> {
        self.lookup(name).unwrap_or_else(|| {
            Value::Missing(Rc::from(format!(
                "value `{}`",
                crate::base::plain::name(name)
            )))
        })
    }

    fn items(&mut self, items: &'a [Item], dot: &Value<'a>) -> Result<(), TemplateError> {
        for item in items {
            match item {
                Item::Text(text) => self.write(text.as_bytes())?,
                Item::Action(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.variables.is_empty() {
                        self.print(&value)?;
                    }
                }
                Item::Block(block) => {
                    let known = self.variables.len();
                    self.block(block, dot)?;
                    self.variables.truncate(known);
                }
            }
        }
        Ok(())
    }

    fn print(&mut self, value: &Value<'a>) -> Result<(), TemplateError> {
        match value {
            Value::Text(text) => self.write(text.bytes()),
            Value::Int(number) => self.write(number.to_string().as_bytes()),
            Value::Bool(value) => self.write(value.to_string().as_bytes()),
            Value::List(_) => self.fail(Problem::Misuse(
                "a list has no text: use `join` or `toJson`",
            )),
            Value::Data => self.fail(Problem::Misuse(
                "`.` is all values here: name one, or use `toJson`",
            )),
            Value::Missing(name) => self.fail(Problem::Unknown(name.to_string())),
        }
    }

    /// The value of a pipeline; what it declares is known afterwards.
    pub(super) fn pipeline(
        &mut self,
        pipeline: &'a Pipeline,
        dot: &Value<'a>,
    ) -> Result<Value<'a>, TemplateError> {
        let value = self.pipeline_value(pipeline, dot)?;
        self.bind(pipeline, vec![value.clone()])?;
        Ok(value)
    }

    fn pipeline_value(
        &mut self,
        pipeline: &'a Pipeline,
        dot: &Value<'a>,
    ) -> Result<Value<'a>, TemplateError> {
        let mut piped = None;
        for command in &pipeline.commands {
            piped = Some(self.command(command, piped, dot)?);
        }
        match piped {
            Some(value) => Ok(value),
            None => self.fail(Problem::Syntax("an action has no value")),
        }
    }

    fn bind(
        &mut self,
        pipeline: &'a Pipeline,
        values: Vec<Value<'a>>,
    ) -> Result<(), TemplateError> {
        for (name, value) in pipeline.variables.iter().zip(values) {
            if !pipeline.assigns {
                self.variables.push((name, value));
                continue;
            }
            let known = self
                .variables
                .iter_mut()
                .rev()
                .find(|(known, _)| known == name);
            match known {
                Some((_, old)) => *old = value,
                None => return self.fail(Problem::Unknown(format!("variable `${name}`"))),
            }
        }
        Ok(())
    }

    fn command(
        &mut self,
        command: &'a Command,
        piped: Option<Value<'a>>,
        dot: &Value<'a>,
    ) -> Result<Value<'a>, TemplateError> {
        self.step(command.line)?;
        let Command {
            line: _,
            head,
            arguments,
        } = command;
        if let Operand::Function(function) = head {
            return self.call(*function, arguments, piped, dot);
        }
        if !arguments.is_empty() || piped.is_some() {
            return self.fail(Problem::Misuse(
                "arguments are given to something that is no function",
            ));
        }
        if *head == Operand::Nil {
            return self.fail(Problem::Misuse("`nil` is no value"));
        }
        self.operand(head, dot)
    }

    fn call(
        &mut self,
        function: Function,
        arguments: &'a [Operand],
        piped: Option<Value<'a>>,
        dot: &Value<'a>,
    ) -> Result<Value<'a>, TemplateError> {
        if let Function::And | Function::Or = function {
            return self.and_or(function == Function::Or, arguments, piped, dot);
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for argument in arguments {
            values.push(self.operand(argument, dot)?);
        }
        values.extend(piped);
        let line = self.line;
        let called = || {
            self.pay(values.iter().map(Value::weight).sum())?;
            let made = functions::call(self, function, &values)?;
            self.pay(made.weight())?;
            Ok(made)
        };
        called().map_err(|problem| error(line, problem))
    }

    /// Both give the argument that decides, and do not look at those behind it.
    fn and_or(
        &mut self,
        or: bool,
        arguments: &'a [Operand],
        piped: Option<Value<'a>>,
        dot: &Value<'a>,
    ) -> Result<Value<'a>, TemplateError> {
        let mut last = None;
        for argument in arguments {
            let value = self.operand(argument, dot)?;
            if self.is_true(&value) == or {
                return Ok(value);
            }
            last = Some(value);
        }
        match piped.or(last) {
            Some(value) => Ok(value),
            None => self.fail(Problem::Misuse("`and` and `or` need an argument")),
        }
    }

    fn operand(
        &mut self,
        operand: &'a Operand,
        dot: &Value<'a>,
    ) -> Result<Value<'a>, TemplateError> {
        match operand {
            Operand::Dot => Ok(dot.clone()),
            Operand::Nil => Ok(Value::Missing(Rc::from("value: it is `nil`"))),
            Operand::Bool(value) => Ok(Value::Bool(*value)),
            Operand::Int(number) => Ok(Value::Int(*number)),
            Operand::Text(bytes) => Ok(Value::Text(Text::Written(bytes))),
            Operand::Field(names) => self.fields(dot.clone(), names),
            Operand::Variable(name, names) => {
                let value = self.variable(name)?;
                self.fields(value, names)
            }
            Operand::Parens(pipeline) => self.pipeline(pipeline, dot),
            Operand::Function(function) => {
                self.step(self.line)?;
                self.call(*function, &[], None, dot)
            }
        }
    }

    fn variable(&self, name: &str) -> Result<Value<'a>, TemplateError> {
        if name.is_empty() {
            return Ok(Value::Data);
        }
        let mut known = self.variables.iter().rev().enumerate();
        let found = known.find(|(_, (known, _))| *known == name);
        let passed = found.map_or(self.variables.len(), |(passed, _)| passed);
        self.pay(passed)
            .map_err(|problem| error(self.line, problem))?;
        match found {
            Some((_, (_, value))) => Ok(value.clone()),
            None => self.fail(Problem::Unknown(format!("variable `${name}`"))),
        }
    }

    fn fields(&self, mut value: Value<'a>, names: &[String]) -> Result<Value<'a>, TemplateError> {
        for name in names {
            value = match value {
                Value::Data => self.lookup_written(name),
                Value::Missing(name) => return self.fail(Problem::Unknown(name.to_string())),
                Value::Text(_) | Value::Int(_) | Value::Bool(_) | Value::List(_) => {
                    return self.fail(Problem::Misuse(
                        "a field is asked of something that has none",
                    ));
                }
            };
        }
        Ok(value)
    }
}
