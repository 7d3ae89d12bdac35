//! Filters that take or make lists and mappings.

use std::rc::Rc;

use crate::base::coding::number::is_json;
use crate::base::material::{Node, SecretBytes};
use crate::base::meter::Meter;
use crate::base::wiped::Wiped;
use crate::format::document;
use crate::format::document::DocumentFormat;
use crate::format::json::write as writer;
use crate::format::yaml::write as yaml;
use crate::template::jinja::Problem;
use crate::template::jinja::value::{Text, Value};

use super::Given;
use super::text::text;

type Result<'a> = std::result::Result<Value<'a>, Problem>;

fn elements<'v, 'a>(given: &Given<'v, 'a>) -> std::result::Result<&'v [Value<'a>], Problem> {
    match given.input {
        Value::List(items) => Ok(items),
        Value::Text(_)
        | Value::Bytes(_)
        | Value::Number(_)
        | Value::Bool(_)
        | Value::Null
        | Value::Map(_)
        | Value::Fields => Err(given.takes("a list")),
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

/// How many elements, entries, characters, or bytes of what is no text.
pub(super) fn length<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let count = match given.input {
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        Value::Bytes(bytes) => bytes.expose().len(),
        Value::Text(_) | Value::Number(_) | Value::Bool(_) | Value::Null | Value::Fields => {
            given.text()?.chars().count()
        }
    };
    Ok(Value::number(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// Pairs of key and value.
pub(super) fn items<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let Value::Map(entries) = given.input else {
        return Err(given.takes("a mapping"));
    };
    let mut pairs = Vec::new();
    for (key, value) in entries.iter() {
        given.meter.step()?;
        given.meter.bytes(key.len())?;
        let key = Value::Text(Text::made(key.clone()));
        pairs.push(Value::List(Rc::new(vec![key, value.clone()])));
    }
    Ok(Value::List(Rc::new(pairs)))
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
    Ok(Value::List(Rc::new(pieces?)))
}

/// Compact, and without the escapes for HTML that other engines add.
pub(super) fn json<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let mut out = Wiped::default();
    write(given.input, &mut out, given.meter)?;
    Ok(text(out))
}

fn write(value: &Value<'_>, out: &mut Wiped, meter: &Meter) -> std::result::Result<(), Problem> {
    meter.step()?;
    match value {
        Value::Null => out.text("null"),
        Value::Bool(true) => out.text("true"),
        Value::Bool(false) => out.text("false"),
        Value::Number(number) if is_json(number.as_str()) => out.text(number.as_str()),
        Value::Number(_) | Value::Bytes(_) | Value::Fields => {
            return Err(value.is_not("`json`", "what JSON has a spelling for"));
        }
        Value::Text(text) => {
            meter.bytes(text.as_str().len())?;
            writer::quote(text.as_str(), out);
        }
        Value::List(items) => {
            out.text("[");
            for (index, item) in items.iter().enumerate() {
                out.text(if index > 0 { "," } else { "" });
                write(item, out, meter)?;
            }
            out.text("]");
        }
        Value::Map(entries) => {
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

/// What the text of one JSON value stands for.
pub(super) fn from_json<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let text = SecretBytes::from(given.text()?);
    let read = document::parse(text, DocumentFormat::Json);
    match read.as_deref() {
        Ok([node]) => {
            steps(node, given.meter)?;
            given.text()?;
            Ok(Value::of_made(node))
        }
        Ok(_) | Err(_) => Err(given.is_no("one JSON value")),
    }
}

/// Pays for each node of a tree.
fn steps(node: &Node, meter: &Meter) -> std::result::Result<(), Problem> {
    meter.step()?;
    match node {
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => Ok(()),
        Node::List(items) => items.iter().try_for_each(|item| steps(item, meter)),
        Node::Map(entries) => entries.iter().try_for_each(|(_, node)| steps(node, meter)),
    }
}

/// As a YAML file of ours holds it, without the last line break: `indent` puts it where it belongs.
pub(super) fn to_yaml<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let node = to_node(given.input, given)?;
    let made =
        yaml::documents(&[node], false).map_err(|_| given.takes("what YAML has a spelling for"))?;
    given.meter.bytes(made.len())?;
    let made = made.expose_str().unwrap_or_default();
    Ok(Value::Text(Text::made(
        made.trim_end_matches('\n').to_owned(),
    )))
}

fn to_node(value: &Value<'_>, given: &Given<'_, '_>) -> std::result::Result<Node, Problem> {
    given.meter.step()?;
    let copy = |text: &str| -> std::result::Result<SecretBytes, Problem> {
        given.meter.bytes(text.len())?;
        Ok(SecretBytes::from(text))
    };
    Ok(match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(*value),
        Value::Number(number) => Node::Number(copy(number.as_str())?),
        Value::Text(text) => Node::Text(copy(text.as_str())?),
        Value::List(items) => {
            let items = items.iter().map(|item| to_node(item, given));
            Node::List(items.collect::<std::result::Result<_, _>>()?)
        }
        Value::Map(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| Ok((key.clone(), to_node(value, given)?)));
            Node::Map(entries.collect::<std::result::Result<_, Problem>>()?)
        }
        Value::Bytes(_) | Value::Fields => {
            return Err(value.is_not("`toYaml`", "what YAML has a spelling for"));
        }
    })
}
