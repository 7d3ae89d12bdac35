//! Printing: `print`, `println`, `printf` and what escapes their text.

use super::super::Problem;
use super::super::print;
use super::super::value::{Buffer, TooLarge, Value};
use super::{Call, Made};

impl<'s, 'a> Call<'s, 'a> {
    /// Go's `Sprint` puts spaces between two that are no texts, `Sprintln` between all.
    pub(super) fn print_all(&self, line: bool) -> Result<Buffer, Problem> {
        let mut buffer = Buffer::default();
        let mut before: Option<&Value<'a>> = None;
        for value in self.arguments {
            let both =
                |a: &Value<'a>| !matches!(a, Value::Text(_)) && !matches!(value, Value::Text(_));
            if before.is_some_and(|before| line || both(before)) {
                buffer.push(b" ")?;
            }
            self.plain(value, &mut buffer)?;
            before = Some(value);
        }
        if line {
            buffer.push(b"\n")?;
        }
        Ok(buffer)
    }

    pub(super) fn printed(&self, line: bool) -> Made<'a> {
        Ok(Value::made(self.print_all(line)?.finish()))
    }

    pub(super) fn escaped(
        &self,
        escape: fn(&[u8], &mut Buffer) -> Result<(), TooLarge>,
    ) -> Made<'a> {
        let text = self.print_all(false)?.finish();
        self.make(|buffer| escape(text.expose(), buffer))
    }

    pub(super) fn formatted(&self) -> Made<'a> {
        let Some((format, mut values)) = self.arguments.split_first() else {
            return self.wrong("has the wrong number of arguments");
        };
        let mut buffer = Buffer::default();
        let mut rest = self.text(format)?;
        while let Some((before, after)) = rest.split_once('%') {
            buffer.push(before.as_bytes())?;
            let mut verbs = after.chars();
            let verb = verbs.next();
            rest = verbs.as_str();
            if verb == Some('%') {
                buffer.push(b"%")?;
                continue;
            }
            let Some((value, others)) = values.split_first() else {
                return self.wrong("has fewer arguments than its format asks for");
            };
            values = others;
            match (verb, value) {
                (Some('v'), value)
                | (Some('s'), value @ Value::Text(_))
                | (Some('d'), value @ Value::Int(_)) => {
                    self.plain(value, &mut buffer)?;
                }
                (Some('q'), value @ Value::Text(_)) => {
                    print::quoted(self.text(value)?, &mut buffer)?;
                }
                (_, Value::Missing(name)) => return Err(Problem::Unknown(name.to_string())),
                (Some('s' | 'd' | 'q'), _) => {
                    return self.wrong("has an argument that its format is not for");
                }
                _ => {
                    return self
                        .wrong("knows `%s`, `%q`, `%v`, `%d` and `%%`, without width or flags");
                }
            }
        }
        if !values.is_empty() {
            return self.wrong("has more arguments than its format asks for");
        }
        buffer.push(rest.as_bytes())?;
        Ok(Value::made(buffer.finish()))
    }
}
