//! Names of objects: what Kubernetes takes, and how messages show them.

use super::error::ManifestError;
use crate::base::artifact::{is_namespace_name, is_object_name};
use crate::base::printable;

/// How messages name an object.
pub(crate) fn object(what: &str, namespace: Option<&str>, name: Option<&str>) -> String {
    let name = name.map_or_else(|| "without a name".to_owned(), printable::name);
    match namespace {
        Some(namespace) => format!("{what} {}/{name}", printable::name(namespace)),
        None => format!("{what} {name}"),
    }
}

/// Refuses names that are not legal: names become parts of a path at the API server.
pub(crate) fn check(
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
    if !is_object_name(name) {
        return wrong("metadata.name");
    }
    match namespace {
        Some(namespace) if !is_namespace_name(namespace) => wrong("metadata.namespace"),
        Some(_) | None => Ok(()),
    }
}
