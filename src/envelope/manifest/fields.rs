//! Reading a tree by names and types. Errors tell the path of a wrong field, never its content.

use std::collections::BTreeMap;
use std::fmt;

use crate::base::material::{Node, SecretBytes};
use crate::base::printable;

/// What a field must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Text.
    Text,
    /// Text, where a number or truth value stands without quotes.
    QuotedText,
    /// `true` or `false`.
    Bool,
    /// A mapping.
    Map,
    /// A list.
    List,
    /// Base64 of a value.
    Base64,
    /// Base64 of a ciphertext.
    SealedBase64,
}

/// A field that does not hold what it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeError {
    path: String,
    expected: Expected,
}

impl ShapeError {
    /// The field at this path does not hold what is expected.
    pub(crate) fn new(path: impl Into<String>, expected: Expected) -> Self {
        Self {
            path: path.into(),
            expected,
        }
    }

    /// The next move.
    pub fn hint(&self) -> Option<&'static str> {
        match self.expected {
            Expected::QuotedText => Some("put it in quotes"),
            Expected::Base64 => Some("encode it as base64, or write it under `stringData`"),
            Expected::SealedBase64 => Some("seal it again with kubeseal"),
            Expected::Text | Expected::Bool | Expected::Map | Expected::List => None,
        }
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.expected {
            Expected::Text | Expected::QuotedText => "text",
            Expected::Bool => "`true` or `false`",
            Expected::Map => "mapping",
            Expected::List => "list",
            Expected::Base64 | Expected::SealedBase64 => "base64",
        };
        match self.path.as_str() {
            "" => write!(f, "it is no {what}"),
            path => write!(f, "`{}` is no {what}", printable::name(path)),
        }
    }
}

/// The entries of one mapping, taken out by name.
pub(crate) struct MappingEntries {
    path: String,
    entries: Vec<(String, Node)>,
}

impl MappingEntries {
    /// The entries of a mapping; `null` has none, as in Kubernetes.
    pub(crate) fn from_node(path: impl Into<String>, node: Node) -> Result<Self, ShapeError> {
        let path = path.into();
        match node {
            Node::Map(entries) => Ok(Self { path, entries }),
            Node::Null => Ok(Self {
                path,
                entries: Vec::new(),
            }),
            Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) | Node::List(_) => {
                Err(ShapeError::new(path, Expected::Map))
            }
        }
    }

    /// Takes one entry out; `null` counts as absent.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.swap_remove(at).1).filter(|node| *node != Node::Null)
    }

    /// The mapping under this key; an absent one is empty.
    pub(crate) fn fields(&mut self, key: &str) -> Result<Self, ShapeError> {
        let path = self.path_of(key);
        Self::from_node(path, self.remove(key).unwrap_or(Node::Null))
    }

    /// The text under this key, which is no secret.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, ShapeError> {
        let path = self.path_of(key);
        self.remove(key)
            .map(|node| clear_text(path, node))
            .transpose()
    }

    /// The truth value under this key.
    pub(crate) fn bool(&mut self, key: &str) -> Result<Option<bool>, ShapeError> {
        match self.remove(key) {
            None => Ok(None),
            Some(Node::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(ShapeError::new(self.path_of(key), Expected::Bool)),
        }
    }

    /// A mapping from names to clear texts, such as labels.
    pub(crate) fn texts(&mut self, key: &str) -> Result<BTreeMap<String, String>, ShapeError> {
        let inner = self.fields(key)?;
        let path = inner.path.clone();
        let mut texts = BTreeMap::new();
        for (name, node) in inner {
            let text = clear_text(format!("{path}.{name}"), node)?;
            texts.insert(name, text);
        }
        Ok(texts)
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

impl IntoIterator for MappingEntries {
    type Item = (String, Node);
    type IntoIter = std::vec::IntoIter<(String, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// A text that may be secret.
pub(crate) fn text(path: &str, node: Node) -> Result<SecretBytes, ShapeError> {
    match node {
        Node::Text(text) => Ok(text),
        Node::Number(_) | Node::Time(_) | Node::Bool(_) => {
            Err(ShapeError::new(path, Expected::QuotedText))
        }
        Node::Null | Node::List(_) | Node::Map(_) => Err(ShapeError::new(path, Expected::Text)),
    }
}

fn clear_text(path: String, node: Node) -> Result<String, ShapeError> {
    let bytes = text(&path, node)?;
    match bytes.expose_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(ShapeError::new(path, Expected::Text)),
    }
}
