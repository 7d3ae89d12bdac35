//! What an expression gives: lent from a field where possible, wiped where not, and aware of whether it is secret.

use std::cell::Cell;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::material::Node;

use super::Problem;

/// The name under which a template has all fields: `fields["tls.crt"]`.
pub(super) const FIELDS: &str = "fields";

#[derive(Clone)]
pub(super) struct Value<'a> {
    pub data: Data<'a>,
    /// Whether some field had a part in it.
    pub secret: bool,
}

#[derive(Clone)]
pub(super) enum Data<'a> {
    Text(Text<'a>),
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

impl<'a> Value<'a> {
    pub(super) fn open(data: Data<'a>) -> Self {
        Self {
            data,
            secret: false,
        }
    }

    pub(super) fn number(number: i64) -> Self {
        Self::open(Data::Number(Text::made(number.to_string())))
    }

    pub(super) fn list(items: Vec<Value<'a>>) -> Self {
        let secret = items.iter().any(|item| item.secret);
        Self {
            data: Data::List(Rc::new(items)),
            secret,
        }
    }

    /// The same value, secret if that other one is.
    pub(super) fn tainted(mut self, secret: bool) -> Self {
        self.secret |= secret;
        self
    }

    /// A node of a field; nothing where some text in it is not UTF-8.
    pub(super) fn of_node(node: &'a Node) -> Option<Self> {
        let data = match node {
            Node::Null => Data::Null,
            Node::Bool(value) => Data::Bool(*value),
            Node::Number(text) => Data::Number(Text::Lent(text.expose_str()?)),
            Node::Text(text) => Data::Text(Text::Lent(text.expose_str()?)),
            Node::List(items) => {
                let items: Option<_> = items.iter().map(Self::of_node).collect();
                Data::List(Rc::new(items?))
            }
            Node::Map(entries) => {
                let entries: Option<_> = entries
                    .iter()
                    .map(|(key, node)| Some((key.clone(), Self::of_node(node)?)))
                    .collect();
                Data::Map(Rc::new(entries?))
            }
        };
        Some(Self { data, secret: true })
    }

    /// As it is printed; nothing for what has no plain text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) | Data::Number(text) => Some(text.as_str()),
            Data::Bool(true) => Some("true"),
            Data::Bool(false) => Some("false"),
            Data::Null | Data::List(_) | Data::Map(_) | Data::Fields => None,
        }
    }

    /// As it is printed, or an error that says who asked.
    pub(super) fn text_for(&self, who: &str) -> Result<&str, Problem> {
        self.text().ok_or_else(|| self.is_not(who, "text"))
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match &self.data {
            Data::Number(text) => text.as_str().parse().ok(),
            Data::Text(_)
            | Data::Bool(_)
            | Data::Null
            | Data::List(_)
            | Data::Map(_)
            | Data::Fields => None,
        }
    }

    pub(super) fn is_not(&self, who: &str, wanted: &str) -> Problem {
        Problem::Kind {
            wants: format!("{who} takes {wanted}"),
            is: self.kind(),
        }
    }

    fn kind(&self) -> &'static str {
        match &self.data {
            Data::Text(_) => "text",
            Data::Number(_) => "a number",
            Data::Bool(_) => "a truth value",
            Data::Null => "null",
            Data::List(_) => "a list",
            Data::Map(_) | Data::Fields => "a mapping",
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match &self.data {
            Data::Text(text) => !text.as_str().is_empty(),
            Data::Number(_) => self.integer() != Some(0),
            Data::Bool(value) => *value,
            Data::Null => false,
            Data::List(items) => !items.is_empty(),
            Data::Map(entries) => !entries.is_empty(),
            Data::Fields => true,
        }
    }
}

/// Text equals text and numbers equal numbers; `"80"` is not `80`.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.data, &other.data) {
            (Data::Text(one), Data::Text(two)) => one.as_str() == two.as_str(),
            (Data::Number(one), Data::Number(two)) => match (self.integer(), other.integer()) {
                (Some(one), Some(two)) => one == two,
                (_, _) => one.as_str() == two.as_str(),
            },
            (Data::Bool(one), Data::Bool(two)) => one == two,
            (Data::Null, Data::Null) | (Data::Fields, Data::Fields) => true,
            (Data::List(one), Data::List(two)) => one == two,
            (Data::Map(one), Data::Map(two)) => one == two,
            (
                Data::Text(_)
                | Data::Number(_)
                | Data::Bool(_)
                | Data::Null
                | Data::List(_)
                | Data::Map(_)
                | Data::Fields,
                _,
            ) => false,
        }
    }
}

/// What a template may still spend: steps bound its time, bytes its memory.
pub(super) struct Meter {
    steps: Cell<u32>,
    bytes: Cell<usize>,
}

impl Meter {
    const STEPS: u32 = 100_000;
    const BYTES: usize = 16 * 1024 * 1024;

    pub(super) fn full() -> Self {
        Self {
            steps: Cell::new(Self::STEPS),
            bytes: Cell::new(Self::BYTES),
        }
    }

    pub(super) fn step(&self) -> Result<(), Problem> {
        match self.steps.get().checked_sub(1) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err(Problem::Limit(format!(
                "the template takes more than {} steps",
                Self::STEPS
            ))),
        }
    }

    /// Called before that much text is made.
    pub(super) fn bytes(&self, count: usize) -> Result<(), Problem> {
        match self.bytes.get().checked_sub(count) {
            Some(left) => {
                self.bytes.set(left);
                Ok(())
            }
            None => Err(Problem::Limit(format!(
                "the template makes more than {} MiB of text",
                Self::BYTES / 1024 / 1024
            ))),
        }
    }
}
