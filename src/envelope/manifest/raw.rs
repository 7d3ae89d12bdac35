//! Reading one Secret of a document, with all its marks.

use std::collections::BTreeMap;

use super::error::ManifestError;
use super::fields::{self, MappingEntries, ShapeError};
use super::{ApiKind, Manifest, marks, names};
use crate::base::artifact::secret;
use crate::base::coding::base64;
use crate::base::material::{Node, SecretBytes};

/// A Secret exactly as a document describes it, with the marks that [`Manifest`] leaves out.
pub(crate) struct RawSecret {
    /// As written.
    pub(crate) namespace: Option<String>,
    /// As written.
    pub(crate) name: Option<String>,
    /// As written.
    pub(crate) kind: Option<String>,
    /// `data` decoded, `stringData` over it.
    pub(crate) data: BTreeMap<String, SecretBytes>,
    /// All labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// All annotations.
    pub(crate) annotations: BTreeMap<String, String>,
    /// As written.
    pub(crate) immutable: bool,
}

impl RawSecret {
    /// Reads one object. A document that is no Secret is refused; the error names its kind.
    pub(crate) fn read(node: Node) -> Result<Self, ManifestError> {
        let shape = |shape| ManifestError::Shape {
            object: "document".to_owned(),
            shape,
        };
        let mut top = MappingEntries::from_node("", node).map_err(shape)?;
        let kind = ApiKind::remove_from(&mut top).map_err(shape)?;
        if kind.version != "v1" || kind.kind != "Secret" {
            return Err(ManifestError::Kind {
                object: kind.to_string(),
            });
        }
        let mut metadata = top.fields("metadata").map_err(shape)?;
        let namespace = metadata.text("namespace").map_err(shape)?;
        let name = metadata.text("name").map_err(shape)?;
        let object = names::object("secret", namespace.as_deref(), name.as_deref());
        let shape = |shape| ManifestError::Shape {
            object: object.clone(),
            shape,
        };
        let mut data = BTreeMap::new();
        for (key, node) in top.fields("data").map_err(shape)? {
            let path = format!("data.{key}");
            let text = fields::text(&path, node).map_err(shape)?;
            let value = base64::decode_as_go(text.expose())
                .ok_or_else(|| shape(ShapeError::new(path, fields::Expected::Base64)))?;
            data.insert(key, value.into());
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
        names::object("secret", self.namespace.as_deref(), self.name.as_deref())
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
            .unwrap_or_else(|| secret::OPAQUE.to_owned());
        secret::check_form(&kind, &data).map_err(|why| ManifestError::Unfit { object, why })?;
        Ok(Manifest {
            namespace,
            name,
            kind,
            data,
            labels: marks::without_marks(labels),
            annotations: marks::without_marks(annotations),
            immutable,
        })
    }
}
