//! JSON of an answer as a [`Node`]: numbers keep their spelling, order is kept, and text goes from the body straight
//! into memory that is wiped. Parsed by hand on top of `RawValue`, because `serde_json` unescapes into a buffer of its own.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::error::Cause;
use super::reasons::Limit;
use crate::material::{Node, SecretBytes};

/// Levels of lists and mappings that an answer may have.
const DEPTH: usize = 64;

/// The tree of a JSON value that lies `above` levels deep in its document.
pub(super) fn node(json: &RawValue, above: usize) -> Result<Node, Cause> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'{' | b'[') if above >= DEPTH => Err(Limit::Deep.into()),
        Some(b'{') => map(text, above + 1),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| malformed())?;
            let items = items.into_iter().map(|item| node(item, above + 1));
            Ok(Node::List(items.collect::<Result<_, _>>()?))
        }
        Some(b'"') => Ok(Node::Text(unescape(text).ok_or_else(malformed)?)),
        Some(b't') => Ok(Node::Bool(true)),
        Some(b'f') => Ok(Node::Bool(false)),
        Some(b'n') | None => Ok(Node::Null),
        Some(_) => Ok(Node::Number(SecretBytes::from(text))),
    }
}

fn map(text: &str, depth: usize) -> Result<Node, Cause> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let entries = reader.deserialize_map(Entries).map_err(|_| malformed())?;
    let names: HashSet<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() < entries.len() {
        return Err(Cause::not_vault("a name stands twice in one mapping"));
    }
    let entries = entries
        .into_iter()
        .map(|(name, json)| Ok((name, node(json, depth)?)));
    Ok(Node::Map(entries.collect::<Result<_, Cause>>()?))
}

/// The names of a mapping in order, each with its value unparsed.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

fn malformed() -> Cause {
    Cause::not_vault("malformed JSON")
}

/// The bytes that a JSON string means; nothing for half a surrogate pair. The parser has seen that it is well formed.
pub(super) fn unescape(literal: &str) -> Option<SecretBytes> {
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?;
    // No escape is shorter than what it means, so this never grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (c, used) = escape(&rest[at + 1..])?;
        let mut room = Zeroizing::new([0; 4]);
        bytes.extend_from_slice(c.encode_utf8(&mut *room).as_bytes());
        rest = &rest[at + 1 + used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(SecretBytes::from(bytes))
}

/// What an escape after its backslash means, and how long it is.
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
    let unit = |at: usize| u32::from_str_radix(text.get(at..at + 4)?, 16).ok();
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
    use super::super::reasons::Trouble;
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
                matches!(parse(json), Err(Cause::Trouble(Trouble::NotVault { .. }))),
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
                Err(Cause::Limit(Limit::Deep))
            ));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives(value in ".*") {
            let json = serde_json::to_string(&value).expect("text");
            proptest::prop_assert_eq!(parse(&json).expect("text"), text(&value));
        }
    }
}
