//! How messages name objects of the cluster, and fields of them that somebody else owns.

use std::fmt;

use crate::base::artifact::ObjectName;
use crate::config::Workload;

/// The kinds of object that we touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
    /// A namespace.
    Namespace,
    /// What people are told of an object.
    Event,
    /// Who of several replicas works.
    Lease,
    /// A ServiceAccount.
    ServiceAccount,
    /// A SealedSecret.
    SealedSecret,
    /// All Secrets of a namespace with a label, which stands in the name's place.
    LabelledSecrets,
    /// What makes pods.
    Workload(Workload),
    /// The same, without their values.
    MarkedSecrets,
}

impl Kind {
    /// Its name in a path and in a Role.
    pub(crate) fn resource(self) -> &'static str {
        match self {
            Self::Secret | Self::LabelledSecrets | Self::MarkedSecrets => "secrets",
            Self::ConfigMap => "configmaps",
            Self::Namespace => "namespaces",
            Self::Event => "events",
            Self::Lease => "leases",
            Self::ServiceAccount => "serviceaccounts",
            Self::SealedSecret => "sealedsecrets",
            Self::Workload(Workload::Deployment) => "deployments",
            Self::Workload(Workload::StatefulSet) => "statefulsets",
            Self::Workload(Workload::DaemonSet) => "daemonsets",
        }
    }

    /// The verbs that its usual use needs, so that one reading of a Role is enough.
    pub(crate) fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::Secret | Self::ConfigMap | Self::Lease => &["get", "create", "patch"],
            Self::Event => &["create", "patch"],
            Self::Namespace => &["list", "watch"],
            Self::ServiceAccount | Self::Workload(_) => &["get", "patch"],
            Self::SealedSecret => &["get"],
            Self::LabelledSecrets => &["list"],
            Self::MarkedSecrets => &["list", "delete"],
        }
    }

    /// Its group as a Role names it; the oldest one has none.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Secret
            | Self::ServiceAccount
            | Self::LabelledSecrets
            | Self::MarkedSecrets
            | Self::ConfigMap
            | Self::Namespace
            | Self::Event => "",
            Self::Lease => "coordination.k8s.io",
            Self::SealedSecret => "bitnami.com",
            Self::Workload(_) => "apps",
        }
    }

    /// How the answer is asked for.
    pub(super) fn accept(self) -> &'static str {
        match self {
            Self::MarkedSecrets => {
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
            }
            Self::Secret
            | Self::ServiceAccount
            | Self::SealedSecret
            | Self::LabelledSecrets
            | Self::ConfigMap
            | Self::Namespace
            | Self::Event
            | Self::Lease
            | Self::Workload(_) => "application/json",
        }
    }

    /// Where its group begins in a path.
    pub(super) fn root(self) -> &'static str {
        match self {
            Self::Secret
            | Self::ServiceAccount
            | Self::LabelledSecrets
            | Self::MarkedSecrets
            | Self::ConfigMap
            | Self::Namespace
            | Self::Event => "/api/v1",
            Self::Lease => "/apis/coordination.k8s.io/v1",
            Self::SealedSecret => "/apis/bitnami.com/v1alpha1",
            Self::Workload(_) => "/apis/apps/v1",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret",
            Self::ConfigMap => "configmap",
            Self::Namespace => "namespace",
            Self::Event => "event",
            Self::Lease => "lease",
            Self::ServiceAccount => "service account",
            Self::SealedSecret => "sealed secret",
            Self::LabelledSecrets | Self::MarkedSecrets => "secrets",
            Self::Workload(kind) => kind.word(),
        })
    }
}

/// One object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: Kind,
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
        match self.kind {
            Kind::LabelledSecrets | Kind::MarkedSecrets => {
                write!(f, "{} {place} with label {name}", self.kind)
            }
            Kind::Secret
            | Kind::ConfigMap
            | Kind::Namespace
            | Kind::Event
            | Kind::Lease
            | Kind::ServiceAccount
            | Kind::SealedSecret
            | Kind::Workload(_) => match name.as_str() {
                // A list has no name, and one of the whole cluster has no namespace.
                "" => write!(f, "{} {place}", self.kind.resource()),
                _ => write!(f, "{} {}", self.kind, self.at),
            },
        }
    }
}

/// A field that somebody else owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The field manager.
    pub manager: String,
    /// The field's path.
    pub path: String,
}

/// Claims as one text: `helm has .data.a, .data.b; argocd-controller has .type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims(pub Vec<Claim>);

impl fmt::Display for Claims {
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
