//! The JSON of an answer as a [`Node`]: numbers keep their spelling, order is kept, and text goes
//! from the body directly into memory that is wiped. This parser exists because `serde_json`
//! unescapes into a buffer that is not wiped and turns numbers into floats. `serde_json` has
//! checked the text before.

use std::collections::HashSet;

use serde_json::value::RawValue;

use crate::base::wiped::WipedBytes;

use super::error::Cause;
use super::failure_reasons::OverLimit;
use crate::base::coding::hex;
use crate::base::material::{Node, SecretBytes};

/// The deepest nesting of lists and mappings in an answer.
const DEPTH: usize = 64;

/// The most values in an answer: a value of two bytes takes fifty bytes in a tree.
const VALUES: usize = 100_000;

/// The tree of a JSON value that is `above` levels deep in its document.
pub(super) fn node(json: &RawValue, above: usize) -> Result<Node, Cause> {
    let mut reader = Reader {
        rest: json.get(),
        room: VALUES,
    };
    reader.value(above)
}

/// The rest of the text.
struct Reader<'a> {
    rest: &'a str,
    /// How many more values are accepted.
    room: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, above: usize) -> Result<Node, Cause> {
        self.room = self.room.checked_sub(1).ok_or(OverLimit::Many)?;
        match self.peek() {
            Some(b'{' | b'[') if above >= DEPTH => Err(OverLimit::Deep.into()),
            Some(b'{') => self.map(above + 1),
            Some(b'[') => self.list(above + 1),
            Some(b'"') => Ok(Node::Text(self.text()?)),
            Some(_) => self.word(),
            None => Err(malformed()),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, Cause> {
        let mut entries = Vec::new();
        while self.another(b'{', b'}')? {
            let name = self.text()?;
            let name = name.expose_str().ok_or_else(malformed)?.to_owned();
            if !self.skip_byte(b':') {
                return Err(malformed());
            }
            entries.push((name, self.value(depth)?));
        }
        let names: HashSet<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        if names.len() < entries.len() {
            return Err(Cause::not_vault("a name stands twice in one mapping"));
        }
        Ok(Node::Map(entries))
    }

    fn list(&mut self, depth: usize) -> Result<Node, Cause> {
        let mut items = Vec::new();
        while self.another(b'[', b']')? {
            items.push(self.value(depth)?);
        }
        Ok(Node::List(items))
    }

    /// Skips the text before the next item, or the end.
    fn another(&mut self, open: u8, close: u8) -> Result<bool, Cause> {
        if self.skip_byte(open) {
            return Ok(!self.skip_byte(close));
        }
        if self.skip_byte(b',') {
            return Ok(true);
        }
        if self.skip_byte(close) {
            return Ok(false);
        }
        Err(malformed())
    }

    fn text(&mut self) -> Result<SecretBytes, Cause> {
        self.peek();
        let mut escaped = false;
        let end = self.rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let literal = self.step(end.ok_or_else(malformed)? + 2)?;
        unescape(literal).ok_or_else(malformed)
    }

    /// A number, a truth value or `null`.
    fn word(&mut self) -> Result<Node, Cause> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        match self.step(end)? {
            "" => Err(malformed()),
            "null" => Ok(Node::Null),
            "true" => Ok(Node::Bool(true)),
            "false" => Ok(Node::Bool(false)),
            number => Ok(Node::Number(SecretBytes::from(number))),
        }
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest.bytes().next()
    }

    fn skip_byte(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }

    fn step(&mut self, length: usize) -> Result<&'a str, Cause> {
        let (before, after) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = after;
        Ok(before)
    }
}

fn malformed() -> Cause {
    Cause::not_vault("malformed JSON")
}

/// The bytes of a JSON string; nothing if it has half a surrogate pair.
fn unescape(literal: &str) -> Option<SecretBytes> {
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = WipedBytes::with_capacity(rest.len());
    while let Some(at) = rest.find('\\') {
        bytes.write(&rest.as_bytes()[..at]);
        let (c, used) = escape(&rest[at + 1..])?;
        bytes.char(c);
        rest = &rest[at + 1 + used..];
    }
    bytes.write(rest.as_bytes());
    Some(SecretBytes::from(bytes))
}

/// The character of an escape after its backslash, and the length of the escape.
fn escape(text: &str) -> Option<(char, usize)> {
    let plain = match text.as_bytes().first()? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(text),
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        _ => return None,
    };
    Some((plain, 1))
}

fn unicode_escape(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| hex::number(text.get(at..at + 4)?);
    let first = unit(1)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 5));
    }
    let second =
        unit(7).filter(|low| text.get(5..7) == Some("\\u") && (0xdc00..0xe000).contains(low))?;
    let high = (0xd800..0xdc00).contains(&first).then_some(first)?;
    let c = char::from_u32(0x10000 + ((high - 0xd800) << 10) + (second - 0xdc00))?;
    Some((c, 11))
}

#[cfg(test)]
mod tests {
    use proptest::collection;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::failure_reasons::Outage;
    use super::*;

    fn parse(json: &str) -> Result<Node, Cause> {
        let raw: &RawValue = serde_json::from_str(json).expect("well formed");
        node(raw, 0)
    }

    fn text(text: &str) -> Node {
        Node::Text(SecretBytes::from(text))
    }

    fn number(text: &str) -> Node {
        Node::Number(SecretBytes::from(text))
    }

    #[test]
    fn row_24_every_value_keeps_its_spelling() {
        let rows = [
            ("null", Node::Null),
            ("true", Node::Bool(true)),
            ("false", Node::Bool(false)),
            ("9007199254740993", number("9007199254740993")),
            ("1.10", number("1.10")),
            ("-0.0", number("-0.0")),
            ("1e400", number("1e400")),
            (r#""""#, text("")),
            (r#""a\u0000b""#, text("a\0b")),
            (r#""\"\\\/\b\f\n\r\t""#, text("\"\\/\u{8}\u{c}\n\r\t")),
            (r#""\u00e9é\ud83d\uDE00😀\uffff""#, text("éé😀😀\u{ffff}")),
            (" [ ] ", Node::List(vec![])),
            ("{}", Node::Map(vec![])),
            (
                r#"{"b":[1,{"c":null}],"a":"x"}"#,
                Node::Map(vec![
                    (
                        "b".to_owned(),
                        Node::List(vec![
                            number("1"),
                            Node::Map(vec![("c".to_owned(), Node::Null)]),
                        ]),
                    ),
                    ("a".to_owned(), text("x")),
                ]),
            ),
        ];
        for (json, want) in rows {
            assert_eq!(parse(json).expect(json), want, "{json}");
        }
    }

    #[test]
    fn half_pairs_and_double_names_are_no_answer() {
        for json in [
            r#""\ud800""#,
            r#""\ud800x""#,
            r#""\ud800\u0041""#,
            r#""\udc00\ud800""#,
            r#"{"a":1,"b":2,"a":3}"#,
        ] {
            assert!(
                matches!(parse(json), Err(Cause::Trouble(Outage::NotVault { .. }))),
                "{json}"
            );
        }
    }

    #[test]
    fn row_25_depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(DEPTH)).is_ok());
        for depth in [DEPTH + 1, 100_000] {
            assert!(matches!(
                parse(&nested(depth)),
                Err(Cause::Limit(OverLimit::Deep))
            ));
        }
    }

    #[test]
    fn row_25_the_number_of_values_is_bounded() {
        let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(parse(&list(VALUES - 1)).is_ok());
        let many = parse(&list(VALUES));
        assert!(matches!(many, Err(Cause::Limit(OverLimit::Many))));
    }

    fn expected(value: &Value) -> Node {
        match value {
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Bool(*value),
            Value::Number(value) => number(&value.to_string()),
            Value::String(value) => text(value),
            Value::Array(items) => Node::List(items.iter().map(expected).collect()),
            Value::Object(entries) => Node::Map(
                entries
                    .iter()
                    .map(|(name, value)| (name.clone(), expected(value)))
                    .collect(),
            ),
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 40, 5, |inner| {
            prop_oneof![
                collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                collection::hash_map(".*", inner, 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_document_is_read_as_what_it_says(value in any_value()) {
            for json in [serde_json::to_string(&value), serde_json::to_string_pretty(&value)] {
                prop_assert_eq!(parse(&json.expect("JSON")).expect("well formed"), expected(&value));
            }
        }
    }
}
