//! YAML into trees, from the events of `granit-parser`: order kept, duplicate keys refused, bombs
//! bounded.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle};

use crate::base::material::Node;

use super::scalar::{self, Dialect, Tag};
use super::syntax::{MAX_DEPTH, MOST_VALUES, SyntaxError, duplicate};

mod go;
pub(crate) mod write;

/// Nodes that aliases may add to a file. Honest files share some settings; bombs double at each
/// level.
const MAX_UNFOLDED_NODES: usize = 50_000;
/// Bytes of text that aliases may add.
const MAX_UNFOLDED_BYTES: usize = 8 * 1024 * 1024;

/// All documents of a stream.
pub(crate) fn documents(text: &str, dialect: Dialect) -> Result<Vec<Node>, SyntaxError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        disallow_directives: false,
    };
    options.set_emit_comments(false);
    let mut builder = Builder::new(dialect);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| refusal(&error))?;
        let event = match dialect {
            Dialect::Core | Dialect::Kubernetes => event,
            Dialect::Sops => go::lines(event, source(text, span)),
        };
        builder.take(event, span.start.line())?;
    }
    Ok(builder.documents)
}

/// How an event is written, from the start of its first line on.
fn source(text: &str, span: granit_parser::Span) -> Option<&str> {
    let range = span.byte_range()?;
    let line = text.get(..range.start)?.rfind('\n').map_or(0, |at| at + 1);
    text.get(line..range.end)
}

fn refusal(error: &granit_parser::ScanError) -> SyntaxError {
    use granit_parser::ErrorKind;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an enum of a library, which grows"
    )]
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => SyntaxError::TooDeep,
        _ => SyntaxError::Malformed {
            language: "YAML",
            line: error.marker().line(),
            column: error.marker().col() + 1,
        },
    }
}

/// What is open while events come in.
struct Open {
    /// The anchor that names it, or 0.
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<(String, Node)>,
        /// What `<<` brings, applied after the mapping's own keys.
        merged: Vec<Node>,
        key: Key,
    },
}

/// The key that waits for its value.
enum Key {
    Awaited,
    Name(String),
    Merge,
}

struct Builder {
    dialect: Dialect,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    values: usize,
    unfolded_nodes: usize,
    unfolded_bytes: usize,
}

impl Builder {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            documents: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            values: 0,
            unfolded_nodes: 0,
            unfolded_bytes: 0,
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an enum of a library, which grows"
    )]
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.awaits_key() {
                    return self.key(&text, style, anchor, line);
                }
                let tag = scalar_tag(style, tag.as_deref());
                let node =
                    scalar::node(self.dialect, tag, &text).ok_or(SyntaxError::Scalar { line })?;
                self.place(node, anchor, line)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.begin(anchor, Content::List(Vec::new()), line)
            }
            Event::MappingStart(_, anchor, _) => self.begin(
                anchor,
                Content::Map {
                    entries: Vec::new(),
                    merged: Vec::new(),
                    key: Key::Awaited,
                },
                line,
            ),
            Event::SequenceEnd | Event::MappingEnd => self.end(line),
            Event::Alias(anchor) => self.alias(anchor, line),
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            // What stands around nodes, and what our options leave out.
            _ => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                content: Content::Map {
                    key: Key::Awaited,
                    ..
                },
                ..
            })
        )
    }

    fn key(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        line: usize,
    ) -> Result<(), SyntaxError> {
        let plain = style == ScalarStyle::Plain;
        if self.dialect == Dialect::Sops && plain {
            // SOPS walks over text keys only.
            match scalar::node(Dialect::Sops, Tag::None, text) {
                Some(Node::Text(_)) => {}
                _ => return Err(SyntaxError::Key { line }),
            }
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Node::text(text));
        }
        if let Some(Open {
            content: Content::Map { key, .. },
            ..
        }) = self.open.last_mut()
        {
            *key = match plain && text == "<<" && self.dialect != Dialect::Sops {
                true => Key::Merge,
                false => Key::Name(text.to_owned()),
            };
        }
        Ok(())
    }

    fn begin(&mut self, anchor: usize, content: Content, line: usize) -> Result<(), SyntaxError> {
        if self.awaits_key() {
            return Err(SyntaxError::Key { line });
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError::TooDeep);
        }
        self.open.push(Open { anchor, content });
        Ok(())
    }

    fn end(&mut self, line: usize) -> Result<(), SyntaxError> {
        let Some(Open { anchor, content }) = self.open.pop() else {
            return Ok(());
        };
        let node = match content {
            Content::List(items) => Node::List(items),
            Content::Map {
                mut entries,
                merged,
                ..
            } => {
                duplicate(&entries)?;
                if !merged.is_empty() {
                    let own = &mut entries.iter().map(|(key, _)| key.clone()).collect();
                    for source in merged {
                        merge(&mut entries, own, source, line)?;
                    }
                }
                Node::Map(entries)
            }
        };
        self.place(node, anchor, line)
    }

    /// A finished node goes where it belongs.
    fn place(&mut self, node: Node, anchor: usize, line: usize) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.count(&node, 0)?;
            self.anchors.insert(anchor, node.duplicate());
        }
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(SyntaxError::TooMany);
        }
        let Some(Open { content, .. }) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match content {
            Content::List(items) => items.push(node),
            Content::Map {
                entries,
                merged,
                key,
            } => match std::mem::replace(key, Key::Awaited) {
                Key::Name(name) => entries.push((name, node)),
                Key::Merge => merged.push(node),
                Key::Awaited => return Err(SyntaxError::Key { line }),
            },
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), SyntaxError> {
        let Some(node) = self.anchors.get(&anchor) else {
            // The alias stands inside the node it names.
            return Err(SyntaxError::Unfolds);
        };
        let node = node.duplicate();
        if self.awaits_key() {
            let Node::Text(text) = &node else {
                return Err(SyntaxError::Key { line });
            };
            let text = text.expose_str().ok_or(SyntaxError::NotText)?;
            return self.key(text, ScalarStyle::SingleQuoted, 0, line);
        }
        let depth = self.open.len();
        self.count(&node, depth)?;
        self.place(node, 0, line)
    }

    /// Adds a copy's size to what aliases unfolded into.
    fn count(&mut self, node: &Node, depth: usize) -> Result<(), SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(SyntaxError::TooDeep);
        }
        self.unfolded_nodes += 1;
        match node {
            Node::Null | Node::Bool(_) => {}
            Node::Number(text) | Node::Time(text) | Node::Text(text) => {
                self.unfolded_bytes += text.len();
            }
            Node::List(items) => {
                for item in items {
                    self.count(item, depth + 1)?;
                }
            }
            Node::Map(entries) => {
                for (key, item) in entries {
                    self.unfolded_bytes += key.len();
                    self.count(item, depth + 1)?;
                }
            }
        }
        if self.unfolded_nodes > MAX_UNFOLDED_NODES || self.unfolded_bytes > MAX_UNFOLDED_BYTES {
            return Err(SyntaxError::Unfolds);
        }
        Ok(())
    }
}

fn scalar_tag(style: ScalarStyle, tag: Option<&granit_parser::Tag>) -> Tag {
    match tag {
        None if style == ScalarStyle::Plain => Tag::None,
        None => Tag::Text,
        Some(tag) if tag.handle() == "tag:yaml.org,2002:" => Tag::of(tag.suffix()),
        Some(_) => Tag::Text,
    }
}

/// Keys that the mapping has not itself; of several sources the first wins.
fn merge(
    entries: &mut Vec<(String, Node)>,
    own: &mut HashSet<String>,
    source: Node,
    line: usize,
) -> Result<(), SyntaxError> {
    match source {
        Node::Map(inherited) => {
            for (key, node) in inherited {
                if own.insert(key.clone()) {
                    entries.push((key, node));
                }
            }
            Ok(())
        }
        Node::List(sources) => sources.into_iter().try_for_each(|source| match source {
            Node::Map(_) => merge(entries, own, source, line),
            Node::Null
            | Node::Bool(_)
            | Node::Number(_)
            | Node::Time(_)
            | Node::Text(_)
            | Node::List(_) => Err(SyntaxError::Merge { line }),
        }),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => {
            Err(SyntaxError::Merge { line })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, SyntaxError>) {
        let seen = documents(text, Dialect::Core).map(|nodes| {
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
            let nodes = documents(text, Dialect::Sops).expect(text);
            let seen = show(&nodes[0]).replace('\u{2028}', "\\u{2028}");
            assert_eq!(seen, expected, "{text}");
        }
        let plain = documents("a: 'x\u{2028}  y'\n", Dialect::Core).expect("YAML");
        assert_eq!(show(&plain[0]), r#"{a: "x\u{2028}  y"}"#);
    }

    #[test]
    fn sops_takes_text_keys_only_and_leaves_merge_keys_alone() {
        let sops = |text| documents(text, Dialect::Sops);
        assert_eq!(sops("1: x\n"), Err(SyntaxError::Key { line: 1 }));
        assert_eq!(sops("true: x\n"), Err(SyntaxError::Key { line: 1 }));
        assert_eq!(
            show(&sops("'1': x\n<<: {a: b}\n").unwrap()[0]),
            r#"{1: "x", <<: {a: "b"}}"#
        );
    }
}
