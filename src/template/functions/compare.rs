//! Comparing.

use std::cmp::Ordering;

use super::{Call, Made};
use crate::template::Problem;
use crate::template::value::Value;

/// Text is equal to text and a number to a number; `"80"` is not equal to `80`.
pub(super) fn equal<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [one, two] = call.exactly()?;
    Ok(Value::Bool(same(call, one, two)?))
}

pub(super) fn unequal<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [one, two] = call.exactly()?;
    Ok(Value::Bool(!same(call, one, two)?))
}

/// Inner values are charged here: a list may contain itself many times.
fn same<'a>(call: &Call<'_, 'a>, one: &Value<'a>, two: &Value<'a>) -> Result<bool, Problem> {
    if let Value::List(_) | Value::Map(_) = one {
        call.context.meter.bytes(one.weight())?;
    }
    match (one, two) {
        (Value::Text(one), Value::Text(two)) => Ok(one.bytes() == two.bytes()),
        (Value::Number(a), Value::Number(b)) => match (one.integer(), two.integer()) {
            (Some(one), Some(two)) => Ok(one == two),
            (_, _) => Ok(a.bytes() == b.bytes()),
        },
        (Value::Bool(one), Value::Bool(two)) => Ok(one == two),
        (Value::Null, Value::Null) | (Value::All, Value::All) => Ok(true),
        (Value::List(one), Value::List(two)) => {
            let mut equal = one.len() == two.len();
            for (one, two) in one.iter().zip(two.iter()) {
                equal = equal && same(call, one, two)?;
            }
            Ok(equal)
        }
        (Value::Map(one), Value::Map(two)) => {
            let mut equal = one.len() == two.len();
            for ((key, one), (name, two)) in one.iter().zip(two.iter()) {
                equal = equal && key == name && same(call, one, two)?;
            }
            Ok(equal)
        }
        (
            Value::Text(_)
            | Value::Number(_)
            | Value::Bool(_)
            | Value::Null
            | Value::List(_)
            | Value::Map(_)
            | Value::All
            | Value::Missing(_),
            _,
        ) => Ok(false),
    }
}

/// Go compares only single values of one kind.
fn same_of_one_kind<'a>(
    call: &Call<'_, 'a>,
    one: &Value<'a>,
    two: &Value<'a>,
) -> Result<bool, Problem> {
    match (one, two) {
        (Value::Text(_), Value::Text(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => same(call, one, two),
        _ => Err(unfit(call, one, two, "compares values of one type")),
    }
}

pub(super) fn equal_to_any<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let (first, others) = call.given.split_at(1);
    for other in others {
        if same_of_one_kind(call, &first[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

pub(super) fn unequal_of_one_kind<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [one, two] = call.exactly()?;
    Ok(Value::Bool(!same_of_one_kind(call, one, two)?))
}

pub(super) fn less<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Ok(Value::Bool(order(call)?.is_lt()))
}

pub(super) fn less_or_equal<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Ok(Value::Bool(order(call)?.is_le()))
}

pub(super) fn greater<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Ok(Value::Bool(order(call)?.is_gt()))
}

pub(super) fn greater_or_equal<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Ok(Value::Bool(order(call)?.is_ge()))
}

fn order(call: &Call<'_, '_>) -> Result<Ordering, Problem> {
    let [one, two] = call.exactly()?;
    if let (Some(one), Some(two)) = (one.integer(), two.integer()) {
        return Ok(one.cmp(&two));
    }
    let fit = |value: &Value<'_>| call.is_go() || value.text().is_some();
    if let (Value::Text(a), Value::Text(b)) = (one, two)
        && fit(one)
        && fit(two)
    {
        return Ok(a.bytes().cmp(b.bytes()));
    }
    if !call.is_go() {
        return Err(two.is_not("a comparison", "two numbers or two texts"));
    }
    Err(unfit(call, one, two, "compares two texts or two numbers"))
}

/// For Go: which of the two values is missing, or what they must be.
fn unfit(call: &Call<'_, '_>, one: &Value<'_>, two: &Value<'_>, why: &'static str) -> Problem {
    one.absence().unwrap_or_else(|| call.unfit_in_go(two, why))
}

pub(super) fn is_in<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [one, all] = call.exactly()?;
    let found = match all {
        Value::List(items) => {
            let mut found = false;
            for item in items.iter() {
                found = found || same(call, item, one)?;
            }
            found
        }
        Value::Map(entries) => {
            let key = one.text_for("`in` a mapping")?;
            entries.entry(key).is_some()
        }
        Value::All => {
            let name = one.text_for("`in fields`")?;
            call.context.data.named(name).is_some()
        }
        Value::Text(_) if all.text().is_some() => {
            let part = one.text_for("`in` a text")?;
            call.text(all)?.contains(part)
        }
        Value::Text(_) | Value::Number(_) | Value::Bool(_) | Value::Null | Value::Missing(_) => {
            return Err(all.is_not("`in`", "a list, a mapping or text"));
        }
    };
    Ok(Value::Bool(found))
}
