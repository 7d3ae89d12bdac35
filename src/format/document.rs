//! Documents: the content of an opened age file, a field of another document, or a description of
//! Kubernetes objects.

use std::collections::HashMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::ScalarDialect;
use super::syntax::SyntaxError;
use super::{dotenv, ini, json, yaml};
use crate::base::material::{Node, SecretBytes};

/// Name of the only field of a file that is no document.
pub const RAW_FIELD: &str = "content";

/// Format of a decrypted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DocumentFormat {
    /// NAME=value lines.
    Dotenv,
    /// One JSON value.
    Json,
    /// YAML documents.
    Yaml,
    /// Sections of `name = value`.
    Ini,
    /// One field `content`.
    Raw,
}

impl DocumentFormat {
    /// The word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dotenv => "dotenv",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Ini => "ini",
            Self::Raw => "raw",
        }
    }

    /// The format that the name of a file tells: `x.env.age` holds what `x.env` holds.
    pub(crate) fn from_file_name(path: &Path) -> Self {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let inner = name.strip_suffix(".age").unwrap_or(&name);
        match inner.rsplit('.').next() {
            Some("env") => Self::Dotenv,
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            Some("ini") => Self::Ini,
            _ => Self::Raw,
        }
    }
}

/// Reads a text in its format; YAML may hold several documents.
pub fn parse(bytes: SecretBytes, format: DocumentFormat) -> Result<Vec<Node>, SyntaxError> {
    if format == DocumentFormat::Raw {
        let content = (RAW_FIELD.to_owned(), Node::Text(bytes));
        return Ok(vec![Node::Map(vec![content])]);
    }
    let text = bytes.expose_str().ok_or(SyntaxError::NotText)?;
    Ok(match format {
        DocumentFormat::Dotenv => vec![dotenv::variables(text)?],
        DocumentFormat::Json => vec![json::document(text, ScalarDialect::Core)?],
        DocumentFormat::Yaml => yaml::documents(text, ScalarDialect::Core)?,
        DocumentFormat::Ini => {
            vec![sections(ini::sections(text, ini::InlineComments::Refused)?)]
        }
        DocumentFormat::Raw => Vec::new(),
    })
}

/// Reads a description of Kubernetes objects: documents of YAML, or JSON objects in a row. Empty
/// documents are left out.
pub fn objects(bytes: &[u8]) -> Result<Vec<Node>, SyntaxError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SyntaxError::NotText)?;
    let yaml = || yaml::documents(text, ScalarDialect::Kubernetes);
    // JSON objects in a row are no YAML, and a flow mapping of YAML is no JSON.
    let begins = text.trim_start_matches('\u{feff}').trim_start();
    let is_json = begins.starts_with('{');
    let mut documents = match is_json {
        false => yaml()?,
        true => match json::documents(text, ScalarDialect::Kubernetes) {
            Err(error @ SyntaxError::Malformed { .. }) => yaml().map_err(|_| error)?,
            read => read?,
        },
    };
    documents.retain(|document| *document != Node::Null);
    Ok(documents)
}

/// Sections as one mapping.
fn sections(sections: Vec<ini::Section>) -> Node {
    let nodes = sections.into_iter().map(|(name, values)| {
        let values = values
            .into_iter()
            .map(|(key, value)| (key, Node::text(value)));
        (name, Node::Map(values.collect()))
    });
    joined(nodes)
}

/// Sections of one name become a list, such as the peers of WireGuard. The list takes the place of
/// the first of them and keeps their order.
pub(crate) fn joined(sections: impl Iterator<Item = (String, Node)>) -> Node {
    let mut all: Vec<(String, Vec<Node>)> = Vec::new();
    let mut known = HashMap::new();
    for (name, section) in sections {
        match known.get(&name).and_then(|at: &usize| all.get_mut(*at)) {
            Some((_, others)) => others.push(section),
            None => {
                known.insert(name.clone(), all.len());
                all.push((name, vec![section]));
            }
        }
    }
    let entries = all.into_iter().map(|(name, mut sections)| {
        let section = match sections.len() {
            1 => sections.remove(0),
            _ => Node::List(sections),
        };
        (name, section)
    });
    Node::Map(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::super::syntax::MOST_VALUES;
    use super::*;

    fn check(text: &str, format: DocumentFormat, expected: Result<Node, SyntaxError>) {
        let seen = parse(SecretBytes::from(text), format);
        assert_eq!(seen, expected.map(|node| vec![node]), "{text}");
    }

    fn map(entries: Vec<(&str, Node)>) -> Node {
        Node::Map(
            entries
                .into_iter()
                .map(|(key, node)| (key.to_owned(), node))
                .collect(),
        )
    }

    #[test]
    fn each_format_gives_a_mapping() {
        let one = || map(vec![("A", Node::text("x"))]);
        check("A=x\n", DocumentFormat::Dotenv, Ok(one()));
        check("{\"A\":\"x\"}\n", DocumentFormat::Json, Ok(one()));
        check("A: x\n", DocumentFormat::Yaml, Ok(one()));
        check(
            "[s]\nA = x\n",
            DocumentFormat::Ini,
            Ok(map(vec![("s", one())])),
        );
        check(
            "A: x\n",
            DocumentFormat::Raw,
            Ok(map(vec![("content", Node::text("A: x\n"))])),
        );
        check(
            "[s]\nA = x\n[t]\n[s]\nB = y\n",
            DocumentFormat::Ini,
            Ok(map(vec![
                (
                    "s",
                    Node::List(vec![one(), map(vec![("B", Node::text("y"))])]),
                ),
                ("t", map(vec![])),
            ])),
        );
        check(
            "[s]\nA = x\nA = y\n",
            DocumentFormat::Ini,
            Err(SyntaxError::Line {
                line: 3,
                problem: crate::format::LineProblem::Duplicate,
            }),
        );
    }

    /// A search through all names for each name would not end.
    #[test]
    fn row_185_a_file_holds_many_values_and_no_more() {
        type Line = fn(usize) -> String;
        let rows: [(DocumentFormat, Line); 5] = [
            (DocumentFormat::Ini, |at| format!("[s{at}]\n")),
            (DocumentFormat::Dotenv, |at| format!("a{at}=\n")),
            (DocumentFormat::Ini, |at| format!("a{at}=\n")),
            (DocumentFormat::Yaml, |at| format!("a{at}: 1\n")),
            (DocumentFormat::Json, |at| match at {
                0 => "{\"a\": [1".to_owned(),
                _ => ",1".to_owned(),
            }),
        ];
        for (format, line) in rows {
            let text = |count: usize| {
                let end = if format == DocumentFormat::Json {
                    "]}"
                } else {
                    ""
                };
                let lines = (0..count).map(line).collect::<String>();
                SecretBytes::from(lines + end)
            };
            let most = parse(text(MOST_VALUES - 3), format);
            assert!(most.is_ok(), "{format:?}: {:?}", most.err());
            let more = parse(text(MOST_VALUES + 1), format);
            assert_eq!(more.err(), Some(SyntaxError::TooMany), "{format:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_only_raw() {
        let bytes = || SecretBytes::from(vec![0xff]);
        assert_eq!(
            parse(bytes(), DocumentFormat::Json),
            Err(SyntaxError::NotText)
        );
        let raw = parse(bytes(), DocumentFormat::Raw);
        assert_eq!(raw, Ok(vec![map(vec![("content", Node::Text(bytes()))])]));
    }
}
