//! Names of objects in a cluster.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::located::{At, Shown};
use crate::base::artifact::{ObjectName, is_namespace_name, is_object_name};

/// A Kubernetes Secret: a name, or name and namespace.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawSecretRef {
    /// Name of the Secret.
    pub name: At<Shown>,
    /// Its namespace (default: our own).
    pub namespace: Option<At<Shown>>,
}

/// A Secret in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    /// `None`: the namespace of the pod or of the kubeconfig's context.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl std::convert::From<&ObjectName> for SecretRef {
    fn from(at: &ObjectName) -> Self {
        Self {
            namespace: Some(at.namespace.clone()),
            name: at.name.clone(),
        }
    }
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The namespace and name of a Secret once our own namespace is known.
pub fn resolve(at: &SecretRef, own_namespace: &str) -> ObjectName {
    ObjectName {
        namespace: at
            .namespace
            .clone()
            .unwrap_or_else(|| own_namespace.to_owned()),
        name: at.name.clone(),
    }
}

impl Checker<'_> {
    pub(super) fn secret_ref(&mut self, written: At<RawSecretRef>) -> SecretRef {
        let RawSecretRef { namespace, name } = written.value;
        self.object(namespace, &name, "the Secret's name")
    }

    /// An object in the given namespace, or in our own.
    pub(super) fn object(
        &mut self,
        namespace: Option<At<Shown>>,
        name: &At<Shown>,
        what: &str,
    ) -> SecretRef {
        SecretRef {
            namespace: namespace.map(|namespace| self.namespace(&namespace)),
            name: self.object_name(name, what),
        }
    }

    /// Like `object`, with a default name.
    pub(super) fn object_or(
        &mut self,
        usual: &str,
        namespace: Option<At<Shown>>,
        name: Option<At<Shown>>,
        what: &str,
    ) -> SecretRef {
        SecretRef {
            namespace: namespace.map(|namespace| self.namespace(&namespace)),
            name: name.map_or_else(|| usual.to_owned(), |name| self.object_name(&name, what)),
        }
    }

    /// A name that Kubernetes accepts.
    pub(super) fn object_name(&mut self, written: &At<Shown>, what: &str) -> String {
        let text = self.name(written, what);
        if !is_object_name(&text) && !text.is_empty() {
            self.problem(
                written,
                format!("{what} `{text}` is no Kubernetes name"),
                "use lower case letters, digits and `-`, in parts joined by `.`; at most 253 \
                 characters",
            );
        }
        text
    }

    /// A name that Kubernetes accepts for a namespace, which has no dots.
    pub(super) fn namespace(&mut self, written: &At<Shown>) -> String {
        let text = self.name(written, "the namespace");
        if !is_namespace_name(&text) && !text.is_empty() {
            self.problem(
                written,
                format!("`{text}` is no name of a namespace"),
                "use lower case letters, digits and `-`; at most 63 characters",
            );
        }
        text
    }
}
