//! Operators on values. Numbers are whole and checked; text is joined with `~` only, so that `+`
//! never surprises.

use crate::base::meter::Meter;
use crate::base::wiped::Wiped;

use super::Problem;
use super::tree::Operator;
use super::value::{Text, Value};

pub(super) fn negative<'a>(value: &Value<'a>) -> Result<Value<'a>, Problem> {
    let number = value
        .integer()
        .ok_or_else(|| value.is_not("`-`", "a number"))?;
    let negative = number.checked_neg().ok_or(Problem::Number)?;
    Ok(Value::number(negative))
}

pub(super) fn binary<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    meter: &Meter,
) -> Result<Value<'a>, Problem> {
    let lengths = [left, right].map(|value| value.text().map_or(0, str::len));
    meter.bytes(lengths.into_iter().min().unwrap_or(0))?;
    Ok(match operator {
        Operator::And | Operator::Or => right.clone(),
        Operator::Equal => Value::Bool(left == right),
        Operator::Unequal => Value::Bool(left != right),
        Operator::Less => Value::Bool(order(left, right)?.is_lt()),
        Operator::LessOrEqual => Value::Bool(order(left, right)?.is_le()),
        Operator::Greater => Value::Bool(order(left, right)?.is_gt()),
        Operator::GreaterOrEqual => Value::Bool(order(left, right)?.is_ge()),
        Operator::In => Value::Bool(contains(right, left)?),
        Operator::Concat => concat(left, right, meter)?,
        Operator::Add => calculate("`+`", i64::checked_add, left, right)?,
        Operator::Subtract => calculate("`-`", i64::checked_sub, left, right)?,
        Operator::Multiply => calculate("`*`", i64::checked_mul, left, right)?,
        Operator::Divide => calculate("`//`", i64::checked_div_euclid, left, right)?,
        Operator::Remainder => calculate("`%`", i64::checked_rem_euclid, left, right)?,
    })
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Result<std::cmp::Ordering, Problem> {
    if let (Some(left), Some(right)) = (left.integer(), right.integer()) {
        return Ok(left.cmp(&right));
    }
    if let (Value::Text(left), Value::Text(right)) = (left, right) {
        return Ok(left.as_str().cmp(right.as_str()));
    }
    Err(right.is_not("a comparison", "two numbers or two texts"))
}

fn contains(all: &Value<'_>, one: &Value<'_>) -> Result<bool, Problem> {
    match all {
        Value::List(items) => Ok(items.contains(one)),
        Value::Map(entries) => {
            let key = one.text_for("`in` a mapping")?;
            Ok(entries.iter().any(|(name, _)| name == key))
        }
        Value::Text(text) => Ok(text.as_str().contains(one.text_for("`in` a text")?)),
        Value::Bytes(_) | Value::Number(_) | Value::Bool(_) | Value::Null | Value::Fields => {
            Err(all.is_not("`in`", "a list, a mapping or text"))
        }
    }
}

fn concat<'a>(left: &Value<'a>, right: &Value<'a>, meter: &Meter) -> Result<Value<'a>, Problem> {
    let (left, right) = (left.text_for("`~`")?, right.text_for("`~`")?);
    meter.bytes(left.len() + right.len())?;
    let mut out = Wiped::default();
    out.text(left);
    out.text(right);
    Ok(Value::Text(Text::made(out.into_string())))
}

fn calculate<'a>(
    who: &str,
    operation: fn(i64, i64) -> Option<i64>,
    left: &Value<'a>,
    right: &Value<'a>,
) -> Result<Value<'a>, Problem> {
    let number = |value: &Value<'a>| {
        let number = value.integer();
        number.ok_or_else(|| value.is_not(who, "two whole numbers (text becomes one with `int`)"))
    };
    operation(number(left)?, number(right)?)
        .map(Value::number)
        .ok_or(Problem::Number)
}
