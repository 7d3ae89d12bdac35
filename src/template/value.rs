//! The value of an expression: borrowed from the data or the template if possible, otherwise wiped
//! and shared.

use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;

use super::Problem;
use crate::base::material::{Node, SecretBytes};
use crate::base::printable;
use crate::base::wiped::WipedBytes;

/// A value. It has no `Debug`, which would print secrets.
#[derive(Clone)]
pub(super) enum Value<'a> {
    /// Bytes; functions on characters accept them only if they are UTF-8.
    Text(Text<'a>),
    /// As text in its original spelling: `2^53 + 1` stays exact.
    Number(Text<'a>),
    Bool(bool),
    Null,
    List(Rc<Parts<Value<'a>>>),
    Map(Rc<Parts<(String, Value<'a>)>>),
    /// All values of the data; each is read only when it is needed.
    All,
    /// No value, and the name that was looked for, if the name stands in the template.
    Missing(Option<&'a str>),
}

/// The parts of a list or a mapping.
pub(super) struct Parts<T> {
    parts: Vec<T>,
    /// How many lists and mappings are nested here.
    levels: usize,
    /// The numbers of the entries of a large mapping, in the order of their keys.
    by_key: OnceCell<Vec<usize>>,
}

/// Up to so many entries are looked through one by one.
const FEW: usize = 16;

impl<'a> Parts<(String, Value<'a>)> {
    /// The first entry with this key.
    pub(super) fn entry(&self, key: &str) -> Option<&Value<'a>> {
        let entries = &self.parts;
        if entries.len() <= FEW {
            let mut entries = entries.iter();
            return entries
                .find(|(name, _)| name == key)
                .map(|(_, value)| value);
        }
        let by_key = self.by_key.get_or_init(|| {
            let mut order: Vec<usize> = (0..entries.len()).collect();
            order.sort_by(|&one, &other| entries[one].0.cmp(&entries[other].0));
            order
        });
        let at = by_key.partition_point(|&number| entries[number].0.as_str() < key);
        let (name, value) = &entries[*by_key.get(at)?];
        (name == key).then_some(value)
    }
}

impl<T> Parts<T> {
    fn new(parts: Vec<T>, levels: usize) -> Self {
        let by_key = OnceCell::new();
        Self {
            parts,
            levels,
            by_key,
        }
    }
}

impl<T> Deref for Parts<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.parts
    }
}

/// The deepest nesting: walking through a value, or dropping it, needs stack for each level.
const MOST_LEVELS: usize = 256;

#[derive(Clone)]
pub(super) enum Text<'a> {
    /// From the template, so it is not secret.
    Written(&'a [u8]),
    /// From the data.
    Given(&'a [u8]),
    Made(Rc<SecretBytes>),
}

impl Text<'_> {
    pub(super) fn made(bytes: impl Into<SecretBytes>) -> Self {
        Self::Made(Rc::new(bytes.into()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Written(bytes) | Self::Given(bytes) => bytes,
            Self::Made(bytes) => bytes.expose(),
        }
    }
}

impl<'a> Value<'a> {
    /// A new text.
    pub(super) fn made(bytes: impl Into<SecretBytes>) -> Self {
        Self::Text(Text::made(bytes))
    }

    pub(super) fn number(number: i64) -> Self {
        Self::Number(Text::made(number.to_string()))
    }

    pub(super) fn count(number: usize) -> Self {
        Self::number(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        let levels = 1 + items.iter().map(Self::levels).max().unwrap_or(0);
        Self::List(Rc::new(Parts::new(items, levels)))
    }

    pub(super) fn map(entries: Vec<(String, Self)>) -> Self {
        let levels = entries.iter().map(|(_, value)| value.levels());
        let levels = 1 + levels.max().unwrap_or(0);
        Self::Map(Rc::new(Parts::new(entries, levels)))
    }

    fn levels(&self) -> usize {
        match self {
            Self::List(items) => items.levels,
            Self::Map(entries) => entries.levels,
            Self::Text(_)
            | Self::Number(_)
            | Self::Bool(_)
            | Self::Null
            | Self::All
            | Self::Missing(_) => 0,
        }
    }

    /// Checks the nesting of a value that the template put together.
    pub(super) fn nested(self) -> Result<Self, Problem> {
        match self.levels() > MOST_LEVELS {
            true => Err(Problem::Excess("it makes more than 256 levels of lists")),
            false => Ok(self),
        }
    }

    /// A node of the data.
    pub(super) fn of_node(node: &'a Node) -> Self {
        Self::from_node(node, &|text| Text::Given(text.expose()))
    }

    /// The same for a node that lives only during this call.
    pub(super) fn of_made(node: &Node) -> Self {
        Self::from_node(node, &|text| Text::made(text.duplicate()))
    }

    fn from_node<'n>(node: &'n Node, text: &impl Fn(&'n SecretBytes) -> Text<'a>) -> Self {
        match node {
            Node::Null => Self::Null,
            Node::Bool(value) => Self::Bool(*value),
            Node::Number(number) => Self::Number(text(number)),
            Node::Time(bytes) | Node::Text(bytes) => Self::Text(text(bytes)),
            Node::List(items) => Self::list(
                items
                    .iter()
                    .map(|item| Self::from_node(item, text))
                    .collect(),
            ),
            Node::Map(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, node)| (key.clone(), Self::from_node(node, text)));
                Self::map(entries.collect())
            }
        }
    }

    /// The printed form; nothing for a value without a plain text.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text.bytes()),
            Self::Bool(true) => Some(b"true"),
            Self::Bool(false) => Some(b"false"),
            Self::Null | Self::List(_) | Self::Map(_) | Self::All | Self::Missing(_) => None,
        }
    }

    /// The same, if it is UTF-8.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn text_for(&self, who: &str) -> Result<&str, Problem> {
        self.text().ok_or_else(|| self.is_not(who, "text"))
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(_) => self.text()?.parse().ok(),
            Self::Text(_)
            | Self::Bool(_)
            | Self::Null
            | Self::List(_)
            | Self::Map(_)
            | Self::All
            | Self::Missing(_) => None,
        }
    }

    /// Whether it is not empty, not zero and not missing.
    pub(super) fn is_true(&self, all: bool) -> bool {
        match self {
            Self::Text(text) => !text.bytes().is_empty(),
            Self::Number(_) => self.integer() != Some(0),
            Self::Bool(value) => *value,
            Self::Null | Self::Missing(_) => false,
            Self::List(items) => !items.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
            Self::All => all,
        }
    }

    /// The cost of reading it or of having made it.
    pub(super) fn weight(&self) -> usize {
        /// Memory for a place in a list and for the structure around the text.
        const ITEM: usize = 128;
        match self {
            Self::Text(text) => text.bytes().len(),
            Self::List(items) => items.len() * ITEM,
            Self::Map(entries) => entries.len() * ITEM,
            Self::Number(_) | Self::Bool(_) | Self::Null | Self::All | Self::Missing(_) => 0,
        }
    }

    /// The error in Jinja that `who` needs another kind of value.
    pub(super) fn is_not(&self, who: &str, wanted: &str) -> Problem {
        Problem::Kind {
            wants: format!("{who} takes {wanted}"),
            is: self.kind(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) if self.text().is_none() => "bytes that are no text",
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a truth value",
            Self::Null => "null",
            Self::List(_) => "a list",
            Self::Map(_) | Self::All => "a mapping",
            Self::Missing(_) => "nothing",
        }
    }

    /// The error for a missing value in Go; nothing if there is a value.
    pub(super) fn absence(&self) -> Option<Problem> {
        let what = match self {
            Self::Missing(Some(name)) => format!("value {}", printable::quoted(name)),
            // A computed name may contain a secret, so it is not shown.
            Self::Missing(None) => "value of the name that is computed here".to_owned(),
            Self::Null => "value: it is `nil`".to_owned(),
            Self::Text(_)
            | Self::Number(_)
            | Self::Bool(_)
            | Self::List(_)
            | Self::Map(_)
            | Self::All => return None,
        };
        Some(Problem::Unknown(what))
    }
}

/// A text that grows up to a limit.
pub(super) struct Buffer {
    text: WipedBytes,
    most: usize,
    excess: &'static str,
}

impl Buffer {
    /// A limit that fits into a Secret.
    pub(super) fn small() -> Self {
        Self {
            text: WipedBytes::default(),
            most: 1024 * 1024,
            excess: "it makes more than 1 MiB",
        }
    }

    /// A larger limit: the text may be cut, counted or hashed later.
    pub(super) fn large() -> Self {
        Self {
            text: WipedBytes::default(),
            most: 16 * 1024 * 1024,
            excess: "it makes more than 16 MiB in one text",
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        if bytes.len() > self.most - self.text.len() {
            return Err(Problem::Excess(self.excess));
        }
        self.text.write(bytes);
        Ok(())
    }

    pub(super) fn char(&mut self, c: char) -> Result<(), Problem> {
        self.push(c.encode_utf8(&mut [0; 4]).as_bytes())
    }

    pub(super) fn repeat(&mut self, bytes: &[u8], times: usize) -> Result<(), Problem> {
        if bytes.is_empty() {
            return Ok(());
        }
        if times > self.most {
            return Err(Problem::Excess(self.excess));
        }
        (0..times).try_for_each(|_| self.push(bytes))
    }

    pub(super) fn finish(self) -> SecretBytes {
        SecretBytes::from(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_by_its_key_however_many_there_are() {
        for count in [0, 3, 16, 17, 1000] {
            let name = |number: i64| format!("k{}", number * 7919 % 1009);
            let twice = (0..count).chain(0..count.min(2));
            let entries = twice.enumerate().map(|(at, number)| {
                let at = i64::try_from(at).expect("small");
                (name(number), Value::number(at))
            });
            let Value::Map(map) = Value::map(entries.collect()) else {
                panic!("a mapping");
            };
            for number in 0..count {
                let found = map.entry(&name(number)).and_then(Value::integer);
                assert_eq!(found, Some(number), "the first of its key, of {count}");
            }
            assert!(map.entry("k").is_none() && map.entry("z").is_none());
        }
    }
}
