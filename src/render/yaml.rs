//! YAML that 1.1 and 1.2 readers take alike: block style, every text double-quoted, numbers as they are spelt.

use crate::material::{Node, SecretBytes};

use super::buffer::Wiped;
use super::json::{JsonError, Problem, quote};

/// Whole documents, each behind its `---` where there are several.
pub(super) fn documents(documents: &[Node]) -> Result<SecretBytes, JsonError> {
    let mut out = Wiped::default();
    for (index, document) in documents.iter().enumerate() {
        if documents.len() > 1 {
            out.text("---\n");
        }
        node(document, 0, &mut out).map_err(|error| {
            if documents.len() > 1 {
                error.beneath(&index.to_string())
            } else {
                error
            }
        })?;
    }
    Ok(out.into_secret())
}

/// One mapping of fields.
pub(super) fn object<'a>(
    fields: impl Iterator<Item = (&'a str, &'a Node)>,
) -> Result<SecretBytes, JsonError> {
    let mut out = Wiped::default();
    mapping(fields, 0, &mut out)?;
    Ok(out.into_secret())
}

/// Writes a node from the start of a line to the end of a line.
fn node(node: &Node, depth: usize, out: &mut Wiped) -> Result<(), JsonError> {
    match node {
        Node::Map(entries) if !entries.is_empty() => mapping(
            entries.iter().map(|(key, inner)| (key.as_str(), inner)),
            depth,
            out,
        ),
        Node::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                indent(depth, out);
                out.text("-");
                value(item, depth, out).map_err(|error| error.beneath(&index.to_string()))?;
            }
            Ok(())
        }
        Node::Null
        | Node::Bool(_)
        | Node::Number(_)
        | Node::Text(_)
        | Node::List(_)
        | Node::Map(_) => {
            indent(depth, out);
            scalar(node, out)?;
            out.text("\n");
            Ok(())
        }
    }
}

fn mapping<'a>(
    entries: impl Iterator<Item = (&'a str, &'a Node)>,
    depth: usize,
    out: &mut Wiped,
) -> Result<(), JsonError> {
    for (name, inner) in entries {
        indent(depth, out);
        key(name, out);
        out.text(":");
        value(inner, depth, out).map_err(|error| error.beneath(name))?;
    }
    Ok(())
}

/// What follows `key:` or `-`: a scalar on the same line, all else on lines of its own, one step in.
fn value(inner: &Node, depth: usize, out: &mut Wiped) -> Result<(), JsonError> {
    let nested = match inner {
        Node::Map(entries) => !entries.is_empty(),
        Node::List(items) => !items.is_empty(),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => false,
    };
    if nested {
        out.text("\n");
        node(inner, depth + 1, out)
    } else {
        out.text(" ");
        node(inner, 0, out)
    }
}

fn scalar(node: &Node, out: &mut Wiped) -> Result<(), JsonError> {
    match node {
        Node::Null => out.text("null"),
        Node::Bool(true) => out.text("true"),
        Node::Bool(false) => out.text("false"),
        Node::Number(spelling) => {
            match spelling.expose_str().filter(|text| is_plain_number(text)) {
                Some(text) => out.text(text),
                None => return Err(JsonError::new(Problem::Number)),
            }
        }
        Node::Text(text) => match text.expose_str() {
            Some(text) => quote(text, out),
            None => return Err(JsonError::new(Problem::NotText)),
        },
        Node::List(_) => out.text("[]"),
        Node::Map(_) => out.text("{}"),
    }
    Ok(())
}

/// A number of YAML has more spellings than one of JSON (`0o17`, `.inf`); none holds a character that means structure.
fn is_plain_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Plain where no reader can take it for anything but text.
fn key(name: &str, out: &mut Wiped) {
    const WORDS: [&str; 10] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan",
    ];
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && !WORDS.contains(&name.to_ascii_lowercase().as_str());
    if plain {
        out.text(name);
    } else {
        quote(name, out);
    }
}

fn indent(depth: usize, out: &mut Wiped) {
    for _ in 0..depth {
        out.text("  ");
    }
}

#[cfg(test)]
mod tests;
