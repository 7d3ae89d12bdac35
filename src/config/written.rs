//! A configuration file as a tree of what stands where. What a scalar means is decided by who reads
//! it ([`super::read`]).

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle};

use super::{Location, malformed};

/// Nesting that no configuration has.
const DEEPEST: usize = 64;
/// Nodes that aliases may add: honest files share a few settings.
const MOST_UNFOLDED: usize = 10_000;

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: u32,
    /// From 1, in characters.
    pub(super) column: u32,
}

impl Place {
    /// In this file.
    pub(super) fn of(self, file: &str) -> Location {
        Location {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
        }
    }
}

/// A node of the file.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Where it begins.
    pub(super) at: Place,
    /// What stands there.
    pub(super) what: What,
}

/// What can stand somewhere.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A word, number or text. Only a plain one, without quotes, can mean something else than text.
    Scalar {
        /// As written, escapes resolved.
        text: String,
        /// Without quotes.
        plain: bool,
    },
    /// `[a, b]`.
    List(Vec<Written>),
    /// `key: value`, in the order of the file.
    Map(Vec<Entry>),
    /// What is missing or cannot be read: it stands for whatever is asked for ([`super::mend`]).
    Hole,
}

/// One key of a mapping with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) at: Place,
    /// Its value.
    pub(super) value: Written,
}

/// Why a text is no configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Where; nothing when it is about the whole.
    pub(super) at: Option<Place>,
    /// What is wrong.
    pub(super) what: String,
    /// What to do.
    pub(super) hint: String,
    /// What is wrong, for whoever looks for the next flaw.
    pub(super) kind: Kind,
}

/// What a flaw is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key that nobody knows, and the one that was probably meant.
    Key(Option<&'static str>),
    /// This key is not there.
    Missing(&'static str),
    /// One of a few words is expected, and this one was probably meant.
    Word(Option<&'static str>),
    /// Something else than what stands there is expected.
    Shape(Shape),
    /// What stands there.
    Other,
}

/// What is expected at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `true` or `false`.
    Truth,
    /// `[a, b]`.
    List,
    /// Anything else.
    Other,
}

impl Flaw {
    /// Something else is expected at a place.
    pub(super) fn shape(at: Place, shape: Shape, expected: &str, hint: &str) -> Self {
        Self {
            kind: Kind::Shape(shape),
            ..Self::new(at, format!("{expected} is expected here"), hint)
        }
    }

    /// At a place.
    pub(super) fn new(at: Place, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            what: what.into(),
            hint: hint.into(),
            kind: Kind::Other,
        }
    }
}

impl Written {
    /// Whether nothing was written: `key:`, `key: null`, `key: ~`.
    pub(super) fn is_null(&self) -> bool {
        match &self.what {
            What::Scalar { text, plain: true } => {
                matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            What::Scalar { .. } | What::List(_) | What::Map(_) | What::Hole => false,
        }
    }

    fn nodes(&self) -> usize {
        match &self.what {
            What::Scalar { .. } | What::Hole => 1,
            What::List(items) => 1 + items.iter().map(Self::nodes).sum::<usize>(),
            What::Map(entries) => {
                1 + entries
                    .iter()
                    .map(|entry| entry.value.nodes())
                    .sum::<usize>()
            }
        }
    }
}

/// The one document of a text, an empty mapping when there is none; and what is wrong with it
/// beside. An error where nothing can be read.
pub(super) fn document(text: &str) -> Result<(Written, Vec<Flaw>), Flaw> {
    let mut options = granit_parser::options! {
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    options.set_emit_comments(false);
    let mut builder = Builder::default();
    let text = text.trim_start_matches('\u{feff}');
    let mut well_until = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| malformed::flaw(&error, text, well_until))?;
        well_until = span.end.index();
        let at = place(span.start);
        if matches!(event, Event::DocumentStart(..)) && builder.document.is_some() {
            builder.flaws.push(Flaw::new(
                at,
                "a second document begins here",
                "put it into a file of its own: --config takes several files, or a folder",
            ));
            break;
        }
        builder.take(event, at)?;
    }
    let empty = || Written {
        at: Place { line: 1, column: 1 },
        what: What::Map(Vec::new()),
    };
    Ok((builder.document.unwrap_or_else(empty), builder.flaws))
}

/// What the parser calls a place.
pub(super) fn place(marker: Marker) -> Place {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Place {
        line: number(marker.line()),
        column: number(marker.col() + 1),
    }
}

/// A list or mapping that is not at its end.
struct Open {
    anchor: usize,
    node: Written,
    /// The key that waits for its value.
    key: Option<(String, Place)>,
    /// What `<<` brings, after the mapping's own keys.
    merged: Vec<Written>,
}

#[derive(Default)]
struct Builder {
    document: Option<Written>,
    /// What is wrong, and leaves the rest readable.
    flaws: Vec<Flaw>,
    open: Vec<Open>,
    anchors: HashMap<usize, Written>,
    unfolded: usize,
}

impl Builder {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an enum of a library, which grows"
    )]
    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), Flaw> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let what = What::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain && tag.is_none(),
                };
                self.place(Written { at, what }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(What::List(Vec::new()), anchor, at),
            Event::MappingStart(_, anchor, _) => self.begin(What::Map(Vec::new()), anchor, at),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, at),
            // What stands around nodes.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, what: What, anchor: usize, at: Place) -> Result<(), Flaw> {
        if self.awaits_key() {
            return Err(not_text(at));
        }
        self.open.push(Open {
            anchor,
            node: Written { at, what },
            key: None,
            merged: Vec::new(),
        });
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| matches!(open.node.what, What::Map(_)) && open.key.is_none())
    }

    fn end(&mut self) -> Result<(), Flaw> {
        let Some(mut open) = self.open.pop() else {
            return Ok(());
        };
        if let What::Map(entries) = &mut open.node.what {
            for source in open.merged {
                merge(entries, source)?;
            }
        }
        self.place(open.node, open.anchor)
    }

    /// A finished node goes where it belongs.
    fn place(&mut self, node: Written, anchor: usize) -> Result<(), Flaw> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.document = Some(node);
            return Ok(());
        };
        match (&mut open.node.what, open.key.take()) {
            (What::List(items), _) => items.push(node),
            (What::Map(_), Some((key, _))) if key == "<<" => open.merged.push(node),
            (What::Map(entries), Some((key, at))) => {
                // Of a key that stands twice the first counts.
                if !entries.iter().any(|entry| entry.key == key) {
                    entries.push(Entry {
                        key,
                        at,
                        value: node,
                    });
                }
            }
            (What::Map(entries), None) => {
                let What::Scalar { text, .. } = node.what else {
                    return Err(not_text(node.at));
                };
                if let Some(first) = entries.iter().find(|entry| entry.key == text) {
                    let key = text.escape_debug();
                    self.flaws.push(Flaw::new(
                        node.at,
                        format!("the key `{key}` stands twice in one mapping"),
                        format!(
                            "keep one of them; the first is in line {}, column {}",
                            first.at.line, first.at.column
                        ),
                    ));
                }
                open.key = Some((text, node.at));
            }
            // Never open: a scalar is placed at once.
            (What::Scalar { .. } | What::Hole, _) => {}
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Flaw> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Flaw::new(
                at,
                "this alias stands inside what it names",
                "put quotes around text that begins with `*`",
            ));
        };
        let node = node.clone();
        self.unfolded += node.nodes();
        if self.unfolded > MOST_UNFOLDED || self.open.len() > DEEPEST {
            return Err(Flaw::new(
                at,
                "the aliases unfold into far more than the file holds",
                "write it without aliases",
            ));
        }
        self.place(node, 0)
    }
}

fn not_text(at: Place) -> Flaw {
    Flaw::new(
        at,
        "a key is not text",
        "put quotes around text that begins with `{` or `[`, such as a template: \"{{ NAME }}\"",
    )
}

/// Keys that the mapping has not itself; of several sources the first wins.
fn merge(entries: &mut Vec<Entry>, source: Written) -> Result<(), Flaw> {
    match source.what {
        What::Map(inherited) => {
            for entry in inherited {
                if !entries.iter().any(|own| own.key == entry.key) {
                    entries.push(entry);
                }
            }
            Ok(())
        }
        What::List(sources) => sources
            .into_iter()
            .try_for_each(|source| merge(entries, source)),
        What::Scalar { .. } | What::Hole => Err(Flaw::new(
            source.at,
            "a merge key `<<` takes mappings",
            "write `<<: *name` of an anchor before a mapping",
        )),
    }
}
