//! YAML or JSON bytes to trees: for files whose scalars are texts, as manifests are.
//!
//! A bomb stops at the budget, a duplicate key is an error as in Kubernetes' strict mode, and no
//! message quotes the file: it may hold keys or values in clear.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroize as _;

use crate::base::failure::{Class, Fault};
use crate::base::material::{Node, SecretBytes};

/// More nodes than any honest file of manifests has.
const MAX_NODES: usize = 100_000;

/// Deeper than any honest manifest.
const MAX_DEPTH: usize = 64;

/// Texts of one file, those that an alias repeats included.
const MAX_BYTES: usize = 24 << 20;

/// Why bytes are no documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Binary.
    #[error("it is not UTF-8 text")]
    NotText,
    /// Not the syntax.
    #[error("line {line}, column {column}: it is not valid {language}")]
    Syntax {
        /// Which language was read.
        language: &'static str,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
    },
    /// A key twice in one mapping.
    #[error("line {line}, column {column}: a key stands twice in one mapping")]
    Duplicate {
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
    },
    /// A bomb, or as large as one.
    #[error("line {line}: it is nested too deep, repeats too much or holds too much")]
    Excess {
        /// From 1.
        line: u64,
    },
}

impl Fault for DocumentError {
    fn class(&self) -> Class {
        match self {
            Self::NotText | Self::Syntax { .. } | Self::Duplicate { .. } => Class::Corrupt,
            Self::Excess { .. } => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotText | Self::Syntax { .. } => None,
            Self::Duplicate { .. } => Some("keep one of them".to_owned()),
            Self::Excess { .. } => Some(format!(
                "split the file: {MAX_NODES} values, {MAX_DEPTH} levels and {} MiB are read",
                MAX_BYTES >> 20
            )),
        }
    }
}

/// Reads all documents of a file; empty ones are left out.
pub fn parse(bytes: &[u8]) -> Result<Vec<Node>, DocumentError> {
    let text = std::str::from_utf8(bytes).map_err(|_| DocumentError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Several JSON objects in a row are no YAML, and a flow mapping of YAML is no JSON.
    if text.trim_start().starts_with('{') {
        match json(text) {
            Ok(documents) => return Ok(documents),
            Err(error @ DocumentError::Syntax { .. }) => return yaml(text).map_err(|_| error),
            Err(error) => return Err(error),
        }
    }
    yaml(text)
}

fn json(text: &str) -> Result<Vec<Node>, DocumentError> {
    let limits = Limits::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut documents = Vec::new();
    while deserializer.end().is_err() {
        let node = (&limits).deserialize(&mut deserializer).map_err(|error| {
            let (line, column) = (error.line() as u64, error.column() as u64);
            match limits.breach.get() {
                Some(Breach::Duplicate) => DocumentError::Duplicate { line, column },
                Some(Breach::Excess) => DocumentError::Excess { line },
                None => DocumentError::Syntax {
                    language: "JSON",
                    line,
                    column,
                },
            }
        })?;
        documents.push(node);
    }
    Ok(documents)
}

fn yaml(text: &str) -> Result<Vec<Node>, DocumentError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            max_total_scalar_bytes: MAX_BYTES,
            max_recorded_anchor_bytes: MAX_BYTES,
            // The scanner looks this far ahead; with a lower limit it would call depth a mistake of
            // syntax.
            flow_nesting_limit: 2_048,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
        },
        with_snippet: false,
    };
    match serde_saphyr::from_multiple_with_options::<Tree>(text, options) {
        Ok(documents) => Ok(documents.into_iter().map(|Tree(node)| node).collect()),
        Err(error) => Err(yaml_error(error.without_snippet())),
    }
}

fn yaml_error(error: &serde_saphyr::Error) -> DocumentError {
    use serde_saphyr::Error;
    let at = error.location();
    let line = at.map_or(1, |at| at.line());
    let column = at.map_or(1, |at| at.column());
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library may learn new errors: all are syntax to us"
    )]
    match error {
        Error::AliasError { error, .. } => yaml_error(error.without_snippet()),
        Error::DuplicateMappingKey { .. } => DocumentError::Duplicate { line, column },
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => DocumentError::Excess { line },
        _ => DocumentError::Syntax {
            language: "YAML",
            line,
            column,
        },
    }
}

struct Tree(Node);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        (&Limits::default()).deserialize(deserializer).map(Self)
    }
}

/// What a parser without limits of its own is held to, and why it was stopped.
struct Limits {
    left: Cell<usize>,
    breach: Cell<Option<Breach>>,
}

#[derive(Clone, Copy)]
enum Breach {
    Duplicate,
    Excess,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            left: Cell::new(MAX_NODES),
            breach: Cell::new(None),
        }
    }
}

impl Limits {
    fn number<E>(number: impl fmt::Display) -> Result<Node, E> {
        Ok(Node::Number(SecretBytes::from(number.to_string())))
    }

    fn stop<E: Error>(&self, breach: Breach) -> E {
        self.breach.set(Some(breach));
        E::custom("stopped")
    }
}

impl<'de> DeserializeSeed<'de> for &Limits {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(self.stop(Breach::Excess)),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Limits {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Limits::number(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Limits::number(value)
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Limits::number(value)
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Limits::number(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Limits::number(value)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::text(text))
    }

    fn visit_string<E>(self, mut text: String) -> Result<Node, E> {
        let node = Node::text(text.as_str());
        text.zeroize();
        Ok(node)
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Node, E> {
        Ok(Node::text(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(node) = list.next_element_seed(self)? {
            items.push(node);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(self.stop(Breach::Duplicate));
            }
            let node = map.next_value_seed(self)?;
            entries.push((key, node));
        }
        Ok(Node::Map(entries))
    }
}
