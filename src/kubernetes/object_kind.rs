//! The kinds of objects: how messages name them, and fields of them that somebody else owns.

use std::fmt;

use crate::base::artifact::ObjectName;
use crate::config::Workload;

/// The kinds of object that we touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
    /// A namespace.
    Namespace,
    /// An Event: a message for people at an object.
    Event,
    /// A Lease: which of several replicas works.
    Lease,
    /// A ServiceAccount.
    ServiceAccount,
    /// A SealedSecret.
    SealedSecret,
    /// All Secrets of a namespace with a label, which takes the place of the name.
    LabelledSecrets,
    /// A workload, which makes pods.
    Workload(Workload),
    /// Like `LabelledSecrets`, but their metadata only.
    MarkedSecrets,
}

/// Facts about a kind.
struct Facts {
    /// The name in messages.
    word: &'static str,
    /// Where its group begins in a path.
    root: &'static str,
    resource: &'static str,
    /// The verbs that its usual use needs.
    verbs: &'static [&'static str],
}

const CORE: &str = "/api/v1";
const APPS: &str = "/apis/apps/v1";

impl ObjectKind {
    fn facts(self) -> Facts {
        let facts = |word, root, resource, verbs| Facts {
            word,
            root,
            resource,
            verbs,
        };
        match self {
            Self::Secret => facts("secret", CORE, "secrets", &["get", "create", "patch"]),
            Self::ConfigMap => facts("configmap", CORE, "configmaps", &["get", "create", "patch"]),
            Self::Namespace => facts("namespace", CORE, "namespaces", &["list", "watch"]),
            Self::Event => facts("event", CORE, "events", &["create", "patch"]),
            Self::Lease => facts(
                "lease",
                "/apis/coordination.k8s.io/v1",
                "leases",
                &["get", "create", "patch"],
            ),
            Self::ServiceAccount => facts(
                "service account",
                CORE,
                "serviceaccounts",
                &["get", "patch"],
            ),
            Self::SealedSecret => facts(
                "sealed secret",
                "/apis/bitnami.com/v1alpha1",
                "sealedsecrets",
                &["get"],
            ),
            Self::LabelledSecrets => facts("secrets", CORE, "secrets", &["list"]),
            Self::MarkedSecrets => facts("secrets", CORE, "secrets", &["list", "delete"]),
            Self::Workload(kind) => {
                let resource = match kind {
                    Workload::Deployment => "deployments",
                    Workload::StatefulSet => "statefulsets",
                    Workload::DaemonSet => "daemonsets",
                };
                facts(kind.word(), APPS, resource, &["get", "patch"])
            }
        }
    }

    /// Its name in a path and in a Role.
    pub(crate) fn resource(self) -> &'static str {
        self.facts().resource
    }

    /// The verbs that its usual use needs, so that one reading of a Role is enough.
    pub(crate) fn verbs(self) -> &'static [&'static str] {
        self.facts().verbs
    }

    /// Where its group begins in a path.
    pub(super) fn root(self) -> &'static str {
        self.facts().root
    }

    /// Its group as a Role names it; that of the core group is empty.
    pub(crate) fn group(self) -> &'static str {
        let path = self.root().strip_prefix("/apis/").unwrap_or_default();
        path.split('/').next().unwrap_or_default()
    }

    /// Whether it stands for all Secrets of a namespace with a label, which takes the place of the
    /// name.
    pub(crate) fn has_label(self) -> bool {
        matches!(self, Self::LabelledSecrets | Self::MarkedSecrets)
    }

    /// The value of the header `Accept`.
    pub(super) fn accept(self) -> &'static str {
        match self == Self::MarkedSecrets {
            true => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            false => "application/json",
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts().word)
    }
}

/// One object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: ObjectKind,
    /// Where it is.
    pub at: ObjectName,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectName { namespace, name } = &self.at;
        let place = match namespace.as_str() {
            "" => "of all namespaces".to_owned(),
            namespace => format!("in {namespace}"),
        };
        // A list has no name, and one of the whole cluster has no namespace.
        match name.as_str() {
            _ if self.kind.has_label() => write!(f, "{} {place} with label {name}", self.kind),
            "" => write!(f, "{} {place}", self.kind.resource()),
            _ => write!(f, "{} {}", self.kind, self.at),
        }
    }
}

/// A field that somebody else owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOwner {
    /// The field manager.
    pub manager: String,
    /// The field's path.
    pub path: String,
}

/// Claims as one text: `helm has .data.a, .data.b; argocd-controller has .type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOwners(pub Vec<FieldOwner>);

impl fmt::Display for FieldOwners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut managers: Vec<&str> = self.0.iter().map(|claim| claim.manager.as_str()).collect();
        managers.sort_unstable();
        managers.dedup();
        for (at, manager) in managers.iter().enumerate() {
            let own = self.0.iter().filter(|claim| claim.manager == *manager);
            let paths: Vec<&str> = own.map(|claim| claim.path.as_str()).collect();
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}`{manager}` has {}", paths.join(", "))?;
        }
        Ok(())
    }
}
