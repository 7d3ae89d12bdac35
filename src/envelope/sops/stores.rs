//! The five formats: documents in the order in which the checksum covers them, and the metadata
//! taken out.

use crate::base::coding::number;
use crate::base::material::{Node, SecretBytes};
use crate::format::document::{self, DocumentFormat, RAW_FIELD};
use crate::format::scalar::ScalarDialect;
use crate::format::{LineProblem, MOST_VALUES, duplicate};
use crate::format::{SyntaxError, ini, json, yaml};

use super::error::SopsError;
use super::flat;

/// The name of the metadata in formats that nest.
const METADATA: &str = "sops";
/// Prefix of the metadata's names in `.env` files.
const METADATA_PREFIX: &str = "sops_";

/// A file, still encrypted.
pub(super) struct File {
    pub(super) documents: Vec<Node>,
    pub(super) metadata: Node,
    /// How this format spells a float.
    pub(super) spell: fn(f64) -> String,
}

/// Reads a file in its format.
pub(super) fn read(bytes: &[u8], format: DocumentFormat) -> Result<File, SopsError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SyntaxError::NotText)?;
    match format {
        DocumentFormat::Yaml => {
            let documents = yaml::documents(text, ScalarDialect::Sops)?;
            nested(documents, "YAML", number::in_yaml)
        }
        DocumentFormat::Json => {
            let document = json::document(text, ScalarDialect::Sops)?;
            nested(vec![document], "JSON", number::in_json)
        }
        DocumentFormat::Raw => {
            // A file that sops did not write is more common here than a damaged SOPS file.
            let document = json::document(text, ScalarDialect::Sops).map_err(|error| {
                match matches!(error, SyntaxError::Malformed { .. }) {
                    true => SopsError::NotSops,
                    false => SopsError::Syntax(error),
                }
            })?;
            nested(vec![document], "a binary file", number::in_json)
        }
        DocumentFormat::Dotenv => dotenv(text),
        DocumentFormat::Ini => sections(text),
    }
}

/// Documents as they are delivered.
pub(super) fn finish(documents: Vec<Node>, format: DocumentFormat) -> Result<Vec<Node>, SopsError> {
    match format {
        DocumentFormat::Yaml | DocumentFormat::Json | DocumentFormat::Dotenv => Ok(documents),
        DocumentFormat::Ini => {
            let sections = documents.into_iter().flat_map(entries);
            Ok(vec![document::joined(sections)])
        }
        DocumentFormat::Raw => {
            let mut fields = documents.into_iter().flat_map(entries);
            match fields.find(|(name, _)| name == "data") {
                Some((_, data @ Node::Text(_))) => {
                    Ok(vec![Node::Map(vec![(RAW_FIELD.to_owned(), data)])])
                }
                _ => Err(SopsError::Layout("a binary file")),
            }
        }
    }
}

/// Every document has metadata; that of the first document counts.
fn nested(
    mut documents: Vec<Node>,
    language: &'static str,
    spell: fn(f64) -> String,
) -> Result<File, SopsError> {
    let mut metadata = None;
    for document in &mut documents {
        let found = match document {
            Node::Map(entries) => entries
                .iter()
                .position(|(key, _)| key == METADATA)
                .map(|at| entries.remove(at).1),
            Node::Null => None,
            Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) | Node::List(_) => {
                return Err(match metadata {
                    None => SopsError::NotSops,
                    Some(_) => SopsError::Layout(language),
                });
            }
        };
        if metadata.is_none() {
            metadata = Some(found.ok_or(SopsError::NotSops)?);
        }
    }
    documents.retain(|document| *document != Node::Null);
    Ok(File {
        documents,
        metadata: metadata.ok_or(SopsError::NotSops)?,
        spell,
    })
}

/// SOPS' own `.env`: no quotes, no blanks cut, `\n` stands for a line break.
fn dotenv(text: &str) -> Result<File, SopsError> {
    let mut variables = Vec::new();
    let mut metadata = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(SyntaxError::Line {
            line: index + 1,
            problem: LineProblem::NoValue,
        })?;
        let node = Node::Text(unescaped(value));
        match name.strip_prefix(METADATA_PREFIX) {
            Some(name) => metadata.push((name.to_owned(), node)),
            None => variables.push((name.to_owned(), node)),
        }
        if variables.len() + metadata.len() > MOST_VALUES {
            return Err(SyntaxError::TooMany.into());
        }
    }
    if metadata.is_empty() {
        return Err(SopsError::NotSops);
    }
    duplicate(variables.iter().map(|(key, _)| key.as_str()))?;
    Ok(File {
        documents: vec![Node::Map(variables)],
        metadata: flat::unfold(metadata)?,
        spell: number::decimal,
    })
}

/// A section may repeat here; repeated sections become lists after the checksum was computed.
fn sections(text: &str) -> Result<File, SopsError> {
    let mut documents = Vec::new();
    let mut metadata = None;
    for (name, values) in ini::sections(text, ini::InlineComments::Cut)? {
        if name == METADATA {
            let values = values.into_iter();
            let values = values.map(|(key, value)| (key, Node::Text(unescaped(&value))));
            if metadata.replace(flat::unfold(values.collect())?).is_some() {
                return Err(SopsError::Metadata("sops"));
            }
            continue;
        }
        let values = values.into_iter();
        let values = values.map(|(key, value)| (key, Node::text(value)));
        documents.push((name, Node::Map(values.collect())));
    }
    Ok(File {
        documents: vec![Node::Map(documents)],
        metadata: metadata.ok_or(SopsError::NotSops)?,
        spell: number::decimal,
    })
}

fn unescaped(value: &str) -> SecretBytes {
    match value.contains("\\n") {
        true => SecretBytes::from(value.replace("\\n", "\n")),
        false => SecretBytes::from(value),
    }
}

fn entries(node: Node) -> Vec<(String, Node)> {
    match node {
        Node::Map(entries) => entries,
        Node::Null
        | Node::Bool(_)
        | Node::Number(_)
        | Node::Time(_)
        | Node::Text(_)
        | Node::List(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_185_a_sops_env_file_holds_many_values_and_no_more() {
        let lines: String = (0..=MOST_VALUES).map(|at| format!("K{at}=v\n")).collect();
        let read = dotenv(&(lines + "sops_version=3.9.0\n"));
        let refused = Some(SopsError::Syntax(SyntaxError::TooMany));
        assert_eq!(read.err(), refused);
    }
}
