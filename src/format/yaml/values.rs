//! YAML into values: the dialect gives the rules for scalars, and a key that stands twice is
//! refused.

use std::borrow::Cow;

use granit_parser::ScalarStyle;

use crate::base::material::Node;
use crate::format::scalar::{self, ScalarDialect, Tag};
use crate::format::{SyntaxError, duplicate};

use super::{Entry, Key, Opened, Place, Scalar, Tree, Weight, What, YamlError, go};

/// All documents of a stream.
pub(crate) fn documents(text: &str, dialect: ScalarDialect) -> Result<Vec<Node>, SyntaxError> {
    super::read(text, &mut Values(dialect))
}

struct Values(ScalarDialect);

impl Values {
    /// The text as this dialect reads it.
    fn text<'a>(&self, scalar: Scalar<'a>) -> Cow<'a, str> {
        match self.0 {
            ScalarDialect::Core | ScalarDialect::Kubernetes => scalar.text,
            ScalarDialect::Sops => go::text(scalar),
        }
    }
}

impl Tree for Values {
    type Node = Node;
    type Error = SyntaxError;

    fn scalar(&mut self, scalar: Scalar<'_>, place: Place) -> Result<Node, SyntaxError> {
        let tag = tag(&scalar);
        let node = scalar::node(self.0, tag, &self.text(scalar));
        node.ok_or_else(|| YamlError::new(place, What::Scalar).into())
    }

    fn key(&mut self, scalar: Scalar<'_>, place: Place) -> Result<Key, SyntaxError> {
        let plain = scalar.style == ScalarStyle::Plain;
        let text = self.text(scalar).into_owned();
        match self.0 {
            ScalarDialect::Core | ScalarDialect::Kubernetes if plain && text == "<<" => {
                Ok(Key::Merge)
            }
            ScalarDialect::Core | ScalarDialect::Kubernetes => Ok(Key::Name(text)),
            // SOPS walks over text keys only, and leaves merge keys alone.
            ScalarDialect::Sops => match !plain || scalar::is_text(self.0, &text) {
                true => Ok(Key::Name(text)),
                false => Err(YamlError::new(place, What::Key).into()),
            },
        }
    }

    fn list(&mut self, items: Vec<Node>, _: Place) -> Node {
        Node::List(items)
    }

    fn unique(&mut self, entries: Vec<Entry<Node>>) -> Result<Vec<Entry<Node>>, SyntaxError> {
        duplicate(entries.iter().map(|entry| entry.key.as_str()))?;
        Ok(entries)
    }

    fn map(&mut self, entries: Vec<Entry<Node>>, _: Place) -> Node {
        let entries = entries.into_iter();
        Node::Map(entries.map(|entry| (entry.key, entry.value)).collect())
    }

    fn named(&mut self, key: &str, _: Place) -> Node {
        Node::text(key)
    }

    fn text_of(node: &Node) -> Option<&str> {
        match node {
            Node::Text(text) => text.expose_str(),
            Node::Null
            | Node::Bool(_)
            | Node::Number(_)
            | Node::Time(_)
            | Node::List(_)
            | Node::Map(_) => None,
        }
    }

    fn open(node: Node, at: Place) -> Opened<Node> {
        match node {
            Node::List(items) => Opened::List(items),
            Node::Map(entries) => {
                let entry = |(key, value)| Entry { key, at, value };
                Opened::Map(entries.into_iter().map(entry).collect())
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => {
                Opened::Scalar
            }
        }
    }

    fn copy(node: &Node) -> Node {
        node.duplicate()
    }

    fn weigh(node: &Node) -> Weight {
        match node {
            Node::Null | Node::Bool(_) => Weight::scalar(0),
            Node::Number(text) | Node::Time(text) | Node::Text(text) => Weight::scalar(text.len()),
            Node::List(items) => Weight::around(items.iter().map(Self::weigh)),
            Node::Map(entries) => {
                let weigh = |(key, node): &(String, Node)| Self::weigh(node).with_key(key);
                Weight::around(entries.iter().map(weigh))
            }
        }
    }
}

fn tag(scalar: &Scalar<'_>) -> Tag {
    match scalar.tag {
        None if scalar.style == ScalarStyle::Plain => Tag::None,
        None => Tag::Text,
        Some(tag) if tag.handle() == "tag:yaml.org,2002:" => Tag::from_suffix(tag.suffix()),
        Some(_) => Tag::Text,
    }
}

impl From<YamlError> for SyntaxError {
    fn from(error: YamlError) -> Self {
        let Place { line, column } = error.at;
        let [line, column] = [line, column].map(|number| usize::try_from(number).unwrap_or(0));
        match error.what {
            What::Malformed { .. } => Self::Malformed {
                language: "YAML",
                line,
                column,
            },
            What::Key => Self::Key { line },
            What::Scalar => Self::Scalar { line },
            What::Merge => Self::Merge { line },
            What::TooDeep => Self::TooDeep,
            What::TooMany => Self::TooMany,
            What::InsideItself | What::Unfolds => Self::Unfolds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, SyntaxError>) {
        let seen = documents(text, ScalarDialect::Core).map(|nodes| {
            let all: Vec<String> = nodes.iter().map(show).collect();
            all.join(" --- ")
        });
        assert_eq!(seen, expected.map(str::to_owned), "{text}");
    }

    /// One line per document, JSON-like.
    fn show(node: &Node) -> String {
        let join = |parts: Vec<String>| parts.join(", ");
        match node {
            Node::Null => "null".to_owned(),
            Node::Bool(value) => value.to_string(),
            Node::Number(text) | Node::Time(text) => text.expose_str().unwrap().to_owned(),
            Node::Text(text) => format!("{:?}", String::from_utf8_lossy(text.expose())),
            Node::List(items) => format!("[{}]", join(items.iter().map(show).collect())),
            Node::Map(entries) => format!(
                "{{{}}}",
                join(
                    entries
                        .iter()
                        .map(|(key, node)| format!("{key}: {}", show(node)))
                        .collect()
                )
            ),
        }
    }

    #[test]
    fn documents_keep_their_order_and_their_spelling() {
        check("", Ok(""));
        check("---\n", Ok("null"));
        check(
            "b: 1\na: {x: ~, y: [true, 'no', no]}\n",
            Ok(r#"{b: 1, a: {x: null, y: [true, "no", "no"]}}"#),
        );
        check("a: 1\n---\nb: 2\n", Ok("{a: 1} --- {b: 2}"));
        check("\u{feff}a: |\n  x\r\n  y\n", Ok(r#"{a: "x\ny\n"}"#));
        check("1: x\ntrue: y\n", Ok(r#"{1: "x", true: "y"}"#));
        check(
            "a: !!binary aGk=\nb: !!python/object x\nc: !x y\n",
            Ok(r#"{a: "hi", b: "x", c: "y"}"#),
        );
        check("? a\n: b\n", Ok(r#"{a: "b"}"#));
    }

    /// As Go's YAML reads them, and with it sops and Kubernetes.
    #[test]
    fn row_204_layout_is_read_as_go_reads_it() {
        check("a: |\n  x", Ok(r#"{a: "x"}"#));
        check("a: |\n  x\n", Ok(r#"{a: "x\n"}"#));
        check("a: |+\n  x\n  ", Ok(r#"{a: "x\n"}"#));
        check("a: >\n  x\n  y", Ok(r#"{a: "x y"}"#));
        check("b:\n  c: \"u\nv\"\n", Ok(r#"{b: {c: "u v"}}"#));
        check("a: \"x\n\ty\"\n", Ok(r#"{a: "x y"}"#));
    }

    #[test]
    fn anchors_and_merge_keys_are_unfolded() {
        check("a: &x [1]\nb: *x\n", Ok("{a: [1], b: [1]}"));
        check("&k a: 1\nb: *k\n", Ok(r#"{a: 1, b: "a"}"#));
        check(
            "base: &b {x: 1, y: 2}\nm:\n  <<: *b\n  y: 3\n",
            Ok("{base: {x: 1, y: 2}, m: {y: 3, x: 1}}"),
        );
        check("m: {<<: [{a: 1}, {a: 2, b: 3}]}\n", Ok("{m: {a: 1, b: 3}}"));
        check("m: {'<<': 1}\n", Ok("{m: {<<: 1}}"));
        check("m: {<<: 1}\n", Err(SyntaxError::Merge { line: 1 }));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        check(
            "a: 1\nb: 2\na: 3\n",
            Err(SyntaxError::Duplicate {
                key: "a".to_owned(),
            }),
        );
        check(
            "a: [1\nb: 2",
            Err(SyntaxError::Malformed {
                language: "YAML",
                line: 2,
                column: 2,
            }),
        );
        check("? [a]\n: 1\n", Err(SyntaxError::Key { line: 1 }));
        check("a: !!bool x\n", Err(SyntaxError::Scalar { line: 1 }));
        check("a: &x [*x]\n", Err(SyntaxError::Unfolds));
        check(&"[".repeat(100_000), Err(SyntaxError::TooDeep));
        check(&"- ".repeat(100_000), Err(SyntaxError::TooDeep));
    }

    #[test]
    fn alias_bombs_end_early() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        check(&bomb, Err(SyntaxError::Unfolds));
    }

    #[test]
    fn row_173_separators_of_lines_are_read_as_go_reads_them() {
        let cases = [
            ("a: 'x\u{2028}    y'\n", r#"{a: "x\u{2028}y"}"#),
            (
                "a: 'x\u{2028}\u{2029}  y'\n",
                r#"{a: "x\u{2028}\u{2029}y"}"#,
            ),
            ("a: \"x\\L  y\"\n", r#"{a: "x\u{2028}  y"}"#),
            (
                "a: ['x\u{2028}', \u{2028}]\n",
                r#"{a: ["x\u{2028}", "\u{2028}"]}"#,
            ),
            (
                "a: |\n    one\n    two\u{2028}    x\u{2028}      y\n",
                r#"{a: "one\ntwo\u{2028}x\u{2028}  y\n"}"#,
            ),
            ("a: |4-\n      x\u{2028}    y\n", r#"{a: "  x\u{2028}y"}"#),
            ("'k\u{2028}  l': v\n", r#"{k\u{2028}l: "v"}"#),
        ];
        for (text, expected) in cases {
            let nodes = documents(text, ScalarDialect::Sops).expect(text);
            let seen = show(&nodes[0]).replace('\u{2028}', "\\u{2028}");
            assert_eq!(seen, expected, "{text}");
        }
        let plain = documents("a: 'x\u{2028}  y'\n", ScalarDialect::Core).expect("YAML");
        assert_eq!(show(&plain[0]), r#"{a: "x\u{2028}  y"}"#);
    }

    #[test]
    fn sops_takes_text_keys_only_and_leaves_merge_keys_alone() {
        let sops = |text| documents(text, ScalarDialect::Sops);
        assert_eq!(sops("1: x\n"), Err(SyntaxError::Key { line: 1 }));
        assert_eq!(sops("true: x\n"), Err(SyntaxError::Key { line: 1 }));
        assert_eq!(
            show(&sops("'1': x\n<<: {a: b}\n").unwrap()[0]),
            r#"{1: "x", <<: {a: "b"}}"#
        );
    }
}
