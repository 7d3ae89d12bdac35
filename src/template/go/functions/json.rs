//! JSON as Go's encoder writes it.

use super::super::Problem;
use super::super::print;
use super::super::value::{Buffer, TooLarge, Value};
use super::{Call, Made};

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// On one line; `<`, `>` and `&` escaped.
    HtmlSafe,
    /// On one line.
    Raw,
    /// With two spaces for each level; escaped as [`Style::HtmlSafe`].
    Pretty,
}

impl<'s, 'a> Call<'s, 'a> {
    pub(super) fn json(&self, style: Style) -> Made<'a> {
        let mut writer = Writer {
            style,
            level: 0,
            out: Buffer::default(),
        };
        self.write_json(self.one()?, &mut writer)?;
        Ok(Value::made(writer.out.finish()))
    }

    fn write_json(&self, value: &'s Value<'a>, writer: &mut Writer) -> Result<(), Problem> {
        match value {
            Value::Text(_) => writer.text(self.text(value)?)?,
            Value::Int(_) | Value::Bool(_) | Value::Missing(_) => {
                self.plain(value, &mut writer.out)?
            }
            Value::List(items) => {
                writer.open(b"[")?;
                for (at, item) in items.iter().enumerate() {
                    writer.next(at)?;
                    self.write_json(item, writer)?;
                }
                writer.close(b"]", items.is_empty())?;
            }
            Value::Data => {
                writer.open(b"{")?;
                for (at, (key, value)) in self.state.data.iter().enumerate() {
                    writer.next(at)?;
                    writer.text(key)?;
                    writer.colon()?;
                    match value.expose_str() {
                        Some(text) => writer.text(text)?,
                        None => return self.wrong("takes UTF-8 text, and a value is none"),
                    }
                }
                writer.close(b"}", self.state.data.is_empty())?;
            }
        }
        Ok(())
    }
}

struct Writer {
    style: Style,
    level: usize,
    out: Buffer,
}

impl Writer {
    fn text(&mut self, text: &str) -> Result<(), TooLarge> {
        print::json(text, self.style != Style::Raw, &mut self.out)
    }

    fn open(&mut self, bracket: &[u8]) -> Result<(), TooLarge> {
        self.level += 1;
        self.out.push(bracket)
    }

    fn next(&mut self, at: usize) -> Result<(), TooLarge> {
        if at > 0 {
            self.out.push(b",")?;
        }
        self.new_line()
    }

    fn colon(&mut self) -> Result<(), TooLarge> {
        self.out.push(b":")?;
        if self.style == Style::Pretty {
            self.out.push(b" ")
        } else {
            Ok(())
        }
    }

    fn close(&mut self, bracket: &[u8], empty: bool) -> Result<(), TooLarge> {
        self.level -= 1;
        if !empty {
            self.new_line()?;
        }
        self.out.push(bracket)
    }

    fn new_line(&mut self) -> Result<(), TooLarge> {
        if self.style == Style::Pretty {
            self.out.push(b"\n")?;
            self.out.repeat(b"  ", self.level)?;
        }
        Ok(())
    }
}
