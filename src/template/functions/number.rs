//! Whole numbers of 64 bits, checked.

use super::{Call, Made};
use crate::template::Problem;
use crate::template::value::Value;

fn calculate<'a>(call: &Call<'_, 'a>, operation: fn(i64, i64) -> Option<i64>) -> Made<'a> {
    let [one, two] = call.exactly()?;
    let made = operation(call.integer(one)?, call.integer(two)?);
    made.map(Value::number).ok_or(Problem::Number)
}

pub(super) fn add<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    calculate(call, i64::checked_add)
}

pub(super) fn subtract<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    calculate(call, i64::checked_sub)
}

pub(super) fn multiply<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    calculate(call, i64::checked_mul)
}

pub(super) fn divide<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    calculate(call, i64::checked_div_euclid)
}

pub(super) fn remainder<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    calculate(call, i64::checked_rem_euclid)
}

pub(super) fn negative<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let value = call.input();
    let number = value.integer();
    let number = number.ok_or_else(|| value.is_not("`-`", "a number"))?;
    number
        .checked_neg()
        .map(Value::number)
        .ok_or(Problem::Number)
}

pub(super) fn int<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    match call.text(call.input())?.trim().parse() {
        Ok(number) => Ok(Value::number(number)),
        Err(_) => Err(Problem::Kind {
            wants: "`int` takes a whole number in digits".to_owned(),
            is: "something else",
        }),
    }
}

/// Like Go's `Atoi` without its error: text that is no number gives 0, a number that is too large
/// gives the largest.
pub(super) fn atoi<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let text = call.text(call.input())?;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Value::number(0));
    }
    let limit = match text.starts_with('-') {
        true => i64::MIN,
        false => i64::MAX,
    };
    Ok(Value::number(text.parse().unwrap_or(limit)))
}
