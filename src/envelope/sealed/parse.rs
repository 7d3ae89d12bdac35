//! SealedSecret manifests: YAML or JSON bytes to [`SealedSecret`], strict about every field that
//! decides what is opened.

use super::{SealScope, Sealed, SealedSecret, SecretTemplate};
use crate::base::artifact::secret;
use crate::base::coding::base64;
use crate::base::failure::{Class, Fault};
use crate::base::material::Node;
use crate::envelope::manifest::fields::{self, Expected, MappingEntries, ShapeError};
use crate::envelope::manifest::{self, ApiKind, ManifestError, names};
use crate::format::{SyntaxError, document};
use crate::template::go::{MOST_PARTS, Template, TemplateError};

const VERSION: &str = "bitnami.com/v1alpha1";
const KIND: &str = "SealedSecret";

/// The annotations that widen the scope; the wider one wins.
const CLUSTER_WIDE: &str = "sealedsecrets.bitnami.com/cluster-wide";
const NAMESPACE_WIDE: &str = "sealedsecrets.bitnami.com/namespace-wide";

/// Why a document is no SealedSecret: names and paths only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Not YAML or JSON.
    #[error(transparent)]
    Document(#[from] SyntaxError),
    /// Another kind of object.
    #[error("{object} is no SealedSecret")]
    Kind {
        /// `apiVersion` and `kind` as written.
        object: String,
    },
    /// A field has another type than it must.
    #[error("{object}: {shape}")]
    Shape {
        /// The object, as far as it is known.
        object: String,
        /// Which field, and what it must hold.
        shape: ShapeError,
    },
    /// An illegal name or key, or a malformed list.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Both ways of sealing at once.
    #[error("{object} has both `encryptedData` and the deprecated `data`")]
    Both {
        /// The object.
        object: String,
    },
    /// Without `spec` there is nothing to open.
    #[error("{object} has no `spec`")]
    NoSpec {
        /// The object.
        object: String,
    },
    /// A template that cannot be used.
    #[error("{object}: template of `{item}`: {cause}")]
    Template {
        /// The object.
        object: String,
        /// Which key.
        item: String,
        /// Why.
        cause: TemplateError,
    },
}

impl Fault for SealedError {
    fn class(&self) -> Class {
        match self {
            Self::Document(cause) => cause.class(),
            Self::Manifest(cause) => cause.class(),
            Self::Template { cause, .. } => cause.class(),
            Self::Shape { .. } | Self::Both { .. } | Self::NoSpec { .. } => Class::Corrupt,
            Self::Kind { .. } => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Document(cause) => return cause.hint(),
            Self::Manifest(cause) => return cause.hint(),
            Self::Template { cause, .. } => return cause.hint(),
            Self::Shape { shape, .. } => return shape.hint().map(str::to_owned),
            Self::Kind { .. } => "keep only SealedSecrets in this file",
            Self::Both { .. } => "keep `encryptedData`: seal all values with kubeseal",
            Self::NoSpec { .. } => "seal the Secret with kubeseal",
        };
        Some(hint.to_owned())
    }
}

/// Reads all SealedSecrets of a file: documents of YAML, objects of JSON, and lists of them.
pub fn parse(bytes: &[u8]) -> Result<Vec<SealedSecret>, SealedError> {
    let mut left = MOST_PARTS;
    let mut found = Vec::new();
    for node in document::objects(bytes)? {
        found.extend(all_of(node, &mut left)?);
    }
    Ok(found)
}

/// Reads one document: a SealedSecret, or a list of them.
pub fn from_document(node: Node) -> Result<Vec<SealedSecret>, SealedError> {
    all_of(node, &mut { MOST_PARTS })
}

/// Like [`from_document`]; `left` is how many more parts the templates of the file may have.
fn all_of(node: Node, left: &mut usize) -> Result<Vec<SealedSecret>, SealedError> {
    let objects = manifest::objects(node)?.into_iter();
    objects.map(|object| from_object(object, left)).collect()
}

fn from_object(node: Node, left: &mut usize) -> Result<SealedSecret, SealedError> {
    let unnamed = |shape| SealedError::Shape {
        object: "document".to_owned(),
        shape,
    };
    let mut top = MappingEntries::from_node("", node).map_err(unnamed)?;
    let kind = ApiKind::remove_from(&mut top).map_err(unnamed)?;
    if kind.version != VERSION || kind.kind != KIND {
        return Err(SealedError::Kind {
            object: kind.to_string(),
        });
    }
    let mut metadata = top.fields("metadata").map_err(unnamed)?;
    let namespace = metadata
        .text("namespace")
        .map_err(unnamed)?
        .filter(|text| !text.is_empty());
    let name = metadata.text("name").map_err(unnamed)?;
    // No opened value depends on the version, so a version that is no text is ignored.
    let version = match metadata.remove("resourceVersion") {
        Some(Node::Text(version)) => version.expose_str().map(str::to_owned),
        Some(_) | None => None,
    };
    let object = names::object("sealed secret", namespace.as_deref(), name.as_deref());
    let name = name.unwrap_or_default();
    names::check(&object, namespace.as_deref(), &name)?;
    let reader = Reader { object };
    let scope = reader.scope(&mut metadata)?;
    let spec = top.remove("spec").ok_or_else(|| SealedError::NoSpec {
        object: reader.object.clone(),
    })?;
    let mut spec = MappingEntries::from_node("spec", spec).map_err(|shape| reader.shape(shape))?;
    let sealed = reader.sealed(&mut spec)?;
    let template = reader.template(&mut spec, left)?;
    Ok(SealedSecret {
        namespace,
        name,
        version,
        scope,
        sealed,
        template,
    })
}

/// Reads the parts of one object that already has a name for messages.
struct Reader {
    object: String,
}

impl Reader {
    fn shape(&self, shape: ShapeError) -> SealedError {
        SealedError::Shape {
            object: self.object.clone(),
            shape,
        }
    }

    /// Reads the object's own annotations: nothing binds those of the template to the ciphertext.
    fn scope(&self, metadata: &mut MappingEntries) -> Result<SealScope, SealedError> {
        let annotations = metadata
            .texts("annotations")
            .map_err(|shape| self.shape(shape))?;
        let says = |name: &str| annotations.get(name).is_some_and(|value| value == "true");
        Ok(if says(CLUSTER_WIDE) {
            SealScope::Cluster
        } else if says(NAMESPACE_WIDE) {
            SealScope::Namespace
        } else {
            SealScope::Strict
        })
    }

    fn sealed(&self, spec: &mut MappingEntries) -> Result<Sealed, SealedError> {
        let whole = spec.remove("data");
        let mut values = Vec::new();
        for (key, node) in spec
            .fields("encryptedData")
            .map_err(|shape| self.shape(shape))?
        {
            let blob = self.blob(format!("spec.encryptedData.{key}"), node)?;
            self.check_key(&key)?;
            values.push((key, blob));
        }
        match whole {
            None => Ok(Sealed::Values(values)),
            Some(_) if !values.is_empty() => Err(SealedError::Both {
                object: self.object.clone(),
            }),
            Some(node) => Ok(Sealed::Whole(self.blob("spec.data".to_owned(), node)?)),
        }
    }

    fn blob(&self, path: String, node: Node) -> Result<Vec<u8>, SealedError> {
        let text = fields::text(&path, node).map_err(|shape| self.shape(shape))?;
        match base64::decode_as_go(text.expose()) {
            Some(blob) => Ok(blob.to_vec()),
            None => Err(self.shape(ShapeError::new(path, Expected::SealedBase64))),
        }
    }

    fn template(
        &self,
        spec: &mut MappingEntries,
        left: &mut usize,
    ) -> Result<SecretTemplate, SealedError> {
        let shape = |shape| self.shape(shape);
        let mut template = spec.fields("template").map_err(shape)?;
        let mut metadata = template.fields("metadata").map_err(shape)?;
        // As in the controller, name and namespace in the template are ignored: the values are
        // bound to those of the object.
        let mut data = Vec::new();
        for (key, text) in template.texts("data").map_err(shape)? {
            self.check_key(&key)?;
            let made = Template::parse(&text, left).map_err(|cause| SealedError::Template {
                object: self.object.clone(),
                item: key.clone(),
                cause,
            })?;
            data.push((key, made));
        }
        Ok(SecretTemplate {
            labels: metadata.texts("labels").map_err(shape)?,
            annotations: metadata.texts("annotations").map_err(shape)?,
            kind: template.text("type").map_err(shape)?,
            immutable: template.bool("immutable").map_err(shape)?.unwrap_or(false),
            data,
        })
    }

    fn check_key(&self, key: &str) -> Result<(), ManifestError> {
        let object = self.object.clone();
        secret::check_keys([key]).map_err(|why| ManifestError::Unfit { object, why })
    }
}
