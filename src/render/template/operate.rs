//! Operators on values. Numbers are whole and checked; text is joined with `~` only, so that `+` never surprises.

use crate::render::buffer::Wiped;

use super::Problem;
use super::tree::Operator;
use super::value::{Data, Meter, Text, Value};

pub(super) fn negative<'a>(value: &Value<'a>) -> Result<Value<'a>, Problem> {
    let number = value
        .integer()
        .ok_or_else(|| value.is_not("`-`", "a number"))?;
    let negative = number.checked_neg().ok_or(Problem::Number)?;
    Ok(Value::number(negative).tainted(value.secret))
}

pub(super) fn binary<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    meter: &Meter,
) -> Result<Value<'a>, Problem> {
    let lengths = [left, right].map(|value| value.text().map_or(0, str::len));
    meter.bytes(lengths.into_iter().min().unwrap_or(0))?;
    let truth = |holds| Value::open(Data::Bool(holds));
    let made = match operator {
        Operator::And | Operator::Or => right.clone(),
        Operator::Equal => truth(left == right),
        Operator::Unequal => truth(left != right),
        Operator::Less => truth(order(left, right)?.is_lt()),
        Operator::LessOrEqual => truth(order(left, right)?.is_le()),
        Operator::Greater => truth(order(left, right)?.is_gt()),
        Operator::GreaterOrEqual => truth(order(left, right)?.is_ge()),
        Operator::In => truth(contains(right, left)?),
        Operator::Concat => concat(left, right, meter)?,
        Operator::Add => calculate("`+`", i64::checked_add, left, right)?,
        Operator::Subtract => calculate("`-`", i64::checked_sub, left, right)?,
        Operator::Multiply => calculate("`*`", i64::checked_mul, left, right)?,
        Operator::Divide => calculate("`//`", i64::checked_div_euclid, left, right)?,
        Operator::Remainder => calculate("`%`", i64::checked_rem_euclid, left, right)?,
    };
    Ok(made.tainted(left.secret || right.secret))
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Result<std::cmp::Ordering, Problem> {
    if let (Some(left), Some(right)) = (left.integer(), right.integer()) {
        return Ok(left.cmp(&right));
    }
    if let (Data::Text(left), Data::Text(right)) = (&left.data, &right.data) {
        return Ok(left.as_str().cmp(right.as_str()));
    }
    Err(right.is_not("a comparison", "two numbers or two texts"))
}

fn contains(all: &Value<'_>, one: &Value<'_>) -> Result<bool, Problem> {
    match &all.data {
        Data::List(items) => Ok(items.contains(one)),
        Data::Map(entries) => {
            let key = one.text_for("`in` a mapping")?;
            Ok(entries.iter().any(|(name, _)| name == key))
        }
        Data::Text(text) => Ok(text.as_str().contains(one.text_for("`in` a text")?)),
        Data::Number(_) | Data::Bool(_) | Data::Null | Data::Fields => {
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
    Ok(Value::open(Data::Text(Text::made(out.into_string()))))
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
