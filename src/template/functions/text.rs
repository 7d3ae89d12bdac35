//! Functions from text to text.

use std::collections::HashSet;

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};

use super::{Call, Made, escape};
use crate::base::coding::{self, hex};
use crate::template::Problem;
use crate::template::value::{Buffer, Value};

pub(super) fn trim<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Ok(Value::made(call.text(call.input())?.trim()))
}

pub(super) fn trim_all<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [cut, text] = call.exactly()?;
    let cut: HashSet<char> = call.text(cut)?.chars().collect();
    Ok(Value::made(
        call.text(text)?.trim_matches(|c| cut.contains(&c)),
    ))
}

/// The part and the whole text. In Jinja this is an operator, so its arguments have no names.
fn part_and_text<'v>(call: &Call<'v, '_>) -> Result<(&'v str, &'v str), Problem> {
    let [part, text] = call.exactly()?;
    if !call.is_go() {
        let text = text.text_for("this test")?;
        return Ok((part.text_for("this test")?, text));
    }
    let text = call.text(text)?;
    Ok((call.text(part)?, text))
}

pub(super) fn trim_prefix<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let (prefix, text) = part_and_text(call)?;
    Ok(Value::made(text.strip_prefix(prefix).unwrap_or(text)))
}

pub(super) fn trim_suffix<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let (suffix, text) = part_and_text(call)?;
    Ok(Value::made(text.strip_suffix(suffix).unwrap_or(text)))
}

pub(super) fn contains<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    part_and_text(call).map(|(part, text)| Value::Bool(text.contains(part)))
}

pub(super) fn has_prefix<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    part_and_text(call).map(|(part, text)| Value::Bool(text.starts_with(part)))
}

pub(super) fn has_suffix<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    part_and_text(call).map(|(part, text)| Value::Bool(text.ends_with(part)))
}

pub(super) fn lower<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let mut letters = call.text(call.input())?.chars();
    call.make(|out| letters.try_for_each(|c| c.to_lowercase().try_for_each(|c| out.char(c))))
}

pub(super) fn upper<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let mut letters = call.text(call.input())?.chars();
    call.make(|out| letters.try_for_each(|c| c.to_uppercase().try_for_each(|c| out.char(c))))
}

pub(super) fn lower_as_go<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    cased(call, char::to_lowercase)
}

pub(super) fn upper_as_go<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    cased(call, char::to_uppercase)
}

/// Changes each letter separately.
fn cased<'a, I>(call: &Call<'_, 'a>, change: fn(char) -> I) -> Made<'a>
where
    I: ExactSizeIterator<Item = char>,
{
    let text = call.text(call.input())?;
    call.make(|out| {
        for c in text.chars() {
            let mut changed = change(c);
            match (changed.len(), changed.next()) {
                // The only character with two capital letters that is common in real texts: Go has
                // no capital for it.
                _ if c == 'ß' => out.char(c)?,
                (1, Some(single)) => out.char(single)?,
                _ => return Err(call.wrong("met a letter that has no single counterpart")),
            }
        }
        Ok(())
    })
}

/// In Go, an empty text is found before each character and at the end.
pub(super) fn replace<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [old, new, text] = call.exactly()?;
    let (old, new) = (call.text(old)?, call.text(new)?);
    if old.is_empty() && !call.is_go() {
        return Err(call.function.takes_others());
    }
    let text = call.text(text)?;
    call.make(|out| {
        let mut rest = text;
        if old.is_empty() {
            for c in text.chars() {
                out.push(new.as_bytes())?;
                out.char(c)?;
            }
            return out.push(new.as_bytes());
        }
        while let Some((before, after)) = rest.split_once(old) {
            out.push(before.as_bytes())?;
            out.push(new.as_bytes())?;
            rest = after;
        }
        out.push(rest.as_bytes())
    })
}

pub(super) fn concat<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [one, two] = call.exactly()?;
    let (one, two) = (call.text(one)?, call.text(two)?);
    call.make(|out| {
        out.push(one.as_bytes())?;
        out.push(two.as_bytes())
    })
}

pub(super) fn repeat<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [times, text] = call.exactly()?;
    let (times, text) = (call.count(times)?, call.bytes(text)?);
    call.make(|out| out.repeat(text, times))
}

/// A negative length keeps the end of the text, if the text is longer.
pub(super) fn trunc<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let [length, text] = call.exactly()?;
    let (length, text) = (call.integer(length)?, call.bytes(text)?);
    let size = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    Ok(Value::made(match text.len().checked_sub(size) {
        Some(cut) if length < 0 => &text[cut..],
        Some(_) => &text[..size],
        None => text,
    }))
}

/// Removes white space. Upstream treats each byte as a character and so breaks text that is not
/// ASCII.
pub(super) fn nospace<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let text = call.text(call.input())?;
    if !text.is_ascii() {
        return Err(call.wrong("takes ASCII text"));
    }
    let mut kept = text.chars().filter(|c| !c.is_whitespace());
    call.make(|out| kept.try_for_each(|c| out.char(c)))
}

/// Indents every line.
pub(super) fn indent<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    call.make(|out| indent_all(call, out))
}

/// Indents every line, after a line break.
pub(super) fn nindent<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    call.make(|out| {
        out.push(b"\n")?;
        indent_all(call, out)
    })
}

fn indent_all(call: &Call<'_, '_>, out: &mut Buffer) -> Result<(), Problem> {
    let [spaces, text] = call.exactly()?;
    let (spaces, text) = (call.count(spaces)?, call.bytes(text)?);
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            out.push(b"\n")?;
        }
        out.repeat(b" ", spaces)?;
        out.push(line)?;
    }
    Ok(())
}

/// Indents every line but the first and the empty ones; parameters include them too.
pub(super) fn indent_rest<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    const MOST: usize = 64;
    let width = match call.argument(0) {
        None => 4,
        Some(width) => {
            let number = width
                .integer()
                .and_then(|width| usize::try_from(width).ok());
            let number = number.filter(|width| *width <= MOST);
            number.ok_or_else(|| width.is_not("`indent`", "a width from 0 to 64"))?
        }
    };
    let (first, blank) = (call.flag(1), call.flag(2));
    let text = call.text(call.input())?;
    call.make(|out| {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                out.push(b"\n")?;
            }
            if (index > 0 || first) && (!line.is_empty() || blank) {
                out.repeat(b" ", width)?;
            }
            out.push(line.as_bytes())?;
        }
        Ok(())
    })
}

/// Quotes a text as one word for any shell.
pub(super) fn quote_for_shell<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let text = call.text(call.input())?;
    if text.contains('\0') {
        return Err(Problem::Kind {
            wants: "`quote` takes text without a NUL byte".to_owned(),
            is: "text with one",
        });
    }
    call.make(|out| {
        out.push(b"'")?;
        for (index, part) in text.split('\'').enumerate() {
            if index > 0 {
                out.push(b"'\\''")?;
            }
            out.push(part.as_bytes())?;
        }
        out.push(b"'")
    })
}

/// Encodes everything except the unreserved characters of RFC 3986: correct in each part of a URL.
pub(super) fn urlencode<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    let text = call.text(call.input())?;
    call.make(|out| escape::percent(text.as_bytes(), b"%20", out))
}

pub(super) fn base64<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    Ok(Value::made(coding::base64::encode(
        call.bytes(call.input())?,
    )))
}

pub(super) fn sha1sum<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    hash(call, &SHA1_FOR_LEGACY_USE_ONLY)
}

pub(super) fn sha256sum<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    hash(call, &SHA256)
}

pub(super) fn sha512sum<'a>(call: &Call<'_, 'a>) -> Made<'a> {
    hash(call, &SHA512)
}

/// A digest is as secret as its input: whoever sees the digest of a weak secret can try all likely
/// values.
fn hash<'a>(call: &Call<'_, 'a>, algorithm: &'static Algorithm) -> Made<'a> {
    let hash = digest::digest(algorithm, call.bytes(call.input())?);
    let mut bytes = hash.as_ref().iter();
    call.make(|out| bytes.try_for_each(|byte| out.push(&hex::pair(*byte))))
}
