//! `if`, `with` and `range`.

use super::super::value::{Text, Value};
use super::super::{Block, BlockKind, Problem, TemplateError};
use super::State;

impl<'a> State<'a> {
    pub(super) fn block(&mut self, block: &'a Block, dot: &Value<'a>) -> Result<(), TemplateError> {
        let Block {
            kind,
            pipeline,
            items,
            otherwise,
        } = block;
        if *kind == BlockKind::Range {
            return self.range(block, dot);
        }
        let value = self.pipeline(pipeline, dot)?;
        match (self.is_true(&value), kind) {
            (true, BlockKind::With) => self.items(items, &value),
            (true, BlockKind::If | BlockKind::Range) => self.items(items, dot),
            (false, _) => self.items(otherwise, dot),
        }
    }

    fn range(&mut self, block: &'a Block, dot: &Value<'a>) -> Result<(), TemplateError> {
        let Block {
            kind: _,
            pipeline,
            items,
            otherwise,
        } = block;
        let over = self.pipeline_value(pipeline, dot)?;
        let text = |text: &'a str| Value::Text(Text::Given(text.as_bytes()));
        let pairs: Vec<(Value<'a>, Value<'a>)> = match over {
            Value::Data => self
                .data
                .iter()
                .map(|(key, value)| (text(key), Value::Text(Text::Given(value.expose()))))
                .collect(),
            Value::List(items) => (0..).map(Value::Int).zip(items.iter().cloned()).collect(),
            Value::Missing(name) => return self.fail(Problem::Unknown(name.to_string())),
            Value::Text(_) | Value::Int(_) | Value::Bool(_) => {
                return self.fail(Problem::Misuse(
                    "`range` goes over all values, or over a list",
                ));
            }
        };
        if pairs.is_empty() {
            return self.items(otherwise, dot);
        }
        let known = self.variables.len();
        for (key, value) in pairs {
            self.step(pipeline.line)?;
            let values = match pipeline.variables.as_slice() {
                [_, _] => vec![key, value.clone()],
                _ => vec![value.clone()],
            };
            self.bind(pipeline, values)?;
            self.items(items, &value)?;
            self.variables.truncate(known);
        }
        Ok(())
    }
}
