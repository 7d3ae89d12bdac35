//! sprig's functions on texts.

use std::collections::HashSet;

use aws_lc_rs::digest::{self, Algorithm};

use super::super::Problem;
use super::super::print;
use super::super::value::{Buffer, Value};
use super::{Call, Made};
use crate::base::coding::{base64, hex};

impl<'s, 'a> Call<'s, 'a> {
    fn kept(&self, text: &str) -> Made<'a> {
        self.make(|buffer| buffer.push(text.as_bytes()))
    }

    pub(super) fn trim(&self) -> Made<'a> {
        self.kept(self.text(self.one()?)?.trim())
    }

    pub(super) fn trim_all(&self) -> Made<'a> {
        let [cut, text] = self.exactly()?;
        let cut: HashSet<char> = self.text(cut)?.chars().collect();
        self.kept(self.text(text)?.trim_matches(|c| cut.contains(&c)))
    }

    pub(super) fn trim_prefix(&self) -> Made<'a> {
        let [prefix, text] = self.exactly()?;
        let text = self.text(text)?;
        self.kept(text.strip_prefix(self.text(prefix)?).unwrap_or(text))
    }

    pub(super) fn trim_suffix(&self) -> Made<'a> {
        let [suffix, text] = self.exactly()?;
        let text = self.text(text)?;
        self.kept(text.strip_suffix(self.text(suffix)?).unwrap_or(text))
    }

    pub(super) fn cased(&self, upper: bool) -> Made<'a> {
        let text = self.text(self.one()?)?;
        let mut buffer = Buffer::default();
        match print::cased(text, upper, &mut buffer)? {
            Some(()) => Ok(Value::made(buffer.finish())),
            None => self.wrong("met a letter that has no single counterpart"),
        }
    }

    pub(super) fn replace(&self) -> Made<'a> {
        let [old, new, text] = self.exactly()?;
        let (old, new, text) = (self.text(old)?, self.text(new)?, self.text(text)?);
        self.make(|buffer| {
            let mut rest = text;
            if old.is_empty() {
                // As Go does: before each character, and at the end.
                for c in text.chars() {
                    buffer.push(new.as_bytes())?;
                    buffer.push_char(c)?;
                }
                return buffer.push(new.as_bytes());
            }
            while let Some((before, after)) = rest.split_once(old) {
                buffer.push(before.as_bytes())?;
                buffer.push(new.as_bytes())?;
                rest = after;
            }
            buffer.push(rest.as_bytes())
        })
    }

    pub(super) fn repeat(&self) -> Made<'a> {
        let [times, text] = self.exactly()?;
        let (times, text) = (self.count(times)?, self.bytes(text)?);
        self.make(|buffer| buffer.repeat(text, times))
    }

    /// A negative length counts from the end, if the text is longer.
    pub(super) fn trunc(&self) -> Made<'a> {
        let [length, text] = self.exactly()?;
        let (length, text) = (self.int(length)?, self.bytes(text)?);
        let size = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
        let kept = match text.len().checked_sub(size) {
            Some(cut) if length < 0 => &text[cut..],
            Some(_) => &text[..size],
            None => text,
        };
        self.make(|buffer| buffer.push(kept))
    }

    /// Upstream takes each byte for a character, and so spoils what is not ASCII.
    pub(super) fn nospace(&self) -> Made<'a> {
        let text = self.text(self.one()?)?;
        if !text.is_ascii() {
            return self.wrong("takes ASCII text");
        }
        let mut kept = text.chars().filter(|c| !c.is_whitespace());
        self.make(|buffer| kept.try_for_each(|c| buffer.push_char(c)))
    }

    pub(super) fn indent(&self, on_a_new_line: bool) -> Made<'a> {
        let [spaces, text] = self.exactly()?;
        let (spaces, text) = (self.count(spaces)?, self.bytes(text)?);
        self.make(|buffer| {
            if on_a_new_line {
                buffer.push(b"\n")?;
            }
            for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
                if at > 0 {
                    buffer.push(b"\n")?;
                }
                buffer.repeat(b" ", spaces)?;
                buffer.push(line)?;
            }
            Ok(())
        })
    }

    /// All arguments, each by the same function, with spaces between.
    fn each(&self, write: impl Fn(&'s Value<'a>, &mut Buffer) -> Result<(), Problem>) -> Made<'a> {
        let mut buffer = Buffer::default();
        for (at, value) in self.arguments.iter().enumerate() {
            if at > 0 {
                buffer.push(b" ")?;
            }
            write(value, &mut buffer)?;
        }
        Ok(Value::made(buffer.finish()))
    }

    pub(super) fn quote(&self) -> Made<'a> {
        self.each(|value, buffer| {
            if let Value::Text(_) = value {
                return Ok(print::quoted(self.text(value)?, buffer)?);
            }
            buffer.push(b"\"")?;
            self.plain(value, buffer)?;
            Ok(buffer.push(b"\"")?)
        })
    }

    pub(super) fn squote(&self) -> Made<'a> {
        self.each(|value, buffer| {
            buffer.push(b"'")?;
            self.plain(value, buffer)?;
            Ok(buffer.push(b"'")?)
        })
    }

    pub(super) fn cat(&self) -> Made<'a> {
        self.each(|value, buffer| self.plain(value, buffer))
    }

    pub(super) fn to_text(&self) -> Made<'a> {
        let mut buffer = Buffer::default();
        self.plain(self.one()?, &mut buffer)?;
        Ok(Value::made(buffer.finish()))
    }

    /// As Go's with its error thrown away: what is no number is 0, what is too large is the
    /// largest.
    pub(super) fn atoi(&self) -> Made<'a> {
        let text = self.text(self.one()?)?;
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Value::Int(0));
        }
        let limit = if text.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        };
        Ok(Value::Int(text.parse().unwrap_or(limit)))
    }

    pub(super) fn found(&self, is: impl Fn(&str, &str) -> bool) -> Made<'a> {
        let [part, text] = self.exactly()?;
        Ok(Value::Bool(is(self.text(text)?, self.text(part)?)))
    }

    pub(super) fn b64enc(&self) -> Made<'a> {
        Ok(Value::made(base64::encode(self.bytes(self.one()?)?)))
    }

    pub(super) fn b64dec(&self) -> Made<'a> {
        match base64::decode_as_go(self.bytes(self.one()?)?) {
            Some(bytes) => Ok(Value::made(bytes)),
            None => self.wrong("takes base64, and this value is none"),
        }
    }

    pub(super) fn hash(&self, algorithm: &'static Algorithm) -> Made<'a> {
        let hash = digest::digest(algorithm, self.bytes(self.one()?)?);
        self.make(|buffer| {
            let mut bytes = hash.as_ref().iter();
            bytes.try_for_each(|byte| buffer.push(&hex::pair(*byte)))
        })
    }
}
