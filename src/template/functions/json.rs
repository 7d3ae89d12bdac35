//! JSON: compact as in our own fields, or in the form of Go's encoder.

use super::{Call, Made, escape};
use crate::base::coding::number::is_json;
use crate::base::wiped::WipedBytes;
use crate::format::json::write::quote;
use crate::template::Problem;
use crate::template::value::{Buffer, Value};

/// The form of the JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// On one line.
    Compact,
    /// In Go's form on one line; `<`, `>` and `&` escaped.
    HtmlSafe,
    /// In Go's form on one line.
    Raw,
    /// With two spaces for each level; escaped as [`Style::HtmlSafe`].
    Pretty,
}

pub(super) fn compact<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    write(call, Style::Compact)
}

pub(super) fn html_safe<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    write(call, Style::HtmlSafe)
}

pub(super) fn raw<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    write(call, Style::Raw)
}

pub(super) fn pretty<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    write(call, Style::Pretty)
}

fn write<'a>(call: &Call<'_, 'a>, style: Style) -> Made<'a> {
    call.make(|out| {
        let mut writer = Writer {
            call,
            style,
            level: 0,
            out,
        };
        writer.value(call.input())
    })
}

struct Writer<'w, 'v, 'a> {
    call: &'w Call<'v, 'a>,
    style: Style,
    level: usize,
    out: &'w mut Buffer,
}

impl<'a> Writer<'_, '_, 'a> {
    fn value(&mut self, value: &Value<'a>) -> Result<(), Problem> {
        match value {
            Value::Null if self.style == Style::Compact => self.out.push(b"null"),
            Value::Bool(value) => self.out.push(value.to_string().as_bytes()),
            Value::Number(number) if value.text().is_some_and(is_json) => {
                self.out.push(number.bytes())
            }
            Value::Text(_) if value.text().is_some() => self.text(value.text().unwrap_or_default()),
            Value::List(items) => {
                self.open(b"[")?;
                for (index, item) in items.iter().enumerate() {
                    self.next(index)?;
                    self.value(item)?;
                }
                self.close(b"]", items.is_empty())
            }
            Value::Map(entries) => {
                self.open(b"{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.next(index)?;
                    self.text(key)?;
                    let pretty = self.style == Style::Pretty;
                    self.out.push(if pretty { b": " } else { b":" })?;
                    self.value(value)?;
                }
                self.close(b"}", entries.is_empty())
            }
            Value::All => {
                let whole = self.call.context.spread(Value::All)?;
                self.value(&whole)
            }
            Value::Text(_) | Value::Number(_) | Value::Null | Value::Missing(_) => {
                let wanted = "what JSON has a spelling for";
                let why = "takes UTF-8 text, and this value is none";
                Err(self.call.unfit(value, wanted, why))
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Problem> {
        match self.style {
            Style::Compact => {
                let mut quoted = WipedBytes::default();
                quote(text, &mut quoted);
                self.out.push(&quoted)
            }
            Style::Raw => escape::json(text, false, self.out),
            Style::HtmlSafe | Style::Pretty => escape::json(text, true, self.out),
        }
    }

    fn open(&mut self, bracket: &[u8]) -> Result<(), Problem> {
        self.level += 1;
        self.out.push(bracket)
    }

    fn next(&mut self, index: usize) -> Result<(), Problem> {
        if index > 0 {
            self.out.push(b",")?;
        }
        self.new_line()
    }

    fn close(&mut self, bracket: &[u8], empty: bool) -> Result<(), Problem> {
        self.level -= 1;
        if !empty {
            self.new_line()?;
        }
        self.out.push(bracket)
    }

    fn new_line(&mut self) -> Result<(), Problem> {
        if self.style == Style::Pretty {
            self.out.push(b"\n")?;
            self.out.repeat(b"  ", self.level)?;
        }
        Ok(())
    }
}
