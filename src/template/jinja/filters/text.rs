//! Filters from text to text.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::base::coding::{self, hex, percent};
use crate::base::wiped::Wiped;
use crate::template::jinja::Problem;
use crate::template::jinja::value::{Text, Value};

use super::Given;

type Result<'a> = std::result::Result<Value<'a>, Problem>;

/// What a buffer holds, as a value.
pub(super) fn text<'a>(out: Wiped) -> Value<'a> {
    Value::Text(Text::made(out.into_string()))
}

pub(super) fn base64<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let source = given.bytes()?;
    given.meter.bytes(source.len())?;
    let encoded = coding::base64::encode(source);
    Ok(Value::Text(Text::made(encoded)))
}

pub(super) fn base64decode<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let bytes = coding::base64::decode_spaced(given.text()?.as_bytes());
    let bytes = bytes.ok_or_else(|| given.is_no("base64"))?;
    given.meter.bytes(bytes.len())?;
    Ok(Value::made(bytes))
}

/// White space between the digits is skipped.
pub(super) fn hexdec<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let text = given.text()?;
    let mut digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    while let Some(high) = digits.next() {
        let byte = digits.next().and_then(|low| hex::byte(high, low));
        bytes.push(byte.ok_or_else(|| given.is_no("hexadecimal digits in pairs"))?);
    }
    Ok(Value::made(bytes))
}

pub(super) fn trim<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let mut out = Wiped::default();
    out.text(given.text()?.trim());
    Ok(text(out))
}

pub(super) fn lower<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let mut out = Wiped::default();
    let letters = given.text()?.chars().flat_map(char::to_lowercase);
    letters.for_each(|letter| out.char(letter));
    Ok(text(out))
}

pub(super) fn upper<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let mut out = Wiped::default();
    let letters = given.text()?.chars().flat_map(char::to_uppercase);
    letters.for_each(|letter| out.char(letter));
    Ok(text(out))
}

/// Everything but the unreserved characters of RFC 3986: right in each part of a URL.
pub(super) fn urlencode<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let source = given.text()?;
    given.meter.bytes(2 * source.len())?;
    let mut out = Wiped::default();
    for byte in source.bytes() {
        let (signs, length) = percent::escaped(byte);
        out.push(&signs[..length]);
    }
    Ok(text(out))
}

/// One word for any shell.
pub(super) fn quote<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let source = given.text()?;
    if source.contains('\0') {
        return Err(Problem::Kind {
            wants: "`quote` takes text without a NUL byte".to_owned(),
            is: "text with one",
        });
    }
    let mut out = Wiped::default();
    out.text("'");
    for (index, part) in source.split('\'').enumerate() {
        if index > 0 {
            given.meter.bytes(4)?;
            out.text("'\\''");
        }
        out.text(part);
    }
    out.text("'");
    Ok(text(out))
}

pub(super) fn replace<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let (Some(old), Some(new)) = (given.text_argument(0)?, given.text_argument(1)?) else {
        return Err(given.wrong_arguments());
    };
    if old.is_empty() {
        return Err(given.wrong_arguments());
    }
    let mut out = Wiped::default();
    for (index, part) in given.text()?.split(old).enumerate() {
        if index > 0 {
            given.meter.bytes(new.len())?;
            out.text(new);
        }
        out.text(part);
    }
    Ok(text(out))
}

/// Every line but the first, unless told; empty lines stay empty, unless told.
pub(super) fn indent<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    const SPACES: &str = "                                                                ";
    let width = match given.argument(0) {
        None => 4,
        Some(width) => width
            .integer()
            .and_then(|width| usize::try_from(width).ok())
            .filter(|width| *width <= SPACES.len())
            .ok_or_else(|| width.is_not("`indent`", "a width from 0 to 64"))?,
    };
    let spaces = &SPACES[..width];
    let (first, blank) = (given.flag(1), given.flag(2));
    let mut out = Wiped::default();
    for (index, line) in given.text()?.split('\n').enumerate() {
        if index > 0 {
            out.text("\n");
        }
        if (index > 0 || first) && (!line.is_empty() || blank) {
            given.meter.bytes(spaces.len())?;
            out.text(spaces);
        }
        out.text(line);
    }
    Ok(text(out))
}

pub(super) fn int<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    match given.text()?.trim().parse() {
        Ok(number) => Ok(Value::number(number)),
        Err(_) => Err(Problem::Kind {
            wants: "`int` takes a whole number in digits".to_owned(),
            is: "something else",
        }),
    }
}

/// As secret as what it is made of: whoever sees the digest of a weak secret can try all likely
/// values.
pub(super) fn sha256sum<'a>(given: &Given<'_, 'a>) -> Result<'a> {
    let mut out = Wiped::default();
    for byte in Sha256::digest(given.bytes()?) {
        out.push(&hex::pair(byte));
    }
    Ok(text(out))
}
