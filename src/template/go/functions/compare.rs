//! Comparing: values of one type only, as in Go.

use super::super::Problem;
use super::super::value::Value;
use super::{Call, Made};

impl<'s, 'a> Call<'s, 'a> {
    pub(super) fn equal_to_any(&self) -> Made<'a> {
        let Some((first, others)) = self
            .arguments
            .split_first()
            .filter(|(_, others)| !others.is_empty())
        else {
            return self.wrong("has the wrong number of arguments");
        };
        for other in others {
            if self.equal(first, other)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    pub(super) fn equal(&self, a: &Value<'a>, b: &Value<'a>) -> Result<bool, Problem> {
        match (a, b) {
            (Value::Text(a), Value::Text(b)) => Ok(a.bytes() == b.bytes()),
            (Value::Int(a), Value::Int(b)) => Ok(a == b),
            (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
            (Value::Missing(name), _) | (_, Value::Missing(name)) => {
                Err(Problem::Unknown(name.to_string()))
            }
            _ => self.wrong("compares values of one type"),
        }
    }

    pub(super) fn compared(&self, holds: impl Fn(std::cmp::Ordering) -> bool) -> Made<'a> {
        let [a, b] = self.exactly()?;
        match (a, b) {
            (Value::Text(a), Value::Text(b)) => Ok(Value::Bool(holds(a.bytes().cmp(b.bytes())))),
            (Value::Int(a), Value::Int(b)) => Ok(Value::Bool(holds(a.cmp(b)))),
            (Value::Missing(name), _) | (_, Value::Missing(name)) => {
                Err(Problem::Unknown(name.to_string()))
            }
            _ => self.wrong("compares two texts or two numbers"),
        }
    }
}
