//! Writes YAML that readers of 1.1 and 1.2 read alike: block style, every text double-quoted,
//! numbers in their own spelling.

use crate::base::material::{Node, SecretBytes};
use crate::base::wiped::WipedBytes;

use crate::format::json::write::{JsonError, JsonProblem, quote};

/// Whole documents, each behind `---` where there are several. `merge_keys`: whether `<<` is YAML's
/// merge key.
pub(crate) fn documents(documents: &[Node], merge_keys: bool) -> Result<SecretBytes, JsonError> {
    let size = documents.iter().map(Node::written_size).sum();
    let mut writer = Writer {
        out: WipedBytes::with_capacity(size),
        merge_keys,
    };
    for (index, document) in documents.iter().enumerate() {
        if documents.len() > 1 {
            writer.out.text("---\n");
        }
        writer.node(document, 0).map_err(|error| {
            if documents.len() > 1 {
                error.beneath(&index.to_string())
            } else {
                error
            }
        })?;
    }
    Ok(SecretBytes::from(writer.out))
}

/// One mapping of fields, each with a flag for `<<` inside the field: whether it is a merge key.
pub(crate) fn object<'a>(
    fields: impl Iterator<Item = ((&'a str, &'a Node), bool)>,
) -> Result<SecretBytes, JsonError> {
    let mut writer = Writer {
        out: WipedBytes::default(),
        merge_keys: false,
    };
    for ((name, node), merge_keys) in fields {
        // A field is no longer part of its source's mapping, so its name is never a merge key.
        writer.merge_keys = false;
        writer.key(name, node, 0);
        writer.merge_keys = merge_keys;
        writer.value(node, 0).map_err(|error| error.beneath(name))?;
    }
    Ok(SecretBytes::from(writer.out))
}

struct Writer {
    out: WipedBytes,
    merge_keys: bool,
}

impl Writer {
    /// Writes a node from the start of a line to the end of a line.
    fn node(&mut self, node: &Node, depth: usize) -> Result<(), JsonError> {
        match node {
            Node::Map(entries) if !entries.is_empty() => {
                for (name, inner) in entries {
                    self.key(name, inner, depth);
                    self.value(inner, depth)
                        .map_err(|error| error.beneath(name))?;
                }
                Ok(())
            }
            Node::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.out.indent(depth);
                    self.out.text("-");
                    self.value(item, depth)
                        .map_err(|error| error.beneath(&index.to_string()))?;
                }
                Ok(())
            }
            Node::Null
            | Node::Bool(_)
            | Node::Number(_)
            | Node::Time(_)
            | Node::Text(_)
            | Node::List(_)
            | Node::Map(_) => {
                self.out.indent(depth);
                scalar(node, &mut self.out)?;
                self.out.text("\n");
                Ok(())
            }
        }
    }

    fn key(&mut self, name: &str, value: &Node, depth: usize) {
        self.out.indent(depth);
        if self.merge_keys && name == "<<" && can_be_merged(value) {
            self.out.text(name);
        } else {
            key(name, &mut self.out);
        }
        self.out.text(":");
    }

    /// The text behind `key:` or `-`: a scalar on the same line, all else on more lines, one step
    /// in.
    fn value(&mut self, inner: &Node, depth: usize) -> Result<(), JsonError> {
        let nested = match inner {
            Node::Map(entries) => !entries.is_empty(),
            Node::List(items) => !items.is_empty(),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => false,
        };
        if nested {
            self.out.text("\n");
            self.node(inner, depth + 1)
        } else {
            self.out.text(" ");
            self.node(inner, 0)
        }
    }
}

/// Whether the value is a mapping, or a list of mappings: with any other value behind `<<`, readers
/// refuse the document.
fn can_be_merged(value: &Node) -> bool {
    match value {
        Node::Map(_) => true,
        Node::List(items) => items.iter().all(|item| matches!(item, Node::Map(_))),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => false,
    }
}

fn scalar(node: &Node, out: &mut WipedBytes) -> Result<(), JsonError> {
    match node {
        Node::Null => out.text("null"),
        Node::Bool(true) => out.text("true"),
        Node::Bool(false) => out.text("false"),
        Node::Number(spelling) => {
            match spelling.expose_str().filter(|text| is_plain_number(text)) {
                Some(text) => out.text(text),
                None => return Err(JsonError::new(JsonProblem::Number)),
            }
        }
        Node::Time(spelling) => match spelling.expose_str().filter(|text| is_plain_time(text)) {
            Some(text) => out.text(text),
            None => return Err(JsonError::new(JsonProblem::NotText)),
        },
        Node::Text(text) => match text.expose_str() {
            Some(text) => quote(text, out),
            None => return Err(JsonError::new(JsonProblem::NotText)),
        },
        Node::List(_) => out.text("[]"),
        Node::Map(_) => out.text("{}"),
    }
    Ok(())
}

/// RFC 3339 needs only these characters, and none of them means structure: no blank follows its
/// colons.
fn is_plain_time(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_digit() || b"-:.TZ+".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_digit())
        && !text.ends_with(':')
        && text.bytes().all(plain)
}

/// YAML has more spellings of numbers than JSON (`0o17`, `.inf`); none holds a character that means
/// structure.
fn is_plain_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Writes a key without quotes where every reader takes it for text.
fn key(name: &str, out: &mut WipedBytes) {
    const WORDS: [&str; 10] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan",
    ];
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && !WORDS.iter().any(|word| name.eq_ignore_ascii_case(word));
    if plain {
        out.text(name);
    } else {
        quote(name, out);
    }
}

#[cfg(test)]
mod tests;
