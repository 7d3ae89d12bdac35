//! One field of the metadata, in the forms that writers give it.

use crate::base::material::Node;

use super::error::SopsError;

/// Longest name of a recipient that is kept; a hybrid recipient has two thousand characters.
const MAX_NAME: usize = 4096;

/// A text that is not empty; SOPS takes an empty one for none.
pub(super) fn word<'a>(node: &'a Node, name: &'static str) -> Result<Option<&'a str>, SopsError> {
    match node.entry(name) {
        None | Some(Node::Null) => Ok(None),
        // rops writes a point in time without quotes.
        Some(Node::Text(text) | Node::Time(text)) => {
            let text = text.expose_str().ok_or(SopsError::Metadata(name))?;
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        Some(_) => Err(SopsError::Metadata(name)),
    }
}

/// Formats without types write truth values as text.
pub(super) fn truth(node: &Node, name: &'static str) -> Result<bool, SopsError> {
    match node.entry(name) {
        None | Some(Node::Null) => Ok(false),
        Some(Node::Bool(value)) => Ok(*value),
        Some(Node::Number(text) | Node::Text(text)) => match text.expose() {
            b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Ok(true),
            b"" | b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Ok(false),
            _ => Err(SopsError::Metadata(name)),
        },
        Some(Node::Time(_) | Node::List(_) | Node::Map(_)) => Err(SopsError::Metadata(name)),
    }
}

/// A name, made safe for a message: anybody may have written it.
pub(super) fn shown(name: &str) -> String {
    name.chars()
        .take(MAX_NAME)
        .flat_map(char::escape_debug)
        .collect()
}

pub(super) fn list<'a>(node: &'a Node, name: &'static str) -> Result<&'a [Node], SopsError> {
    match node.entry(name) {
        None | Some(Node::Null) => Ok(&[]),
        Some(Node::List(items)) => Ok(items),
        Some(_) => Err(SopsError::Metadata(name)),
    }
}
