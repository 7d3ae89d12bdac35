//! Why a manifest is refused.

use super::fields::ShapeError;
use crate::base::artifact::secret::Unfit;
use crate::base::failure::{Class, Fault};

/// Why a document cannot be applied as a Secret: names and paths only, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A field has another type than Kubernetes gives it.
    #[error("{object}: {shape}")]
    Shape {
        /// Which object, as far as it is known.
        object: String,
        /// Which field, and what it must hold.
        shape: ShapeError,
    },
    /// Not a Secret.
    #[error("{object} is no Secret")]
    Kind {
        /// `apiVersion` and `kind` as written.
        object: String,
    },
    /// The name or namespace is not legal.
    #[error("{object}: `{field}` is no Kubernetes name")]
    Name {
        /// Which object.
        object: String,
        /// `metadata.name` or `metadata.namespace`.
        field: &'static str,
    },
    /// It cannot be applied.
    #[error("{object}: {why}")]
    Unfit {
        /// Which object.
        object: String,
        /// Why.
        why: Unfit,
    },
}

impl Fault for ManifestError {
    fn class(&self) -> Class {
        match self {
            Self::Shape { .. } => Class::Corrupt,
            Self::Kind { .. } | Self::Name { .. } => Class::Refused,
            Self::Unfit { why, .. } => why.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Shape { shape, .. } => return shape.hint().map(str::to_owned),
            Self::Kind { .. } => "keep only v1 Secrets, or lists of them, in encrypted manifests",
            Self::Name { .. } => "use lower case letters, digits, `-` and `.`",
            Self::Unfit { why, .. } => return why.hint(),
        };
        Some(hint.to_owned())
    }
}
