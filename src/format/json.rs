//! Reads JSON into a tree: RFC 8259 and nothing beside it. Keeps the order and the spelling of
//! numbers, and refuses duplicate keys.
//!
//! The usual parsers are not used: they keep the last of two equal keys, or the value of a number
//! instead of its spelling.

pub(crate) mod write;

use keyferry_fast::text::before_escape;

use crate::base::coding::{hex, number};
use crate::base::material::{Node, SecretBytes};
use crate::base::wiped::WipedBytes;

use super::scalar::ScalarDialect;
use super::syntax::{MAX_DEPTH, MOST_VALUES, SyntaxError, duplicate};

/// One JSON value and nothing after it.
pub(crate) fn document(text: &str, dialect: ScalarDialect) -> Result<Node, SyntaxError> {
    let mut reader = Reader::new(text, dialect);
    let node = reader.value(0)?;
    match reader.is_at_end() {
        true => Ok(node),
        false => Err(reader.malformed()),
    }
}

/// JSON values one after another.
pub(crate) fn documents(text: &str, dialect: ScalarDialect) -> Result<Vec<Node>, SyntaxError> {
    let mut reader = Reader::new(text, dialect);
    let mut documents = Vec::new();
    while !reader.is_at_end() {
        documents.push(reader.value(0)?);
    }
    Ok(documents)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    dialect: ScalarDialect,
    values: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, dialect: ScalarDialect) -> Self {
        Self {
            text,
            at: text.len() - text.trim_start_matches('\u{feff}').len(),
            dialect,
            values: 0,
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.blanks();
        self.peek().is_none()
    }

    fn value(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(SyntaxError::TooDeep);
        }
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(SyntaxError::TooMany);
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Node::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Node::Bool(true)),
            Some(b'f') => self.word("false", Node::Bool(false)),
            Some(b'n') => self.word("null", Node::Null),
            _ => Err(self.malformed()),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        let mut entries = Vec::new();
        self.at += 1;
        self.blanks();
        if self.eat(b'}') {
            return Ok(Node::Map(entries));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.malformed());
            }
            let key = self.key()?;
            self.blanks();
            self.expect(b':')?;
            entries.push((key, self.value(depth + 1)?));
            self.blanks();
            if self.eat(b'}') {
                duplicate(entries.iter().map(|(key, _)| key.as_str()))?;
                return Ok(Node::Map(entries));
            }
            self.expect(b',')?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        let mut items = Vec::new();
        self.at += 1;
        self.blanks();
        if self.eat(b']') {
            return Ok(Node::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            if self.eat(b']') {
                return Ok(Node::List(items));
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Result<SecretBytes, SyntaxError> {
        match self.plain_string() {
            Ok(text) => Ok(SecretBytes::from(text)),
            Err(plain) => self.escaped_string(plain),
        }
    }

    fn key(&mut self) -> Result<String, SyntaxError> {
        let escaped = match self.plain_string() {
            Ok(text) => return Ok(text.to_owned()),
            Err(plain) => self.escaped_string(plain)?,
        };
        let text = escaped.expose_str().ok_or(SyntaxError::NotText)?;
        Ok(text.to_owned())
    }

    /// A string without escapes; else the number of bytes before its first escape.
    fn plain_string(&mut self) -> Result<&'a str, usize> {
        self.at += 1;
        let rest = self.rest();
        let plain = before_escape(rest.as_bytes());
        if rest.as_bytes().get(plain) != Some(&b'"') {
            return Err(plain);
        }
        self.at += plain + 1;
        Ok(&rest[..plain])
    }

    /// The rest of a string whose first escape stands after `plain` bytes.
    fn escaped_string(&mut self, plain: usize) -> Result<SecretBytes, SyntaxError> {
        let begin = self.at;
        let mut text = WipedBytes::default();
        text.write(&self.rest().as_bytes()[..plain]);
        self.at += plain;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(SecretBytes::from(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    let character = self.escape()?;
                    text.char(character);
                }
                Some(byte @ 0x20..) => {
                    self.at += 1;
                    text.byte(byte);
                }
                Some(0..0x20) => return Err(self.malformed()),
                None => {
                    self.at = begin;
                    return Err(self.malformed());
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let byte = self.peek().ok_or_else(|| self.malformed())?;
        let character = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.malformed()),
        };
        self.at += 1;
        Ok(character)
    }

    /// `uXXXX`, or two of them as a surrogate pair.
    fn unicode(&mut self) -> Result<char, SyntaxError> {
        let first = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.malformed());
        }
        self.expect(b'\\')?;
        let second = self.hexadecimal()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(self.malformed());
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).ok_or_else(|| self.malformed())
    }

    fn hexadecimal(&mut self) -> Result<u32, SyntaxError> {
        self.expect(b'u')?;
        let digits = self.rest().get(..4).ok_or_else(|| self.malformed())?;
        let number = hex::number(digits).ok_or_else(|| self.malformed())?;
        self.at += 4;
        Ok(number)
    }

    fn number(&mut self) -> Result<Node, SyntaxError> {
        let rest = self.rest();
        let end = rest
            .bytes()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let text = &rest[..end];
        if !number::is_json(text) {
            return Err(self.malformed());
        }
        let spelling = match self.dialect {
            ScalarDialect::Core | ScalarDialect::Kubernetes => text.to_owned(),
            ScalarDialect::Sops => self.normalised(text)?,
        };
        self.at += end;
        Ok(Node::Number(SecretBytes::from(spelling)))
    }

    /// The spelling of SOPS, which knows 64-bit integers and doubles.
    fn normalised(&self, text: &str) -> Result<String, SyntaxError> {
        if let Ok(integer) = text.parse::<i64>() {
            return Ok(integer.to_string());
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(number::in_json(float)),
            _ => Err(self.malformed()),
        }
    }

    fn word(&mut self, word: &str, node: Node) -> Result<Node, SyntaxError> {
        if !self.rest().starts_with(word) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(node)
    }

    fn rest(&self) -> &'a str {
        // `at` may stand inside a character while an escaped string is copied; nothing else calls
        // this then.
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), SyntaxError> {
        match self.eat(byte) {
            true => Ok(()),
            false => Err(self.malformed()),
        }
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn malformed(&self) -> SyntaxError {
        let before = &self.text.as_bytes()[..self.at.min(self.text.len())];
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let characters = before[line_start..]
            .iter()
            .filter(|byte| (**byte & 0xc0) != 0x80)
            .count();
        SyntaxError::Malformed {
            language: "JSON",
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: characters + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Node {
        Node::text(text)
    }

    fn malformed(line: usize, column: usize) -> Result<Node, SyntaxError> {
        Err(SyntaxError::Malformed {
            language: "JSON",
            line,
            column,
        })
    }

    #[test]
    fn values_are_kept_as_they_are_spelt() {
        for (written, expected) in [
            ("null", Node::Null),
            (" [ ] ", Node::List(vec![])),
            ("{}", Node::Map(vec![])),
            (
                "9007199254740993",
                Node::Number(SecretBytes::from("9007199254740993")),
            ),
            ("-1.50e+3", Node::Number(SecretBytes::from("-1.50e+3"))),
            (
                r#""a\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00""#,
                text("a\"\\/\u{8}\u{c}\n\r\té\u{e9}\u{1f600}"),
            ),
            (
                "\u{feff}{\"b\": true, \"a\": [false, \"\"]}",
                Node::Map(vec![
                    ("b".to_owned(), Node::Bool(true)),
                    (
                        "a".to_owned(),
                        Node::List(vec![Node::Bool(false), text("")]),
                    ),
                ]),
            ),
        ] {
            assert_eq!(
                document(written, ScalarDialect::Core),
                Ok(expected),
                "{written}"
            );
        }
    }

    #[test]
    fn numbers_of_sops_files_are_normalised() {
        for (written, expected) in [
            ("9007199254740993", "9007199254740993"),
            ("-0", "0"),
            ("1.10", "1.1"),
            ("1e2", "100"),
            ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ] {
            let node = Node::Number(SecretBytes::from(expected));
            assert_eq!(
                document(written, ScalarDialect::Sops),
                Ok(node),
                "{written}"
            );
        }
        assert_eq!(document("1e999", ScalarDialect::Sops), malformed(1, 1));
    }

    #[test]
    fn anything_else_is_malformed_and_told_by_its_place() {
        for (written, line, column) in [
            ("", 1, 1),
            ("[1,]", 1, 4),
            ("[1 2]", 1, 4),
            ("{\"a\":1,}", 1, 8),
            ("{\"a\" 1}", 1, 6),
            ("{a:1}", 1, 2),
            ("{}\n x", 2, 2),
            ("\"\n\"", 1, 2),
            ("\"a", 1, 2),
            ("\"\\x\"", 1, 3),
            ("\"\\ud800\"", 1, 8),
            ("\"\\ud800\\u0041\"", 1, 14),
            ("\"\\udc00\"", 1, 8),
            ("\"\\u+123\"", 1, 4),
            ("01", 1, 1),
            ("nul", 1, 1),
            ("\"é\" x", 1, 5),
        ] {
            assert_eq!(
                document(written, ScalarDialect::Core),
                malformed(line, column),
                "{written}"
            );
        }
        assert_eq!(
            document("{\"a\":1,\"\\u0061\":2}", ScalarDialect::Core),
            Err(SyntaxError::Duplicate {
                key: "a".to_owned()
            })
        );
        assert_eq!(
            document(&"[".repeat(100_000), ScalarDialect::Core),
            Err(SyntaxError::TooDeep)
        );
    }
}
