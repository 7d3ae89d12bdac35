//! What a template computes with. Made texts lie in memory that is wiped, and are shared instead of
//! copied.

use std::rc::Rc;

use super::Problem;
use crate::base::material::SecretBytes;
use crate::base::wiped::Wiped;

/// No text that a template makes is larger: a Secret could not hold it.
pub(super) const LARGEST: usize = 1024 * 1024;

/// A value. There is no `Debug`: it would print secrets.
#[derive(Clone)]
pub(super) enum Value<'a> {
    /// Bytes, as Go's strings are.
    Text(Text<'a>),
    /// A whole number.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// Several.
    List(Rc<Vec<Value<'a>>>),
    /// All opened values.
    Data,
    /// Nothing, and the name under which something was looked for.
    Missing(Rc<str>),
}

/// A text.
#[derive(Clone)]
pub(super) enum Text<'a> {
    /// Written in the template: no secret.
    Written(&'a [u8]),
    /// One of the opened values, or its name.
    Given(&'a [u8]),
    /// A new one.
    Made(Rc<SecretBytes>),
}

impl Text<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Written(bytes) | Self::Given(bytes) => bytes,
            Self::Made(bytes) => bytes.expose(),
        }
    }
}

impl Value<'_> {
    /// A new text.
    pub(super) fn made(bytes: impl Into<SecretBytes>) -> Self {
        Self::Text(Text::Made(Rc::new(bytes.into())))
    }

    /// What it costs to read it, or to have made it.
    pub(super) fn weight(&self) -> usize {
        /// A place in a list, and what surrounds the text in it.
        const ITEM: usize = 128;
        match self {
            Self::Text(text) => text.bytes().len(),
            Self::List(items) => items.len() * ITEM,
            Self::Int(_) | Self::Bool(_) | Self::Data | Self::Missing(_) => 0,
        }
    }

    /// Go's truth: neither empty, nor zero, nor nothing.
    pub(super) fn is_true(&self, data_is_empty: bool) -> bool {
        match self {
            Self::Text(text) => !text.bytes().is_empty(),
            Self::Int(number) => *number != 0,
            Self::Bool(value) => *value,
            Self::List(items) => !items.is_empty(),
            Self::Data => !data_is_empty,
            Self::Missing(_) => false,
        }
    }
}

/// A text that grows up to [`LARGEST`].
#[derive(Default)]
pub(super) struct Buffer(Wiped);

/// It would be larger than [`LARGEST`].
#[derive(Debug)]
pub(super) struct TooLarge;

impl From<TooLarge> for Problem {
    fn from(_: TooLarge) -> Self {
        Self::Excess("1 MiB")
    }
}

impl Buffer {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.0.len() + bytes.len() > LARGEST {
            return Err(TooLarge);
        }
        self.0.push(bytes);
        Ok(())
    }

    pub(super) fn push_char(&mut self, c: char) -> Result<(), TooLarge> {
        self.push(c.encode_utf8(&mut [0; 4]).as_bytes())
    }

    pub(super) fn repeat(&mut self, bytes: &[u8], times: usize) -> Result<(), TooLarge> {
        if bytes.is_empty() {
            return Ok(());
        }
        if times > LARGEST {
            return Err(TooLarge);
        }
        (0..times).try_for_each(|_| self.push(bytes))
    }

    pub(super) fn finish(self) -> SecretBytes {
        self.0.into_secret()
    }
}
