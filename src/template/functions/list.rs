//! Lists, and other values with parts.

use super::{Call, Made};
use crate::template::Problem;
use crate::template::value::Value;

/// The most parts of one text: each part becomes a separate text.
const MOST_PARTS: usize = 100_000;

pub(super) fn is_defined<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Ok(Value::Bool(!matches!(call.input(), Value::Missing(_))))
}

pub(super) fn is_undefined<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Ok(Value::Bool(matches!(call.input(), Value::Missing(_))))
}

pub(super) fn list<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Value::list(call.given.to_vec()).nested()
}

pub(super) fn first<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    end(call, call.items(call.input())?.first())
}

pub(super) fn last<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    end(call, call.items(call.input())?.last())
}

fn end<'a>(call: &Call<'_, 'a>, item: Option<&Value<'a>>) -> Made<'a> {
    match item {
        Some(item) => Ok(item.clone()),
        None if call.is_go() => Err(call.wrong("takes a list that is not empty")),
        None => Err(Problem::Kind {
            wants: "there must be something in the list".to_owned(),
            is: "an empty one",
        }),
    }
}

/// Number of elements, entries or characters; of bytes if the value is no UTF-8 text.
pub(super) fn length<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let value = call.input();
    Ok(Value::count(match value {
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        Value::Text(bytes) if value.text().is_none() => bytes.bytes().len(),
        Value::Text(_)
        | Value::Number(_)
        | Value::Bool(_)
        | Value::Null
        | Value::All
        | Value::Missing(_) => call.text(value)?.chars().count(),
    }))
}

/// The length in Go: a text is counted in bytes.
pub(super) fn len<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let value = call.input();
    Ok(Value::count(match value {
        Value::Text(text) => text.bytes().len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        Value::All => call.context.data.all().len(),
        Value::Number(_) | Value::Bool(_) | Value::Null | Value::Missing(_) => {
            return Err(call.unfit_in_go(value, "takes text or a list"));
        }
    }))
}

/// Pairs of key and value.
pub(super) fn items<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let Value::Map(entries) = call.input() else {
        return Err(call.input().is_not("`items`", "a mapping"));
    };
    let pair = |(key, value): &(String, Value<'a>)| {
        call.context.meter.bytes(key.len())?;
        Ok(Value::list(vec![Value::made(key.as_str()), value.clone()]))
    };
    let pairs: Result<Vec<_>, Problem> = entries.iter().map(pair).collect();
    Ok(Value::list(pairs?))
}

pub(super) fn index<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    match call.exactly()? {
        [all @ Value::All, key] => {
            call.text(key)?;
            call.context.item(all, key)
        }
        [Value::List(items), at] => match items.get(call.count(at)?) {
            Some(item) => Ok(item.clone()),
            None => Err(call.wrong("asks for an item that is not there")),
        },
        _ => Err(call.wrong("takes `.` and a name, or a list and a number")),
    }
}

/// In Go, a single value counts as a list with one element.
pub(super) fn join<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let separator = match call.argument(0) {
        Some(separator) if call.is_go() => call.bytes(separator)?,
        Some(separator) => call.plain(separator)?,
        None => b"",
    };
    let one = std::slice::from_ref(call.input());
    let items = match call.items(call.input()) {
        Err(_) if call.is_go() => one,
        items => items?,
    };
    call.make(|out| {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(separator)?;
            }
            out.push(call.plain(item)?)?;
        }
        Ok(())
    })
}

/// Splits a text at a separator. Without one, Jinja splits at white space; with an empty one, Go
/// splits at each character.
pub(super) fn split<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let separator = call.argument(0).map(|value| call.text(value)).transpose()?;
    let text = call.text(call.input())?;
    let most = MOST_PARTS + 1;
    let parts: Vec<&str> = match separator {
        None => text.split_whitespace().take(most).collect(),
        Some("") if !call.is_go() => return Err(call.function.takes_others()),
        Some("") => {
            let part = |(at, c): (usize, char)| &text[at..at + c.len_utf8()];
            text.char_indices().map(part).take(most).collect()
        }
        Some(separator) => text.split(separator).take(most).collect(),
    };
    if parts.len() > MOST_PARTS {
        return Err(Problem::Excess("it makes more than 100000 items"));
    }
    Ok(Value::list(parts.into_iter().map(Value::made).collect()))
}
