//! Truth, and choosing between values.

use super::{Call, Made};
use crate::template::value::Value;

pub(super) fn not<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Ok(Value::Bool(!call.holds(call.input())))
}

/// Replaces a missing value; with `boolean` also a value that is not true.
pub(super) fn default<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [fallback, boolean, given] = call.exactly()?;
    let absent = matches!(given, Value::Missing(_));
    let replaced = absent || call.holds(boolean) && !call.holds(given);
    Ok(if replaced { fallback } else { given }.clone())
}

/// Replaces a value that is not true.
pub(super) fn default_of_go<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    match call.given {
        [_, given, ..] if call.holds(given) => Ok(given.clone()),
        [default, ..] => Ok(default.clone()),
        [] => Err(call.wrong("has the wrong number of arguments")),
    }
}

pub(super) fn coalesce<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    match call.given.iter().find(|value| call.holds(value)) {
        Some(value) => Ok(value.clone()),
        None => Err(call.wrong("found nothing that is not empty")),
    }
}

pub(super) fn ternary<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    match call.exactly()? {
        [yes, _, Value::Bool(true)] => Ok(yes.clone()),
        [_, no, Value::Bool(false)] => Ok(no.clone()),
        _ => Err(call.wrong("takes `true` or `false` as its last argument")),
    }
}

pub(super) fn fail<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Err(call.wrong("was called"))
}
