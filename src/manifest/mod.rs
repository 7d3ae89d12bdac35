//! Kubernetes Secrets as documents: what a decrypted manifest says, in one shape for SOPS files and SealedSecrets.
//!
//! Pure. Labels and annotations that would make another tool the owner of what we create are left out here, and nowhere
//! else ([`owner`]); what Kubernetes reserves for itself is refused here.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::material::{Node, SecretBytes};
use crate::report::{Class, Fault};

pub mod document;
pub(crate) mod fields;
mod owner;
#[cfg(test)]
mod tests;

use fields::{Fields, ShapeError};

/// The type of a Secret that names none.
const OPAQUE: &str = "Opaque";

/// Kinds whose `items` are read; `kubectl get -o yaml` writes the first.
const LISTS: [&[u8]; 3] = [b"List", b"SecretList", b"SealedSecretList"];

/// Types that Kubernetes or Helm read as commands: writing one would mint a token or forge a release.
const RESERVED_TYPES: [&str; 2] = [
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
];

/// A Secret as a manifest describes it, ready to be applied.
#[derive(Debug, PartialEq, Eq)]
pub struct Manifest {
    /// As written; without one it is ours to choose.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its `type`, `Opaque` where none is written.
    pub kind: String,
    /// Key to decoded value.
    pub data: BTreeMap<String, SecretBytes>,
    /// Without those that make another tool its owner.
    pub labels: BTreeMap<String, String>,
    /// Without those that make another tool its owner.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is immutable.
    pub immutable: bool,
}

/// Why a document is no Secret of ours to apply: names and paths only, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A field has another type than Kubernetes gives it.
    #[error("{object}: {shape}")]
    Shape {
        /// Which object, as far as it is known.
        object: String,
        /// Where and what.
        shape: ShapeError,
    },
    /// Not a Secret.
    #[error("{object} is no Secret")]
    Kind {
        /// `apiVersion` and `kind` as written.
        object: String,
    },
    /// No legal name, so it can be no object.
    #[error("{object}: `{field}` is no Kubernetes name")]
    Name {
        /// Which object.
        object: String,
        /// `metadata.name` or `metadata.namespace`.
        field: &'static str,
    },
    /// A key that a Secret cannot have.
    #[error("{object}: `{}` cannot be a key of a Secret", fields::shown(.key))]
    Key {
        /// Which object.
        object: String,
        /// The key.
        key: String,
    },
    /// A type that is reserved.
    #[error("{object}: a Secret of type {} is never written", fields::shown(.kind))]
    Reserved {
        /// Which object.
        object: String,
        /// The type.
        kind: String,
    },
}

impl Fault for ManifestError {
    fn class(&self) -> Class {
        match self {
            Self::Shape { .. } => Class::Corrupt,
            Self::Kind { .. } | Self::Name { .. } | Self::Key { .. } | Self::Reserved { .. } => {
                Class::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Shape { shape, .. } => return shape.hint().map(str::to_owned),
            Self::Kind { .. } => "keep only v1 Secrets, or lists of them, in encrypted manifests",
            Self::Name { .. } => "use lower case letters, digits, `-` and `.`",
            Self::Key { .. } => {
                "use letters, digits, `-`, `_` and `.`, at most 253, and not `..` in front"
            }
            Self::Reserved { .. } => "let Kubernetes or Helm make it",
        };
        Some(hint.to_owned())
    }
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
    check_names(&object, namespace.as_deref(), &name)?;
    secret.into_manifest(object, namespace, name)
}

/// A Secret exactly as a document says it: for those that look at marks which [`Manifest`] leaves out.
pub(crate) struct RawSecret {
    /// As written.
    pub(crate) namespace: Option<String>,
    /// As written.
    pub(crate) name: Option<String>,
    /// As written.
    pub(crate) kind: Option<String>,
    /// `data` decoded, `stringData` over it.
    pub(crate) data: BTreeMap<String, SecretBytes>,
    /// All of them.
    pub(crate) labels: BTreeMap<String, String>,
    /// All of them.
    pub(crate) annotations: BTreeMap<String, String>,
    /// As written.
    pub(crate) immutable: bool,
}

impl RawSecret {
    /// Reads one object; a document of another kind is refused by its name.
    pub(crate) fn read(node: Node) -> Result<Self, ManifestError> {
        let shape = |shape| ManifestError::Shape {
            object: "document".to_owned(),
            shape,
        };
        let mut top = Fields::of("", node).map_err(shape)?;
        let kind = Kind::take(&mut top).map_err(shape)?;
        if kind.version != "v1" || kind.kind != "Secret" {
            return Err(ManifestError::Kind {
                object: kind.to_string(),
            });
        }
        let mut metadata = top.fields("metadata").map_err(shape)?;
        let namespace = metadata.text("namespace").map_err(shape)?;
        let name = metadata.text("name").map_err(shape)?;
        let object = object("secret", namespace.as_deref(), name.as_deref());
        let shape = |shape| ManifestError::Shape {
            object: object.clone(),
            shape,
        };
        let mut data = BTreeMap::new();
        for (key, node) in top.fields("data").map_err(shape)? {
            let path = format!("data.{key}");
            let text = fields::text(&path, node).map_err(shape)?;
            let value = decode_base64(text.expose())
                .ok_or_else(|| shape(ShapeError::new(path, fields::Expected::Base64)))?;
            data.insert(key, value);
        }
        for (key, node) in top.fields("stringData").map_err(shape)? {
            let value = fields::text(&format!("stringData.{key}"), node).map_err(shape)?;
            data.insert(key, value);
        }
        Ok(Self {
            data,
            labels: metadata.texts("labels").map_err(shape)?,
            annotations: metadata.texts("annotations").map_err(shape)?,
            kind: top.text("type").map_err(shape)?,
            immutable: top.bool("immutable").map_err(shape)?.unwrap_or(false),
            namespace,
            name,
        })
    }

    /// How messages name it.
    pub(crate) fn object(&self) -> String {
        object("secret", self.namespace.as_deref(), self.name.as_deref())
    }

    /// The Secret under a name that was checked before, without marks of ownership.
    pub(crate) fn into_manifest(
        self,
        object: String,
        namespace: Option<String>,
        name: String,
    ) -> Result<Manifest, ManifestError> {
        let Self {
            namespace: _,
            name: _,
            kind,
            data,
            labels,
            annotations,
            immutable,
        } = self;
        let kind = kind
            .filter(|kind| !kind.is_empty())
            .unwrap_or_else(|| OPAQUE.to_owned());
        if is_reserved(&kind) {
            return Err(ManifestError::Reserved { object, kind });
        }
        if let Some(key) = data.keys().find(|key| !is_key(key)) {
            return Err(ManifestError::Key {
                object,
                key: key.clone(),
            });
        }
        Ok(Manifest {
            namespace,
            name,
            kind,
            data,
            labels: owner::without_marks(labels),
            annotations: owner::without_marks(annotations),
            immutable,
        })
    }
}

impl Manifest {
    /// The Secret as the document that describes it, for the way on to [`from_secret_document`].
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
            .map(|(key, value)| (key, Node::Text(encode_base64(value.expose()))));
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

/// The objects of a document: itself, or the items of a list of them.
pub(crate) fn objects(node: Node) -> Result<Vec<Node>, ManifestError> {
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
                found.extend(objects(item)?);
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
pub(crate) struct Kind {
    pub(crate) version: String,
    pub(crate) kind: String,
}

impl Kind {
    pub(crate) fn take(top: &mut Fields) -> Result<Self, ShapeError> {
        Ok(Self {
            version: top.text("apiVersion")?.unwrap_or_default(),
            kind: top.text("kind")?.unwrap_or_default(),
        })
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.version.as_str(), self.kind.as_str()) {
            (_, "") => f.write_str("a document without `kind`"),
            ("", kind) => write!(f, "a document of kind `{}`", fields::shown(kind)),
            (version, kind) => write!(
                f,
                "a document of kind `{} {}`",
                fields::shown(version),
                fields::shown(kind)
            ),
        }
    }
}

/// How messages name an object.
pub(crate) fn object(what: &str, namespace: Option<&str>, name: Option<&str>) -> String {
    let name = name.map_or_else(|| "without a name".to_owned(), fields::shown);
    match namespace {
        Some(namespace) => format!("{what} {}/{name}", fields::shown(namespace)),
        None => format!("{what} {name}"),
    }
}

/// Names become parts of addresses at the API server, so nothing but a legal name gets there.
pub(crate) fn check_names(
    object: &str,
    namespace: Option<&str>,
    name: &str,
) -> Result<(), ManifestError> {
    let wrong = |field| {
        Err(ManifestError::Name {
            object: object.to_owned(),
            field,
        })
    };
    if !is_name(name) {
        return wrong("metadata.name");
    }
    match namespace {
        Some(namespace)
            if !is_name(namespace) || namespace.contains('.') || namespace.len() > 63 =>
        {
            wrong("metadata.namespace")
        }
        Some(_) | None => Ok(()),
    }
}

fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 253
        && text.chars().all(legal)
        && text
            .split('.')
            .all(|part| part.starts_with(ends) && part.ends_with(ends))
}

/// Whether Kubernetes takes this as a key of a Secret.
pub(crate) fn is_key(key: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !key.is_empty()
        && key.len() <= 253
        && key.chars().all(legal)
        && key != "."
        && !key.starts_with("..")
}

pub(crate) fn is_reserved(kind: &str) -> bool {
    RESERVED_TYPES.contains(&kind) || kind.starts_with("helm.sh/")
}

/// Go's decoder, which wrote and reads all of these: line ends are skipped, and the last bits are not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Decodes base64 as Kubernetes does.
pub(crate) fn decode_base64(text: &[u8]) -> Option<SecretBytes> {
    let joined: Zeroizing<Vec<u8>>;
    let text = if text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        let kept = text
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\r' | b'\n'));
        joined = Zeroizing::new(kept.collect());
        &joined
    } else {
        text
    };
    // The estimate is enough for all, so the vector never moves and leaves no copy behind.
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = BASE64.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(SecretBytes::from(bytes))
}

/// Encodes as base64, into memory that is wiped.
pub(crate) fn encode_base64(bytes: &[u8]) -> SecretBytes {
    SecretBytes::from(BASE64.encode(bytes))
}
