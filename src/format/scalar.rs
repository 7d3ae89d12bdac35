//! The type of a YAML scalar: by the core schema for plain documents, by the rules of Go's YAML for
//! SOPS files and Kubernetes objects.
//!
//! The two differ in old spellings (`010`, `0x1F`, `1_000`, dates). In a plain document, a spelling
//! that JSON does not know stays text, byte for byte; a SOPS file must be read as SOPS does, or its
//! checksum differs.

use crate::base::coding::{base64, number};
use crate::base::material::{Node, SecretBytes};

use super::time::Time;

/// The rules for scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarDialect {
    /// YAML 1.2, merge keys applied, spellings kept.
    Core,
    /// Go's `yaml.v3`, which SOPS uses: merge keys left alone, numbers normalised.
    Sops,
    /// As `kubectl` reads manifests: Go's numbers, the booleans of YAML 1.1, merge keys applied,
    /// no dates.
    Kubernetes,
}

/// A tag that tells the type of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// No tag was written, and the scalar is unquoted.
    None,
    /// Quoted, `!!str`, `!`, or a tag that we do not know.
    Text,
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Binary,
}

impl Tag {
    /// The tag with this part after `tag:yaml.org,2002:`.
    pub(crate) fn from_suffix(suffix: &str) -> Self {
        match suffix {
            "null" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "float" => Self::Float,
            "timestamp" => Self::Timestamp,
            "binary" => Self::Binary,
            _ => Self::Text,
        }
    }
}

/// The node of a scalar; `None` when the scalar does not fit its tag.
pub(crate) fn node(dialect: ScalarDialect, tag: Tag, text: &str) -> Option<Node> {
    match tag {
        Tag::Text => return Some(Node::text(text)),
        Tag::Binary => return binary(text),
        Tag::None | Tag::Null | Tag::Bool | Tag::Int | Tag::Float | Tag::Timestamp => {}
    }
    let resolved = match resolved(dialect, tag, text)? {
        Resolved::Text => Node::text(text),
        Resolved::Other(node) => node,
    };
    let fits = match (tag, &resolved) {
        (Tag::None, _)
        | (Tag::Null, Node::Null)
        | (Tag::Bool, Node::Bool(_))
        | (Tag::Int | Tag::Float, Node::Number(_))
        | (Tag::Timestamp, Node::Text(_) | Node::Time(_)) => true,
        // A spelling that JSON does not know, or no number at all: the reader of the document
        // decides.
        (Tag::Int | Tag::Float, Node::Text(_)) => dialect == ScalarDialect::Core,
        _ => false,
    };
    fits.then_some(resolved)
}

/// Whether an unquoted scalar is text.
pub(crate) fn is_text(dialect: ScalarDialect, text: &str) -> bool {
    matches!(resolved(dialect, Tag::None, text), Some(Resolved::Text))
}

/// What an unquoted scalar means.
enum Resolved {
    /// Its own text.
    Text,
    Other(Node),
}

fn resolved(dialect: ScalarDialect, tag: Tag, text: &str) -> Option<Resolved> {
    match dialect {
        ScalarDialect::Core => Some(core(text)),
        ScalarDialect::Sops => go(text, tag),
        ScalarDialect::Kubernetes => kubernetes(text, tag),
    }
}

/// Base64, with line breaks allowed inside.
fn binary(text: &str) -> Option<Node> {
    let bytes = base64::decode_spaced(text.as_bytes())?;
    Some(Node::Text(SecretBytes::from(bytes)))
}

/// Whether an unquoted scalar means `null`.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn core(text: &str) -> Resolved {
    Resolved::Other(match text {
        _ if is_null(text) => Node::Null,
        "true" | "True" | "TRUE" => Node::Bool(true),
        "false" | "False" | "FALSE" => Node::Bool(false),
        _ if number::is_json(text) => Node::Number(SecretBytes::from(text)),
        _ => return Resolved::Text,
    })
}

fn kubernetes(text: &str, tag: Tag) -> Option<Resolved> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Resolved::Other(Node::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Resolved::Other(Node::Bool(false))
        }
        _ => match go(text, tag)? {
            Resolved::Other(Node::Time(_)) => Resolved::Text,
            resolved @ (Resolved::Text | Resolved::Other(_)) => resolved,
        },
    })
}

/// `None` when SOPS would refuse the number.
fn go(text: &str, tag: Tag) -> Option<Resolved> {
    Some(Resolved::Other(match text {
        _ if is_null(text) => Node::Null,
        "true" | "True" | "TRUE" => Node::Bool(true),
        "false" | "False" | "FALSE" => Node::Bool(false),
        ".nan" | ".NaN" | ".NAN" => float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => float(f64::NEG_INFINITY),
        _ => match text.as_bytes().first() {
            Some(b'.') => match finite(text) {
                Some(number) => float(number),
                None => return Some(Resolved::Text),
            },
            Some(b'0'..=b'9' | b'+' | b'-') => return go_number(text, tag),
            _ => return Some(Resolved::Text),
        },
    }))
}

fn go_number(text: &str, tag: Tag) -> Option<Resolved> {
    if matches!(tag, Tag::None | Tag::Timestamp)
        && let Some(time) = Time::yaml(text)
    {
        return Some(Resolved::Other(Node::Time(time.precise().into())));
    }
    let plain = text.replace('_', "");
    if let Some(integer) = integer(&plain) {
        // SOPS cannot handle unsigned numbers of 64 bits.
        let fits = i64::try_from(integer).is_ok();
        let node = match tag {
            Tag::Float => Some(float(integer as f64)),
            Tag::None
            | Tag::Text
            | Tag::Null
            | Tag::Bool
            | Tag::Int
            | Tag::Timestamp
            | Tag::Binary => fits.then(|| Node::Number(SecretBytes::from(integer.to_string()))),
        };
        return node.map(Resolved::Other);
    }
    let decimal = plain
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    Some(match finite(&plain).filter(|_| decimal) {
        Some(number) => Resolved::Other(float(number)),
        None => Resolved::Text,
    })
}

/// A number of 64 bits, with or without a sign, in any base that its prefix names.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let size = i128::from(u64::from_str_radix(digits, base).ok()?);
    let number = if negative { -size } else { size };
    (number >= i128::from(i64::MIN)).then_some(number)
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn float(number: f64) -> Node {
    Node::Number(SecretBytes::from(number::in_yaml(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<Node> {
        Some(Node::Number(SecretBytes::from(text)))
    }

    fn text(text: &str) -> Option<Node> {
        Some(Node::text(text))
    }

    #[test]
    fn sops_files_are_resolved_as_go_does() {
        for (written, expected) in [
            ("010", number("8")),
            ("0o17", number("15")),
            ("-0x1F", number("-31")),
            ("0b101", number("5")),
            ("1_000", number("1000")),
            ("+12", number("12")),
            ("1.10", number("1.1")),
            (
                "123456789012345678901234567890",
                number("1.2345678901234568e+29"),
            ),
            ("-9223372036854775808", number("-9223372036854775808")),
            ("9223372036854775808", None),
            (".5", number("0.5")),
            ("6.", number("6")),
            ("1e3", number("1000")),
            (".inf", number(".inf")),
            ("-.INF", number("-.inf")),
            (".NaN", number(".nan")),
            (
                "2024-01-02",
                Some(Node::Time("2024-01-02T00:00:00Z".into())),
            ),
            ("089", number("89")),
            ("1e999", text("1e999")),
            ("12:30:45", text("12:30:45")),
            ("-", text("-")),
            ("1-2", text("1-2")),
            ("yes", text("yes")),
            ("Null", Some(Node::Null)),
            ("TRUE", Some(Node::Bool(true))),
            ("tRUE", text("tRUE")),
        ] {
            assert_eq!(
                node(ScalarDialect::Sops, Tag::None, written),
                expected,
                "{written}"
            );
        }
        assert_eq!(node(ScalarDialect::Sops, Tag::Float, "1"), number("1"));
        assert_eq!(node(ScalarDialect::Sops, Tag::Int, "x"), None);
        assert_eq!(node(ScalarDialect::Sops, Tag::Text, "1"), text("1"));
        assert_eq!(
            node(ScalarDialect::Sops, Tag::Binary, "/w\n=="),
            Some(Node::Text(SecretBytes::from(vec![0xff])))
        );
        assert_eq!(node(ScalarDialect::Sops, Tag::Binary, "%"), None);
    }

    #[test]
    fn plain_documents_keep_spellings() {
        for (written, expected) in [
            ("9007199254740993", number("9007199254740993")),
            ("1.50", number("1.50")),
            ("0644", text("0644")),
            ("1_000", text("1_000")),
            ("2024-01-02", text("2024-01-02")),
            ("~", Some(Node::Null)),
            ("false", Some(Node::Bool(false))),
            ("no", text("no")),
        ] {
            assert_eq!(
                node(ScalarDialect::Core, Tag::None, written),
                expected,
                "{written}"
            );
        }
        assert_eq!(node(ScalarDialect::Core, Tag::Int, "0644"), text("0644"));
        assert_eq!(node(ScalarDialect::Core, Tag::Bool, "1"), None);
    }
}
