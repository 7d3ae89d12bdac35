//! Why a SealedSecret does not open. The words do not tell which step failed.

use super::SealScope;
use crate::base::failure::{Class, Fault};
use crate::envelope::manifest::ManifestError;
use crate::format::SyntaxError;
use crate::template::go::TemplateError;

/// Why a SealedSecret does not open. Nothing of it is delivered then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The encryption label needs a namespace, and none is known.
    #[error("sealed secret {name} names no namespace, and its scope is {scope}")]
    NoNamespace {
        /// Its name.
        name: String,
        /// Its scope.
        scope: SealScope,
    },
    /// No key fits, the label is wrong, or the value is damaged: the error does not say which.
    #[error("{object}: no key opens {} (scope {scope})", which(.item))]
    NotOpened {
        /// The SealedSecret, as messages name it.
        object: String,
        /// The key of the value; `None` for a Secret that was sealed as a whole.
        item: Option<String>,
        /// Its scope.
        scope: SealScope,
        /// Fingerprints of the keys that were tried.
        tried: Vec<String>,
    },
    /// The value is cut off, or is no sealed value: this shows without any key.
    #[error("{object}: {} is too short, or its inner length is wrong", which(.item))]
    TooShort {
        /// The SealedSecret, as messages name it.
        object: String,
        /// The key of the value; `None` for a Secret that was sealed as a whole.
        item: Option<String>,
    },
    /// A key of the template cannot be computed.
    #[error("{object}: template of `{item}`: {cause}")]
    Template {
        /// The SealedSecret, as messages name it.
        object: String,
        /// Which key.
        item: String,
        /// Why.
        cause: TemplateError,
    },
    /// A Secret that was sealed as a whole opened, but its content is no Secret.
    #[error("{object}: what is sealed inside is no Secret: {cause}")]
    Inside {
        /// The SealedSecret, as messages name it.
        object: String,
        /// Why.
        cause: InsideError,
    },
    /// The opened Secret is one that we never write.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// What is wrong with a Secret that was sealed as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InsideError {
    /// The text cannot be parsed.
    #[error(transparent)]
    Document(#[from] SyntaxError),
    /// The text is not exactly one document.
    #[error("there is not exactly one document")]
    Number,
    /// Not a Secret.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

fn which(item: &Option<String>) -> String {
    item.as_ref()
        .map_or_else(|| "its `spec.data`".to_owned(), |item| format!("`{item}`"))
}

impl Fault for UnsealError {
    fn class(&self) -> Class {
        match self {
            Self::NotOpened { .. } => Class::Undecryptable,
            Self::NoNamespace { .. } | Self::TooShort { .. } | Self::Inside { .. } => {
                Class::Corrupt
            }
            Self::Template { cause, .. } => cause.class(),
            Self::Manifest(cause) => cause.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoNamespace { .. } => {
                Some("write `metadata.namespace`, as kubeseal does".to_owned())
            }
            Self::NotOpened { tried, .. } if tried.is_empty() => {
                Some("no sealing key is at hand: name some under keys.sealed".to_owned())
            }
            Self::NotOpened {
                tried,
                object,
                scope,
                ..
            } => Some(format!(
                "it was sealed with another key, for another name, namespace or scope, or it was \
                 changed; our keys: {}; `git log -p FILE` shows the name that it was sealed for; \
                 `kubeseal --raw --scope {scope}{}` seals a value again",
                shortened(tried),
                place(object)
            )),
            Self::TooShort { .. } => Some("seal it again with kubeseal".to_owned()),
            Self::Template { cause, .. } => cause.hint(),
            Self::Inside { .. } => None,
            Self::Manifest(cause) => cause.hint(),
        }
    }

    fn names_source(&self) -> bool {
        true
    }
}

/// Namespace and name as kubeseal takes them.
fn place(object: &str) -> String {
    let at = object.rsplit(' ').next().unwrap_or_default();
    match at.split_once('/') {
        Some((namespace, name)) => format!(" --namespace {namespace} --name {name}"),
        None => String::new(),
    }
}

/// The fingerprints, shortened to fit one line.
fn shortened(fingerprints: &[String]) -> String {
    const SHOWN: usize = 6;
    let mut text = fingerprints
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if fingerprints.len() > SHOWN {
        text.push_str(&format!(" and {} more", fingerprints.len() - SHOWN));
    }
    text
}
