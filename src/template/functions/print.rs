//! Printing in Go's way: all arguments, each by the same rule.

use super::{Call, Made, escape};
use crate::template::Problem;
use crate::template::value::{Buffer, Value};

pub(super) fn print<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    call.make(|out| print_all(call, false, out))
}

pub(super) fn println<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    call.make(|out| print_all(call, true, out))
}

/// Go's `Sprint` adds a space between two arguments if neither is a text, `Sprintln` between all.
fn print_all(call: &Call<'_, '_>, line: bool, out: &mut Buffer) -> Result<(), Problem> {
    let mut before: Option<&Value<'_>> = None;
    for value in call.given {
        let both = |a: &Value<'_>| !matches!(a, Value::Text(_)) && !matches!(value, Value::Text(_));
        if before.is_some_and(|before| line || both(before)) {
            out.push(b" ")?;
        }
        out.push(call.plain(value)?)?;
        before = Some(value);
    }
    out.push(if line { b"\n" } else { b"" })
}

pub(super) fn html<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    escaped(call, escape::html)
}

pub(super) fn urlquery<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    escaped(call, |text, out| escape::percent(text, b"+", out))
}

fn escaped<'a>(
    call: &Call<'_, 'a>,
    escape: fn(&[u8], &mut Buffer) -> Result<(), Problem>,
) -> Made<'a> {
    let printed = print(call)?;
    call.make(|out| escape(printed.bytes().unwrap_or_default(), out))
}

/// Prints values with spaces between them.
fn print_values<'v, 'a>(
    call: &Call<'v, 'a>,
    write: impl Fn(&'v Value<'a>, &mut Buffer) -> Result<(), Problem>,
) -> Made<'a> {
    call.make(|out| {
        for (at, value) in call.given.iter().enumerate() {
            if at > 0 {
                out.push(b" ")?;
            }
            write(value, out)?;
        }
        Ok(())
    })
}

pub(super) fn cat<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    print_values(call, |value, out| out.push(call.plain(value)?))
}

pub(super) fn squote<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    print_values(call, |value, out| between(call, b"'", value, out))
}

pub(super) fn quote<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    print_values(call, |value, out| {
        if let Value::Text(_) = value {
            return escape::quoted(call.text(value)?, out);
        }
        between(call, b"\"", value, out)
    })
}

fn between<'v, 'a>(
    call: &Call<'v, 'a>,
    mark: &[u8],
    value: &'v Value<'a>,
    out: &mut Buffer,
) -> Result<(), Problem> {
    out.push(mark)?;
    out.push(call.plain(value)?)?;
    out.push(mark)
}

pub(super) fn printf<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    call.make(|out| format(call, out))
}

fn format(call: &Call<'_, '_>, out: &mut Buffer) -> Result<(), Problem> {
    let (format, mut values) = call.given.split_at(1);
    let mut rest = call.text(&format[0])?;
    while let Some((before, after)) = rest.split_once('%') {
        out.push(before.as_bytes())?;
        let mut verbs = after.chars();
        let verb = verbs.next();
        rest = verbs.as_str();
        if verb == Some('%') {
            out.push(b"%")?;
            continue;
        }
        let Some((value, others)) = values.split_first() else {
            return Err(call.wrong("has fewer arguments than its format asks for"));
        };
        values = others;
        match (verb, value) {
            (Some('v'), _) | (Some('s'), Value::Text(_)) | (Some('d'), Value::Number(_)) => {
                out.push(call.plain(value)?)?;
            }
            (Some('q'), Value::Text(_)) => escape::quoted(call.text(value)?, out)?,
            (Some('s' | 'd' | 'q'), _) => {
                let why = "has an argument that its format is not for";
                return Err(call.unfit_in_go(value, why));
            }
            _ => {
                let why = "knows `%s`, `%q`, `%v`, `%d` and `%%`, without width or flags";
                return Err(call.unfit_in_go(value, why));
            }
        }
    }
    if !values.is_empty() {
        return Err(call.wrong("has more arguments than its format asks for"));
    }
    out.push(rest.as_bytes())
}
