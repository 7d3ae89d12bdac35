//! JSON as it is delivered: order kept, numbers in their own spelling, every buffer wiped.
//!
//! serde_json is not used for writing: it would need a `Value` that holds copies nobody wipes.

use keyferry_fast::text::before_escape_or_unprintable;
use thiserror::Error;

use crate::base::coding::hex;
use crate::base::coding::number::is_json;
use crate::base::failure::{Class, Fault};
use crate::base::material::{Node, SecretBytes};
use crate::base::wiped::WipedBytes;

/// One line without spaces, for a nested value in a field.
pub(crate) fn compact(node: &Node) -> Result<SecretBytes, JsonError> {
    let mut writer = Writer {
        out: WipedBytes::with_capacity(node.written_size()),
        indented: false,
        as_strings: false,
        depth: 0,
    };
    writer.node(node)?;
    Ok(SecretBytes::from(writer.out))
}

/// Whole documents: one document as it stands, several as a list.
pub(crate) fn documents(documents: &[Node], as_strings: bool) -> Result<SecretBytes, JsonError> {
    let size = documents.iter().map(Node::written_size).sum();
    let mut writer = Writer::indented(size, as_strings);
    match documents {
        [document] => writer.node(document)?,
        several => writer.list(several)?,
    }
    Ok(writer.finish())
}

/// One object of fields.
pub(crate) fn object<'a>(
    fields: impl Iterator<Item = (&'a str, &'a Node)>,
    as_strings: bool,
) -> Result<SecretBytes, JsonError> {
    let mut writer = Writer::indented(0, as_strings);
    writer.map(fields)?;
    Ok(writer.finish())
}

struct Writer {
    out: WipedBytes,
    indented: bool,
    as_strings: bool,
    depth: usize,
}

impl Writer {
    /// For documents of about this size.
    fn indented(size: usize, as_strings: bool) -> Self {
        Self {
            out: WipedBytes::with_capacity(size),
            indented: true,
            as_strings,
            depth: 0,
        }
    }

    fn finish(mut self) -> SecretBytes {
        self.out.text("\n");
        SecretBytes::from(self.out)
    }

    fn node(&mut self, node: &Node) -> Result<(), JsonError> {
        match node {
            Node::Null => self.out.text("null"),
            Node::Bool(value) => self.plain(if *value { "true" } else { "false" }),
            Node::Number(spelling) => match spelling.expose_str() {
                Some(text) if self.as_strings || is_json(text) => self.plain(text),
                _ => return Err(JsonError::new(JsonProblem::Number)),
            },
            Node::Time(text) | Node::Text(text) => match text.expose_str() {
                Some(text) => quote(text, &mut self.out),
                None => return Err(JsonError::new(JsonProblem::NotText)),
            },
            Node::List(items) => self.list(items)?,
            Node::Map(entries) => {
                self.map(entries.iter().map(|(key, node)| (key.as_str(), node)))?;
            }
        }
        Ok(())
    }

    /// A number or truth value; in quotes where all values become text.
    fn plain(&mut self, text: &str) {
        if self.as_strings {
            quote(text, &mut self.out);
        } else {
            self.out.text(text);
        }
    }

    fn list(&mut self, items: &[Node]) -> Result<(), JsonError> {
        self.out.text("[");
        self.depth += 1;
        for (index, item) in items.iter().enumerate() {
            self.entry(index == 0);
            self.node(item)
                .map_err(|error| error.beneath(&index.to_string()))?;
        }
        self.close(items.is_empty(), "]");
        Ok(())
    }

    fn map<'a>(
        &mut self,
        entries: impl Iterator<Item = (&'a str, &'a Node)>,
    ) -> Result<(), JsonError> {
        self.out.text("{");
        self.depth += 1;
        let mut empty = true;
        for (key, node) in entries {
            self.entry(empty);
            empty = false;
            quote(key, &mut self.out);
            self.out.text(if self.indented { ": " } else { ":" });
            self.node(node).map_err(|error| error.beneath(key))?;
        }
        self.close(empty, "}");
        Ok(())
    }

    fn entry(&mut self, first: bool) {
        if !first {
            self.out.text(",");
        }
        self.line();
    }

    fn close(&mut self, empty: bool, bracket: &str) {
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.text(bracket);
    }

    fn line(&mut self) {
        if self.indented {
            self.out.text("\n");
            self.out.indent(self.depth);
        }
    }
}

/// A double-quoted string that JSON and YAML 1.1 and 1.2 read alike: characters that are not
/// printable in YAML are escaped too.
pub(crate) fn quote(text: &str, out: &mut WipedBytes) {
    out.text("\"");
    let mut rest = text;
    loop {
        // Most texts are written in one run.
        let plain = before_escape_or_unprintable(rest.as_bytes());
        out.text(&rest[..plain]);
        rest = &rest[plain..];
        let Some(character) = rest.chars().next() else {
            break;
        };
        match character {
            '"' => out.text("\\\""),
            '\\' => out.text("\\\\"),
            '\n' => out.text("\\n"),
            '\r' => out.text("\\r"),
            '\t' => out.text("\\t"),
            '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => escape(character, out),
            other => out.char(other),
        }
        rest = &rest[character.len_utf8()..];
    }
    out.text("\"");
}

/// `\uXXXX`; two of them for a character beyond the first 65,536.
pub(crate) fn escape(character: char, out: &mut WipedBytes) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.text("\\u");
        for byte in unit.to_be_bytes() {
            out.write(&hex::pair(byte));
        }
    }
}

/// Why a value has no JSON or YAML form, and where.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{}{problem}", self.place())]
pub(crate) struct JsonError {
    path: Vec<String>,
    problem: JsonProblem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum JsonProblem {
    #[error("the value is not UTF-8 text")]
    NotText,
    #[error("the number has no such spelling in this format")]
    Number,
}

impl JsonError {
    pub(crate) fn new(problem: JsonProblem) -> Self {
        Self {
            path: Vec::new(),
            problem,
        }
    }

    /// The same error seen from the mapping or list around it.
    pub(crate) fn beneath(mut self, step: &str) -> Self {
        self.path.insert(0, step.to_owned());
        self
    }

    fn place(&self) -> String {
        if self.path.is_empty() {
            return String::new();
        }
        format!(
            "at {}: ",
            crate::base::printable::quoted(&self.path.join("."))
        )
    }
}

impl Fault for JsonError {
    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self.problem {
            JsonProblem::NotText => {
                "bytes go to `format: raw`, to `files` and to Secrets; in text they need base64 \
                 at their source"
                    .to_owned()
            }
            JsonProblem::Number => {
                "make it text at its source, or say `asStrings: true` where the format is json"
                    .to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests;
