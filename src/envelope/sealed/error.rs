//! Why a SealedSecret does not open: in words that do not tell which step it was.

use super::SealScope;
use crate::base::failure::{Class, Fault};
use crate::envelope::manifest::ManifestError;
use crate::format::SyntaxError;
use crate::template::go::TemplateError;

/// Why a SealedSecret does not open. Nothing of it is delivered then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The label needs a namespace.
    #[error("sealed secret {name} names no namespace, and its scope is {scope}")]
    NoNamespace {
        /// Its name.
        name: String,
        /// Its scope.
        scope: SealScope,
    },
    /// No key, a wrong label, or damage: not told apart.
    #[error("{object}: no key opens {} (scope {scope})", which(.item))]
    NotOpened {
        /// Which.
        object: String,
        /// Which of its values; nothing for the whole.
        item: Option<String>,
        /// Its scope.
        scope: SealScope,
        /// Fingerprints of the keys that were tried.
        tried: Vec<String>,
    },
    /// Cut or no SealedSecret's value at all; seen without any key.
    #[error("{object}: {} is too short, or its inner length is wrong", which(.item))]
    TooShort {
        /// Which.
        object: String,
        /// Which of its values; nothing for the whole.
        item: Option<String>,
    },
    /// A key of the template cannot be made.
    #[error("{object}: template of `{item}`: {cause}")]
    Template {
        /// Which.
        object: String,
        /// Which key.
        item: String,
        /// Why.
        cause: TemplateError,
    },
    /// The whole Secret opened and is none.
    #[error("{object}: what is sealed inside is no Secret: {cause}")]
    Inside {
        /// Which.
        object: String,
        /// Why.
        cause: InsideError,
    },
    /// The Secret is none that is ever written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// What is wrong with a Secret that was sealed as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InsideError {
    /// Not one document.
    #[error(transparent)]
    Document(#[from] SyntaxError),
    /// Not one document.
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

/// A list that fits a line.
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
