//! What an expression gives: lent from a field where possible, wiped where not.

use std::rc::Rc;

use zeroize::Zeroizing;

use crate::base::material::{Node, SecretBytes};
use crate::base::meter::{Meter, Spent};

use super::Problem;

/// The name under which a template has all fields: `fields["tls.crt"]`.
pub(super) const FIELDS: &str = "fields";

#[derive(Clone)]
pub(super) enum Value<'a> {
    Text(Text<'a>),
    /// What is no UTF-8 text.
    Bytes(Bytes<'a>),
    /// In its own spelling: `2^53 + 1` stays exact.
    Number(Text<'a>),
    Bool(bool),
    Null,
    List(Rc<Vec<Value<'a>>>),
    Map(Rc<Vec<(String, Value<'a>)>>),
    /// All fields, looked at only when one is asked for.
    Fields,
}

#[derive(Clone)]
pub(super) enum Text<'a> {
    Lent(&'a str),
    Made(Rc<Zeroizing<String>>),
}

impl Text<'_> {
    pub(super) fn made(text: impl Into<Zeroizing<String>>) -> Self {
        Self::Made(Rc::new(text.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Lent(text) => text,
            Self::Made(text) => text,
        }
    }
}

#[derive(Clone)]
pub(super) enum Bytes<'a> {
    Lent(&'a [u8]),
    Made(Rc<Zeroizing<Vec<u8>>>),
}

impl Bytes<'_> {
    pub(super) fn expose(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn number(number: i64) -> Self {
        Self::Number(Text::made(number.to_string()))
    }

    /// Text where they are text.
    pub(super) fn made(bytes: Zeroizing<Vec<u8>>) -> Self {
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::Text(Text::made(text.to_owned())),
            Err(_) => Self::Bytes(Bytes::Made(Rc::new(bytes))),
        }
    }

    /// A node of a field.
    pub(super) fn of_node(node: &'a Node) -> Self {
        let lent = |bytes: &'a SecretBytes, kind: fn(Text<'a>) -> Self| match bytes.expose_str() {
            Some(text) => kind(Text::Lent(text)),
            None => Self::Bytes(Bytes::Lent(bytes.expose())),
        };
        match node {
            Node::Null => Self::Null,
            Node::Bool(value) => Self::Bool(*value),
            Node::Number(text) => lent(text, Self::Number),
            Node::Time(text) | Node::Text(text) => lent(text, Self::Text),
            Node::List(items) => Self::List(Rc::new(items.iter().map(Self::of_node).collect())),
            Node::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, node)| (key.clone(), Self::of_node(node)));
                Self::Map(Rc::new(entries.collect()))
            }
        }
    }

    /// The same of a node that lives no longer than this call.
    pub(super) fn of_made(node: &Node) -> Self {
        let owned = |bytes: &SecretBytes| Zeroizing::new(bytes.expose().to_vec());
        match node {
            Node::Null => Self::Null,
            Node::Bool(value) => Self::Bool(*value),
            Node::Number(text) => match text.expose_str() {
                Some(text) => Self::Number(Text::made(text.to_owned())),
                None => Self::made(owned(text)),
            },
            Node::Time(text) | Node::Text(text) => Self::made(owned(text)),
            Node::List(items) => Self::List(Rc::new(items.iter().map(Self::of_made).collect())),
            Node::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, node)| (key.clone(), Self::of_made(node)));
                Self::Map(Rc::new(entries.collect()))
            }
        }
    }

    /// As it is printed; nothing for what has no plain text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text.as_str()),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Bytes(_) | Self::Null | Self::List(_) | Self::Map(_) | Self::Fields => None,
        }
    }

    /// The same where bytes of any kind will do, or an error that says who asked.
    pub(super) fn bytes_for(&self, who: &str) -> Result<&[u8], Problem> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.expose()),
            Self::Text(_)
            | Self::Number(_)
            | Self::Bool(_)
            | Self::Null
            | Self::List(_)
            | Self::Map(_)
            | Self::Fields => self.text_for(who).map(str::as_bytes),
        }
    }

    /// As it is printed, or an error that says who asked.
    pub(super) fn text_for(&self, who: &str) -> Result<&str, Problem> {
        self.text().ok_or_else(|| self.is_not(who, "text"))
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Value::Number(text) => text.as_str().parse().ok(),
            Value::Text(_)
            | Value::Bytes(_)
            | Value::Bool(_)
            | Value::Null
            | Value::List(_)
            | Value::Map(_)
            | Value::Fields => None,
        }
    }

    pub(super) fn is_not(&self, who: &str, wanted: &str) -> Problem {
        Problem::Kind {
            wants: format!("{who} takes {wanted}"),
            is: self.kind(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes that are no text",
            Value::Number(_) => "a number",
            Value::Bool(_) => "a truth value",
            Value::Null => "null",
            Value::List(_) => "a list",
            Value::Map(_) | Value::Fields => "a mapping",
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Text(text) => !text.as_str().is_empty(),
            Value::Bytes(bytes) => !bytes.expose().is_empty(),
            Value::Number(_) => self.integer() != Some(0),
            Value::Bool(value) => *value,
            Value::Null => false,
            Value::List(items) => !items.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
            Value::Fields => true,
        }
    }
}

/// Text equals text and numbers equal numbers; `"80"` is not `80`.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Text(one), Value::Text(two)) => one.as_str() == two.as_str(),
            (Value::Number(one), Value::Number(two)) => match (self.integer(), other.integer()) {
                (Some(one), Some(two)) => one == two,
                (_, _) => one.as_str() == two.as_str(),
            },
            (Value::Bytes(one), Value::Bytes(two)) => one.expose() == two.expose(),
            (Value::Bool(one), Value::Bool(two)) => one == two,
            (Value::Null, Value::Null) | (Value::Fields, Value::Fields) => true,
            (Value::List(one), Value::List(two)) => one == two,
            (Value::Map(one), Value::Map(two)) => one == two,
            (
                Value::Text(_)
                | Value::Bytes(_)
                | Value::Number(_)
                | Value::Bool(_)
                | Value::Null
                | Value::List(_)
                | Value::Map(_)
                | Value::Fields,
                _,
            ) => false,
        }
    }
}

const STEPS: u32 = 100_000;
const BYTES: usize = 16 * 1024 * 1024;

/// What one template may spend.
pub(super) fn meter() -> Meter {
    Meter::of(STEPS, BYTES)
}

impl From<Spent> for Problem {
    fn from(spent: Spent) -> Self {
        Self::Limit(match spent {
            Spent::Steps => format!("the template takes more than {STEPS} steps"),
            Spent::Bytes => format!("the template makes more than {} MiB of text", BYTES >> 20),
        })
    }
}
