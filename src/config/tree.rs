//! A configuration file as a tree of nodes with their places. The reader ([`super::read`]) decides
//! what a scalar means.

use std::collections::HashMap;

use granit_parser::ScalarStyle;

use super::Location;
use super::problem::flaw::Flaw;
use super::problem::malformed;
use crate::format::scalar::is_null;
use crate::format::yaml::{self, Key, Opened, Scalar, Tree, Weight, YamlError};

pub(super) use crate::format::yaml::Place;

/// One key of a mapping with its value.
pub(super) type Entry = yaml::Entry<Written>;

/// A place in this file.
pub(super) fn location(at: Place, file: &str) -> Location {
    Location {
        file: file.to_owned(),
        line: at.line,
        column: at.column,
    }
}

/// A node of the file.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Where it begins.
    pub(super) at: Place,
    /// Its content.
    pub(super) what: What,
}

/// The content of a node.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A word, number or text. Only a scalar without quotes can mean something else than text.
    Scalar {
        /// As written, escapes resolved.
        text: String,
        /// Without quotes.
        plain: bool,
    },
    /// `[a, b]`.
    List(Vec<Written>),
    /// `key: value`, in the order of the file.
    Map(Vec<Entry>),
    /// A value that is missing or cannot be read. It fits any type ([`super::problem::find_all`]).
    Hole,
}

impl Written {
    /// Whether nothing was written: `key:`, `key: null`, `key: ~`.
    pub(super) fn is_null(&self) -> bool {
        match &self.what {
            What::Scalar { text, plain: true } => is_null(text),
            What::Scalar { .. } | What::List(_) | What::Map(_) | What::Hole => false,
        }
    }
}

/// The one document of a text (an empty mapping when there is none), and its flaws. An error where
/// nothing can be read.
pub(super) fn document(text: &str) -> Result<(Written, Vec<Flaw>), Flaw> {
    let mut reading = Reading { flaws: Vec::new() };
    let documents = yaml::read(text, &mut reading);
    let documents = documents.map_err(|error| malformed::flaw(error, text))?;
    let empty = || Written {
        at: Place { line: 1, column: 1 },
        what: What::Map(Vec::new()),
    };
    let document = documents.into_iter().next();
    Ok((document.unwrap_or_else(empty), reading.flaws))
}

/// Collects flaws that leave the rest readable.
struct Reading {
    flaws: Vec<Flaw>,
}

impl Tree for Reading {
    type Node = Written;
    type Error = YamlError;

    fn begins(&mut self, at: Place, number: usize) -> bool {
        if number > 0 {
            self.flaws.push(Flaw::new(
                at,
                "a second document begins here",
                "put it into a file of its own: --config takes several files, or a folder",
            ));
        }
        number == 0
    }

    fn scalar(&mut self, scalar: Scalar<'_>, at: Place) -> Result<Written, YamlError> {
        let plain = scalar.style == ScalarStyle::Plain && scalar.tag.is_none();
        let text = scalar.text.into_owned();
        Ok(Written {
            at,
            what: What::Scalar { text, plain },
        })
    }

    fn key(&mut self, scalar: Scalar<'_>, _: Place) -> Result<Key, YamlError> {
        Ok(
            match scalar.style == ScalarStyle::Plain && scalar.text == "<<" {
                true => Key::Merge,
                false => Key::Name(scalar.text.into_owned()),
            },
        )
    }

    fn list(&mut self, items: Vec<Written>, at: Place) -> Written {
        Written {
            at,
            what: What::List(items),
        }
    }

    /// Of two equal keys the first counts, and the second is a flaw.
    fn unique(&mut self, entries: Vec<Entry>) -> Result<Vec<Entry>, YamlError> {
        let mut places: HashMap<String, Place> = HashMap::new();
        let mut unique = Vec::with_capacity(entries.len());
        for entry in entries {
            match places.get(&entry.key) {
                None => {
                    places.insert(entry.key.clone(), entry.at);
                    unique.push(entry);
                }
                Some(first) => self.flaws.push(Flaw::new(
                    entry.at,
                    format!(
                        "the key `{}` stands twice in one mapping",
                        entry.key.escape_debug()
                    ),
                    format!(
                        "keep one of them; the first is in line {}, column {}",
                        first.line, first.column
                    ),
                )),
            }
        }
        Ok(unique)
    }

    fn map(&mut self, entries: Vec<Entry>, at: Place) -> Written {
        Written {
            at,
            what: What::Map(entries),
        }
    }

    fn named(&mut self, key: &str, at: Place) -> Written {
        let text = key.to_owned();
        Written {
            at,
            what: What::Scalar { text, plain: false },
        }
    }

    fn text_of(node: &Written) -> Option<&str> {
        match &node.what {
            What::Scalar { text, .. } => Some(text),
            What::List(_) | What::Map(_) | What::Hole => None,
        }
    }

    fn open(node: Written, _: Place) -> Opened<Written> {
        match node.what {
            What::List(items) => Opened::List(items),
            What::Map(entries) => Opened::Map(entries),
            What::Scalar { .. } | What::Hole => Opened::Scalar,
        }
    }

    fn copy(node: &Written) -> Written {
        node.clone()
    }

    fn weigh(node: &Written) -> Weight {
        match &node.what {
            What::Scalar { text, .. } => Weight::scalar(text.len()),
            What::Hole => Weight::scalar(0),
            What::List(items) => Weight::around(items.iter().map(Self::weigh)),
            What::Map(entries) => {
                let weigh = |entry: &Entry| Self::weigh(&entry.value).with_key(&entry.key);
                Weight::around(entries.iter().map(weigh))
            }
        }
    }
}
