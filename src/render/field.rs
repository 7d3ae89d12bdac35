//! One field on its way to a target: its name, its value, and its origin.

use std::rc::Rc;

use thiserror::Error;

use crate::base::failure::{Class, Failure, Fault};
use crate::base::material::{Node, SecretBytes};
use crate::base::printable;
use crate::config::Location;
use crate::template::jinja;

/// The origin of a field, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldOrigin {
    /// ``vault `kv/a` `` or `` `fields` ``.
    pub label: String,
    /// The place in the configuration.
    pub at: Location,
}

impl std::fmt::Display for FieldOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.label, self.at)
    }
}

/// A value that is borrowed from its source, or was made here.
pub(super) enum HeldValue<'a> {
    Lent(&'a Node),
    Made(Node),
}

impl HeldValue<'_> {
    pub(super) fn node(&self) -> &Node {
        match self {
            Self::Lent(node) => node,
            Self::Made(node) => node,
        }
    }
}

/// One field of a delivery.
pub(super) struct Field<'a> {
    pub name: String,
    pub value: HeldValue<'a>,
    /// Whether `pick` asked for exactly this node, so that a list or mapping is wanted.
    pub picked: bool,
    /// Whether keys `<<` in it are merge keys of YAML.
    pub merge_keys: bool,
    pub origin: Rc<FieldOrigin>,
}

/// All fields of a delivery, in order, names unique.
pub(super) struct Fields<'a> {
    pub list: Vec<Field<'a>>,
    pub allow_empty: bool,
}

impl Fields<'_> {
    pub(super) fn named(&self, name: &str) -> Option<&Field<'_>> {
        self.list.iter().find(|field| field.name == name)
    }

    /// The bytes of a required field.
    pub(super) fn bytes(&self, name: &str) -> Result<&[u8], FieldError> {
        match self.named(name) {
            Some(field) => self.leaf(field),
            None => Err(FieldError::Absent {
                field: name.to_owned(),
                there: self.names(),
            }),
        }
    }

    /// The bytes of a field as targets need them: not null, not nested, and not empty unless that
    /// is allowed.
    pub(super) fn leaf<'f>(&self, field: &'f Field<'_>) -> Result<&'f [u8], FieldError> {
        let bytes = field.scalar()?;
        if bytes.is_empty() && !self.allow_empty {
            return Err(FieldError::Empty(field.whence()));
        }
        Ok(bytes)
    }

    /// The value for a template; null and empty text are refused here too.
    fn printable<'f>(&self, field: &'f Field<'_>) -> Result<&'f Node, Failure> {
        let node = field.value.node();
        match node {
            Node::Text(_) | Node::Null => {
                self.leaf(field)?;
            }
            Node::Number(_) | Node::Time(_) | Node::Bool(_) | Node::List(_) | Node::Map(_) => {}
        }
        Ok(node)
    }

    /// Every field with its bytes. Without any field this is an error: a target must not become
    /// empty.
    pub(super) fn leaves(&self) -> Result<Vec<(&str, &[u8])>, FieldError> {
        self.some()?
            .iter()
            .map(|field| Ok((field.name.as_str(), self.leaf(field)?)))
            .collect()
    }

    /// All fields; an error if there are none.
    pub(super) fn some(&self) -> Result<&[Field<'_>], FieldError> {
        if self.list.is_empty() {
            return Err(FieldError::None);
        }
        Ok(&self.list)
    }

    /// A second copy of one field's bytes.
    pub(super) fn secret(&self, name: &str) -> Result<SecretBytes, FieldError> {
        self.bytes(name).map(SecretBytes::from)
    }

    pub(super) fn names(&self) -> String {
        printable::names(self.list.iter().map(|field| field.name.as_str()))
    }
}

impl jinja::Fields for Fields<'_> {
    fn all(&self) -> Vec<(&str, Result<&Node, Failure>)> {
        let fields = self.list.iter();
        fields
            .map(|field| (field.name.as_str(), self.printable(field)))
            .collect()
    }

    fn field(&self, name: &str) -> Option<Result<&Node, Failure>> {
        self.named(name).map(|field| self.printable(field))
    }
}

impl Field<'_> {
    /// The bytes of a scalar, empty or not.
    pub(super) fn scalar(&self) -> Result<&[u8], FieldError> {
        match self.value.node() {
            Node::Bool(true) => Ok(b"true"),
            Node::Bool(false) => Ok(b"false"),
            Node::Number(text) | Node::Time(text) | Node::Text(text) => Ok(text.expose()),
            Node::Null => Err(FieldError::Null(self.whence())),
            Node::List(_) => Err(FieldError::Nested(self.whence(), "a list")),
            Node::Map(_) => Err(FieldError::Nested(self.whence(), "a mapping")),
        }
    }

    /// Its name and origin, for messages.
    pub(super) fn whence(&self) -> Whence {
        Whence {
            field: self.name.clone(),
            origin: self.origin.clone(),
        }
    }
}

/// A field's name and origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whence {
    field: String,
    origin: Rc<FieldOrigin>,
}

impl std::fmt::Display for Whence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "field {} of {}",
            printable::quoted(&self.field),
            self.origin
        )
    }
}

/// Why a field cannot be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum FieldError {
    #[error("field {} is in none of the sources", printable::quoted(field))]
    Absent { field: String, there: String },
    #[error("{0} is null")]
    Null(Whence),
    #[error("{0} is empty")]
    Empty(Whence),
    #[error("{0} is {1}, not one value")]
    Nested(Whence, &'static str),
    #[error("{0} is not UTF-8 text")]
    NotText(Whence),
    #[error("there is no field at all: every source is absent or empty")]
    None,
}

impl Fault for FieldError {
    fn class(&self) -> Class {
        match self {
            Self::Absent { .. } | Self::Null(_) | Self::None => Class::Missing,
            Self::Empty(_) | Self::Nested(..) | Self::NotText(_) => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Absent { there, .. } => {
                format!("check the spelling, or add a source that has it; the fields are {there}")
            }
            Self::Null(_) => {
                "give it a value at its source, or leave it out with `pick`".to_owned()
            }
            Self::Empty(_) => {
                "give it a value, leave it out with `pick`, or say `allowEmpty: true`".to_owned()
            }
            Self::Nested(..) => {
                "reach inside with `pick`, or say `flatten: \"_\"` or `encoding: json` on the \
                 source"
                    .to_owned()
            }
            Self::NotText(_) => {
                "bytes go to `format: raw`, to `files` and to Secrets; in text they need base64 \
                 at their source"
                    .to_owned()
            }
            Self::None => "nothing is changed; check the paths of the sources".to_owned(),
        })
    }
}
