//! Kubernetes Secrets as documents: what a decrypted manifest says, in one shape for SOPS files and
//! SealedSecrets.
//!
//! Pure. Only here ([`marks`]) are labels and annotations removed that would make another tool the
//! owner of our Secret; and here a Secret that Kubernetes would not accept is refused.

use std::collections::BTreeMap;

use crate::base::coding::base64;
use crate::base::material::{Node, SecretBytes};
use crate::base::printable;

mod error;
pub(crate) mod fields;
pub(crate) mod marks;
pub(crate) mod names;
mod raw;
#[cfg(test)]
mod tests;

pub use error::ManifestError;
pub(crate) use raw::RawSecret;

use fields::{MappingEntries, ShapeError};

/// Kinds whose `items` are read; `kubectl get -o yaml` writes the first.
const LISTS: [&[u8]; 3] = [b"List", b"SecretList", b"SealedSecretList"];

/// A Secret as a manifest describes it, ready to be applied.
#[derive(Debug, PartialEq, Eq)]
pub struct Manifest {
    /// As the manifest says; without one, we choose.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Type of the Secret; `Opaque` where the manifest names none.
    pub kind: String,
    /// Key to decoded value.
    pub data: BTreeMap<String, SecretBytes>,
    /// Labels, without those that make another tool the owner.
    pub labels: BTreeMap<String, String>,
    /// Annotations, without those that make another tool the owner.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is immutable.
    pub immutable: bool,
}

/// Reads a decrypted document: one v1 Secret, or a list of them.
pub fn from_secret_document(node: Node) -> Result<Vec<Manifest>, ManifestError> {
    let mut found = Vec::new();
    for object in objects(node)? {
        found.push(from_object(object)?);
    }
    Ok(found)
}

fn from_object(node: Node) -> Result<Manifest, ManifestError> {
    let mut secret = RawSecret::read(node)?;
    let object = secret.object();
    let name = secret.name.take().unwrap_or_default();
    let namespace = secret.namespace.take();
    names::check(&object, namespace.as_deref(), &name)?;
    secret.into_manifest(object, namespace, name)
}

impl Manifest {
    /// The Secret as a document that [`from_secret_document`] can read.
    pub fn into_document(self) -> Node {
        let Self {
            namespace,
            name,
            kind,
            data,
            labels,
            annotations,
            immutable,
        } = self;
        let text = |text: String| Node::text(text);
        let texts = |map: BTreeMap<String, String>| {
            Node::Map(
                map.into_iter()
                    .map(|(key, value)| (key, text(value)))
                    .collect(),
            )
        };
        let mut metadata = vec![("name".to_owned(), text(name))];
        metadata.extend(namespace.map(|namespace| ("namespace".to_owned(), text(namespace))));
        metadata.push(("labels".to_owned(), texts(labels)));
        metadata.push(("annotations".to_owned(), texts(annotations)));
        let data = data
            .into_iter()
            .map(|(key, value)| (key, Node::text(base64::encode(value.expose()))));
        Node::Map(vec![
            ("apiVersion".to_owned(), Node::text("v1")),
            ("kind".to_owned(), Node::text("Secret")),
            ("metadata".to_owned(), Node::Map(metadata)),
            ("type".to_owned(), text(kind)),
            ("immutable".to_owned(), Node::Bool(immutable)),
            ("data".to_owned(), Node::Map(data.collect())),
        ])
    }
}

/// The objects of a document: the document itself, or the items of a list. A document without
/// content, such as the one behind a last `---`, has none; SOPS makes it an empty mapping.
pub(crate) fn objects(document: Node) -> Result<Vec<Node>, ManifestError> {
    let holds_nothing = match &document {
        Node::Null => true,
        Node::Map(entries) => entries.is_empty(),
        Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) | Node::List(_) => false,
    };
    match holds_nothing {
        true => Ok(Vec::new()),
        false => listed(document),
    }
}

fn listed(node: Node) -> Result<Vec<Node>, ManifestError> {
    let Node::Map(entries) = node else {
        return Ok(vec![node]);
    };
    let kind = entries.iter().find(|(key, _)| key == "kind");
    let is_list = matches!(kind, Some((_, Node::Text(kind))) if LISTS.contains(&kind.expose()));
    if !is_list {
        return Ok(vec![Node::Map(entries)]);
    }
    let items = entries.into_iter().find(|(key, _)| key == "items");
    let mut found = Vec::new();
    match items {
        Some((_, Node::List(items))) => {
            for item in items {
                found.extend(listed(item)?);
            }
            Ok(found)
        }
        None | Some((_, Node::Null)) => Ok(found),
        Some(_) => Err(ManifestError::Shape {
            object: "document".to_owned(),
            shape: ShapeError::new("items", fields::Expected::List),
        }),
    }
}

/// `apiVersion` and `kind` of an object.
pub(crate) struct ApiKind {
    pub(crate) version: String,
    pub(crate) kind: String,
}

impl ApiKind {
    pub(crate) fn remove_from(top: &mut MappingEntries) -> Result<Self, ShapeError> {
        Ok(Self {
            version: top.text("apiVersion")?.unwrap_or_default(),
            kind: top.text("kind")?.unwrap_or_default(),
        })
    }
}

impl std::fmt::Display for ApiKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.version.as_str(), self.kind.as_str()) {
            (_, "") => f.write_str("a document without `kind`"),
            ("", kind) => write!(f, "a document of kind `{}`", printable::name(kind)),
            (version, kind) => write!(
                f,
                "a document of kind `{} {}`",
                printable::name(version),
                printable::name(kind)
            ),
        }
    }
}
