//! Decoding, and writing YAML.

use crate::base::wiped::WipedBytes;

use super::{Call, Made};
use crate::base::coding::{base64, hex};
use crate::base::material::{Node, SecretBytes};
use crate::format::document::{self, DocumentFormat};
use crate::format::yaml::write as yaml;
use crate::template::Problem;
use crate::template::value::Value;

/// White space is skipped.
pub(super) fn base64_spaced<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    match base64::decode_spaced(call.text(call.input())?.as_bytes()) {
        Some(bytes) => Ok(Value::made(bytes)),
        None => Err(call.wrong("was given something else than base64")),
    }
}

pub(super) fn base64_as_go<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    match base64::decode_as_go(call.bytes(call.input())?) {
        Some(bytes) => Ok(Value::made(bytes)),
        None => Err(call.wrong("takes base64, and this value is none")),
    }
}

/// White space between the digits is skipped.
pub(super) fn hex_digits<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let text = call.text(call.input())?;
    let wrong = || call.wrong("was given something else than hexadecimal digits in pairs");
    let mut digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let mut bytes = WipedBytes::with_capacity(text.len() / 2);
    while let Some(high) = digits.next() {
        let byte = digits.next().and_then(|low| hex::byte(high, low));
        bytes.byte(byte.ok_or_else(wrong)?);
    }
    Ok(Value::made(bytes))
}

/// The value of a JSON text.
pub(super) fn json<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let text = SecretBytes::from(call.text(call.input())?);
    match document::parse(text, DocumentFormat::Json).as_deref() {
        Ok([node]) => {
            pay(call, node)?;
            Ok(Value::of_made(node))
        }
        Ok(_) | Err(_) => Err(call.wrong("was given something else than one JSON value")),
    }
}

/// Each node of a tree costs a step.
fn pay(call: &Call<'_, '_>, node: &Node) -> Result<(), Problem> {
    call.context.meter.step()?;
    match node {
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => Ok(()),
        Node::List(items) => items.iter().try_for_each(|item| pay(call, item)),
        Node::Map(entries) => entries.iter().try_for_each(|(_, node)| pay(call, node)),
    }
}

/// In the YAML style of our own files, without the last line break, so that `indent` can follow.
pub(super) fn to_yaml<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let made = yaml::documents(&[to_node(call, call.input())?], false);
    let made = made.map_err(|_| unwritable(call.input()))?;
    let text = made.expose_str().unwrap_or_default();
    Ok(Value::made(text.trim_end_matches('\n')))
}

fn unwritable(value: &Value<'_>) -> Problem {
    value.is_not("`toYaml`", "what YAML has a spelling for")
}

/// Each value costs a step and its bytes: a list may contain itself many times.
fn to_node(call: &Call<'_, '_>, value: &Value<'_>) -> Result<Node, Problem> {
    call.context.meter.step()?;
    let copy = |value: &Value<'_>| {
        let text = value.text().ok_or_else(|| unwritable(value))?;
        call.context.meter.bytes(text.len())?;
        Ok(SecretBytes::from(text))
    };
    Ok(match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(*value),
        Value::Number(_) => Node::Number(copy(value)?),
        Value::Text(_) => Node::Text(copy(value)?),
        Value::List(items) => {
            let items = items.iter().map(|item| to_node(call, item));
            Node::List(items.collect::<Result<_, _>>()?)
        }
        Value::Map(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| Ok((key.clone(), to_node(call, value)?)));
            Node::Map(entries.collect::<Result<_, Problem>>()?)
        }
        Value::All | Value::Missing(_) => return Err(unwritable(value)),
    })
}
