//! Filters that take or make lists and mappings.

use crate::render::buffer::Wiped;
use crate::render::json as writer;
use crate::render::template::Problem;
use crate::render::template::value::{Data, Meter, Text, Value};

use super::Given;
use super::text::text;

type Result<'a> = std::result::Result<Value<'a>, Problem>;

fn elements<'v, 'a>(given: &Given<'v, 'a>) -> std::result::Result<&'v [Value<'a>], Problem> {
    match &given.input.data {
        Data::List(items) => Ok(items),
        Data::Text(_)
        | Data::Number(_)
        | Data::Bool(_)
        | Data::Null
        | Data::Map(_)
        | Data::Fields => Err(given.takes("a list")),
    }
}

pub(super) fn first<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    elements(given)?.first().cloned().ok_or_else(nothing_in_it)
}

pub(super) fn last<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    elements(given)?.last().cloned().ok_or_else(nothing_in_it)
}

fn nothing_in_it() -> Problem {
    Problem::Kind {
        wants: "there must be something in the list".to_owned(),
        is: "an empty one",
    }
}

/// How many elements, entries or characters.
pub(super) fn length<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let count = match &given.input.data {
        Data::List(items) => items.len(),
        Data::Map(entries) => entries.len(),
        Data::Text(_) | Data::Number(_) | Data::Bool(_) | Data::Null | Data::Fields => {
            given.text()?.chars().count()
        }
    };
    Ok(Value::number(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// Pairs of key and value.
pub(super) fn items<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let Data::Map(entries) = &given.input.data else {
        return Err(given.takes("a mapping"));
    };
    let mut pairs = Vec::new();
    for (key, value) in entries.iter() {
        given.meter.step()?;
        given.meter.bytes(key.len())?;
        let key = Value::open(Data::Text(Text::made(key.clone())));
        pairs.push(Value::list(vec![key, value.clone()]));
    }
    Ok(Value::list(pairs))
}

pub(super) fn join<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let separator = given.text_argument(0)?.unwrap_or_default();
    let mut out = Wiped::default();
    for (index, element) in elements(given)?.iter().enumerate() {
        let element = element.text_for("`join`")?;
        given.meter.step()?;
        given.meter.bytes(separator.len() + element.len())?;
        if index > 0 {
            out.text(separator);
        }
        out.text(element);
    }
    Ok(text(out))
}

/// At a separator, or at white space without one.
pub(super) fn split<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let source = given.text()?;
    let piece = |part: &str| -> Result<'a> {
        given.meter.step()?;
        let mut out = Wiped::default();
        out.text(part);
        Ok(text(out))
    };
    let pieces: std::result::Result<Vec<_>, _> = match given.text_argument(0)? {
        None => source.split_whitespace().map(piece).collect(),
        Some("") => return Err(given.wrong_arguments()),
        Some(separator) => source.split(separator).map(piece).collect(),
    };
    Ok(Value::list(pieces?))
}

/// Compact, and without the escapes for HTML that other engines add.
pub(super) fn json<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let mut out = Wiped::default();
    write(given.input, &mut out, given.meter)?;
    Ok(text(out))
}

fn write(value: &Value<'_>, out: &mut Wiped, meter: &Meter) -> std::result::Result<(), Problem> {
    meter.step()?;
    match &value.data {
        Data::Null => out.text("null"),
        Data::Bool(true) => out.text("true"),
        Data::Bool(false) => out.text("false"),
        Data::Number(number) if writer::is_number(number.as_str()) => out.text(number.as_str()),
        Data::Number(_) | Data::Fields => {
            return Err(value.is_not("`json`", "what JSON has a spelling for"));
        }
        Data::Text(text) => {
            meter.bytes(text.as_str().len())?;
            writer::quote(text.as_str(), out);
        }
        Data::List(items) => {
            out.text("[");
            for (index, item) in items.iter().enumerate() {
                out.text(if index > 0 { "," } else { "" });
                write(item, out, meter)?;
            }
            out.text("]");
        }
        Data::Map(entries) => {
            out.text("{");
            for (index, (key, value)) in entries.iter().enumerate() {
                out.text(if index > 0 { "," } else { "" });
                writer::quote(key, out);
                out.text(":");
                write(value, out, meter)?;
            }
            out.text("}");
        }
    }
    Ok(())
}
