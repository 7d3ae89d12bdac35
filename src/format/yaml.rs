//! The reader of YAML: makes a tree of the events of `granit-parser`. It unfolds anchors and merge
//! keys, and bounds bombs, for every kind of tree alike.

use std::collections::{HashMap, HashSet};

use granit_parser::{ErrorKind, Event, Marker, ScanError};
use keyferry_fast::yaml::Events;

use super::{MAX_DEPTH, MOST_VALUES};

mod go;
mod scalar;
mod values;
pub(crate) mod write;

pub(crate) use scalar::Scalar;
pub(crate) use values::documents;

/// Most nodes that aliases may add to a file. Honest files share some settings; bombs double at
/// each level.
const MAX_UNFOLDED_NODES: usize = 50_000;
/// Most bytes of text that aliases may add.
const MAX_UNFOLDED_BYTES: usize = 8 * 1024 * 1024;

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    /// In characters.
    pub(crate) column: u32,
}

impl Place {
    fn from_marker(marker: Marker) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            line: number(marker.line()),
            column: number(marker.col() + 1),
        }
    }
}

/// The kind of tree that is made of a document.
pub(crate) trait Tree {
    type Node;
    type Error: From<YamlError>;

    /// Whether the document that begins here is read too.
    fn begins(&mut self, _at: Place, _number: usize) -> bool {
        true
    }
    fn scalar(&mut self, scalar: Scalar<'_>, at: Place) -> Result<Self::Node, Self::Error>;
    fn key(&mut self, scalar: Scalar<'_>, at: Place) -> Result<Key, Self::Error>;
    fn list(&mut self, items: Vec<Self::Node>, at: Place) -> Self::Node;
    /// A mapping's own entries, each key once.
    fn unique(
        &mut self,
        entries: Vec<Entry<Self::Node>>,
    ) -> Result<Vec<Entry<Self::Node>>, Self::Error>;
    fn map(&mut self, entries: Vec<Entry<Self::Node>>, at: Place) -> Self::Node;
    /// The node of a key that has an anchor.
    fn named(&mut self, key: &str, at: Place) -> Self::Node;
    /// The text of an alias that stands as a key.
    fn text_of(node: &Self::Node) -> Option<&str>;
    /// Takes a node apart for a merge key at this place.
    fn open(node: Self::Node, at: Place) -> Opened<Self::Node>;
    fn copy(node: &Self::Node) -> Self::Node;
    fn weigh(node: &Self::Node) -> Weight;
}

/// The key of a mapping.
pub(crate) enum Key {
    Name(String),
    /// `<<`
    Merge,
}

/// One key of a mapping with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry<N> {
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) at: Place,
    pub(crate) value: N,
}

/// A node taken apart.
pub(crate) enum Opened<N> {
    Scalar,
    List(Vec<N>),
    Map(Vec<Entry<N>>),
}

/// The size of a node.
#[derive(Clone, Copy)]
pub(crate) struct Weight {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Weight {
    pub(crate) fn scalar(bytes: usize) -> Self {
        Self {
            nodes: 1,
            bytes,
            depth: 0,
        }
    }

    pub(crate) fn with_key(self, key: &str) -> Self {
        Self {
            bytes: self.bytes + key.len(),
            ..self
        }
    }

    /// The size of a list or mapping of these.
    pub(crate) fn around(inner: impl Iterator<Item = Self>) -> Self {
        inner.fold(Self::scalar(0), |all, one| Self {
            nodes: all.nodes + one.nodes,
            bytes: all.bytes + one.bytes,
            depth: all.depth.max(one.depth + 1),
        })
    }
}

/// Why a text gives no tree, and where.
#[derive(Debug)]
pub(crate) struct YamlError {
    pub(crate) at: Place,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// The parser stopped. The text is well formed up to this character.
    Malformed {
        error: Box<ScanError>,
        well_until: usize,
    },
    /// A key is a list or a mapping, or a type that the dialect does not allow.
    Key,
    /// A scalar does not fit its tag.
    Scalar,
    /// The value of a merge key is no mapping and no list of mappings.
    Merge,
    /// An alias stands inside the node that it names.
    InsideItself,
    /// Aliases unfold into far more than the file holds.
    Unfolds,
    TooDeep,
    TooMany,
}

impl YamlError {
    pub(crate) fn new(at: Place, what: What) -> Self {
        Self { at, what }
    }

    fn from_scan(error: ScanError, well_until: usize) -> Self {
        let at = Place::from_marker(*error.marker());
        let what = match matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            true => What::TooDeep,
            false => What::Malformed {
                error: Box::new(error),
                well_until,
            },
        };
        Self::new(at, what)
    }
}

/// All documents of a text.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an enum of a library, which grows"
)]
pub(crate) fn read<T: Tree>(text: &str, tree: &mut T) -> Result<Vec<T::Node>, T::Error> {
    let text = text.trim_start_matches('\u{feff}');
    let mut options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        disallow_directives: false,
        block_scalar_eof_without_line_feed: true,
    };
    options.set_emit_comments(false);
    let mut builder = Builder {
        tree,
        documents: Vec::new(),
        open: Vec::new(),
        anchors: HashMap::new(),
        values: 0,
        unfolded: Weight::scalar(0),
    };
    let separates = go::may_separate(text);
    let mut well_until = 0;
    for event in Events::new(text, options) {
        let (event, span) = event.map_err(|error| YamlError::from_scan(error, well_until))?;
        well_until = span.end.index();
        let at = Place::from_marker(span.start);
        match event {
            Event::DocumentStart(..) => {
                if !builder.tree.begins(at, builder.documents.len()) {
                    break;
                }
                builder.anchors.clear();
            }
            Event::Scalar(written, style, anchor, tag) => {
                let scalar = Scalar {
                    text: written,
                    style,
                    tag: tag.as_deref(),
                    source: separates.then(|| source(text, span)).flatten(),
                };
                builder.scalar(scalar, anchor, at)?;
            }
            Event::SequenceStart(_, anchor, _) => builder.begin(anchor, at, Content::list())?,
            Event::MappingStart(_, anchor, _) => builder.begin(anchor, at, Content::map())?,
            Event::SequenceEnd | Event::MappingEnd => builder.end()?,
            Event::Alias(anchor) => builder.alias(anchor, at)?,
            // Events around nodes, and events that our options leave out.
            _ => {}
        }
    }
    Ok(builder.documents)
}

/// The text of an event, from the start of its first line on.
fn source(text: &str, span: granit_parser::Span) -> Option<&str> {
    let range = span.byte_range()?;
    let line = text.get(..range.start)?.rfind('\n').map_or(0, |at| at + 1);
    text.get(line..range.end)
}

/// A list or mapping whose end is not reached yet.
struct Open<N> {
    /// The anchor that names it, or 0.
    anchor: usize,
    at: Place,
    content: Content<N>,
}

enum Content<N> {
    List(Vec<N>),
    Map {
        entries: Vec<Entry<N>>,
        /// The values of `<<`, applied after the mapping's own keys.
        merged: Vec<(N, Place)>,
        /// The key that waits for its value.
        key: Option<(Key, Place)>,
    },
}

impl<N> Content<N> {
    fn list() -> Self {
        Self::List(Vec::new())
    }

    fn map() -> Self {
        Self::Map {
            entries: Vec::new(),
            merged: Vec::new(),
            key: None,
        }
    }
}

struct Builder<'t, T: Tree> {
    tree: &'t mut T,
    documents: Vec<T::Node>,
    open: Vec<Open<T::Node>>,
    anchors: HashMap<usize, T::Node>,
    values: usize,
    unfolded: Weight,
}

impl<T: Tree> Builder<'_, T> {
    /// The slot for the next key, where a mapping is between two entries.
    fn awaited(&mut self) -> Option<&mut Option<(Key, Place)>> {
        match self.open.last_mut().map(|open| &mut open.content) {
            Some(Content::Map { key, .. }) if key.is_none() => Some(key),
            Some(Content::Map { .. } | Content::List(_)) | None => None,
        }
    }

    fn scalar(&mut self, scalar: Scalar<'_>, anchor: usize, at: Place) -> Result<(), T::Error> {
        if self.awaited().is_none() {
            let node = self.tree.scalar(scalar, at)?;
            return self.place(node, anchor, at);
        }
        let key = self.tree.key(scalar, at)?;
        if let (Key::Name(name), true) = (&key, anchor != 0) {
            self.anchors.insert(anchor, self.tree.named(name, at));
        }
        if let Some(awaited) = self.awaited() {
            *awaited = Some((key, at));
        }
        Ok(())
    }

    fn begin(
        &mut self,
        anchor: usize,
        at: Place,
        content: Content<T::Node>,
    ) -> Result<(), T::Error> {
        if self.awaited().is_some() {
            return Err(YamlError::new(at, What::Key).into());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError::new(at, What::TooDeep).into());
        }
        self.open.push(Open {
            anchor,
            at,
            content,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), T::Error> {
        let Some(Open {
            anchor,
            at,
            content,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let node = match content {
            Content::List(items) => self.tree.list(items, at),
            Content::Map {
                entries, merged, ..
            } => {
                let mut entries = self.tree.unique(entries)?;
                if !merged.is_empty() {
                    let own = &mut entries.iter().map(|entry| entry.key.clone()).collect();
                    for (source, at) in merged {
                        merge::<T>(&mut entries, own, source, at)?;
                    }
                }
                self.tree.map(entries, at)
            }
        };
        self.place(node, anchor, at)
    }

    /// Puts a finished node into the list or mapping around it.
    fn place(&mut self, node: T::Node, anchor: usize, at: Place) -> Result<(), T::Error> {
        if anchor != 0 {
            self.unfold(&node, 0, at)?;
            self.anchors.insert(anchor, T::copy(&node));
        }
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(YamlError::new(at, What::TooMany).into());
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map {
                entries,
                merged,
                key,
            } => match key.take() {
                Some((Key::Name(key), at)) => entries.push(Entry {
                    key,
                    at,
                    value: node,
                }),
                Some((Key::Merge, _)) => merged.push((node, at)),
                None => return Err(YamlError::new(at, What::Key).into()),
            },
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), T::Error> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(YamlError::new(at, What::InsideItself).into());
        };
        let node = T::copy(node);
        if let Some(awaited) = self.awaited() {
            let Some(text) = T::text_of(&node) else {
                return Err(YamlError::new(at, What::Key).into());
            };
            *awaited = Some((Key::Name(text.to_owned()), at));
            return Ok(());
        }
        self.unfold(&node, self.open.len(), at)?;
        self.place(node, 0, at)
    }

    /// Adds the size of a copy to the sum of all unfolded aliases.
    fn unfold(&mut self, node: &T::Node, depth: usize, at: Place) -> Result<(), T::Error> {
        let weight = T::weigh(node);
        if depth + weight.depth > MAX_DEPTH {
            return Err(YamlError::new(at, What::TooDeep).into());
        }
        self.unfolded.nodes += weight.nodes;
        self.unfolded.bytes += weight.bytes;
        let Weight { nodes, bytes, .. } = self.unfolded;
        if nodes > MAX_UNFOLDED_NODES || bytes > MAX_UNFOLDED_BYTES {
            return Err(YamlError::new(at, What::Unfolds).into());
        }
        Ok(())
    }
}

/// Adds the keys that the mapping lacks; of several sources the first wins.
fn merge<T: Tree>(
    entries: &mut Vec<Entry<T::Node>>,
    own: &mut HashSet<String>,
    source: T::Node,
    at: Place,
) -> Result<(), T::Error> {
    let sources = match T::open(source, at) {
        Opened::List(sources) => sources.into_iter().map(|one| T::open(one, at)).collect(),
        one @ (Opened::Map(_) | Opened::Scalar) => vec![one],
    };
    for source in sources {
        let Opened::Map(inherited) = source else {
            return Err(YamlError::new(at, What::Merge).into());
        };
        let new = inherited.into_iter();
        entries.extend(new.filter(|entry| own.insert(entry.key.clone())));
    }
    Ok(())
}
