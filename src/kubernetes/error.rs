//! Errors of a cluster, named by object, verb and next move. No variant carries a value.

use std::time::Duration;

use super::object_kind::{FieldOwners, ObjectKind, Subject};
use crate::base::failure::{Class, Failure, Fault};
use crate::copy_rules::signature::MarkKeyError;

/// Why we did not find a cluster, or why it did not do what we asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a pod nor a kubeconfig.
    #[error("no Kubernetes cluster was found: {0}")]
    NoCluster(String),
    /// A kubeconfig that cannot be used.
    #[error("kubeconfig {file}: {why}")]
    Kubeconfig {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// There was no descriptor or no memory left to read where the cluster is.
    #[error("{file} cannot be read now: {why}")]
    Exhausted {
        /// The file.
        file: String,
        /// The error of the system.
        why: String,
    },
    /// We could not get our credentials.
    #[error("no credentials for the Kubernetes API: {0}")]
    Credentials(String),
    /// Getting our credentials took too long.
    #[error(
        "no credentials for the Kubernetes API: reading them, or the program that gives them, did \
         not end in time"
    )]
    LateCredentials,
    /// The server did not accept our credentials.
    #[error("{verb} {subject}: the API server does not know our credentials (401)")]
    Unauthenticated {
        /// The object.
        subject: Subject,
        /// The verb.
        verb: String,
    },
    /// RBAC refuses.
    #[error("{user} may not {verb} {subject}")]
    Forbidden {
        /// The object.
        subject: Subject,
        /// As RBAC calls it: creating by an apply needs `create` although the request is a PATCH.
        verb: String,
        /// The user, as far as the server tells.
        user: String,
    },
    /// A definitive 404.
    #[error("{0} does not exist")]
    Absent(Subject),
    /// The ServiceAccount that should pull with a Secret is absent. It is no source, so this
    /// absence is never forgiven.
    #[error("{0}, which is to pull with a secret, does not exist")]
    NoAccount(Subject),
    /// The namespace of a target does not exist.
    #[error("{0} cannot be made: its namespace does not exist")]
    NoNamespace(Subject),
    /// The namespace of a target is being deleted.
    #[error("{0} cannot be made: its namespace is being deleted")]
    NamespaceEnding(Subject),
    /// Other field managers own what we would change.
    #[error("{subject}: other field managers own what would change: {claims}")]
    Owned {
        /// The object.
        subject: Subject,
        /// The fields and their owners.
        claims: FieldOwners,
    },
    /// Somebody else wrote between our look and our write. Callers look again.
    #[error("{0} was changed by someone else at the same moment")]
    Raced(Subject),
    /// This replica no longer holds the Lease.
    #[error("{0} is not written: another replica may lead by now")]
    Fenced(Subject),
    /// The server, a webhook or a policy says no.
    #[error("{verb} {subject}: rejected: {why}")]
    Rejected {
        /// The object.
        subject: Subject,
        /// The verb.
        verb: String,
        /// Its words, without values.
        why: String,
    },
    /// No answer, or an answer that asks to try later.
    #[error("{verb} {subject}: {why}{}", tried(*.tries))]
    Unavailable {
        /// The object.
        subject: Subject,
        /// The verb.
        verb: String,
        /// What happened.
        why: String,
        /// How long the server asks us to wait.
        wait: Option<Duration>,
        /// How often it was tried.
        tries: u32,
    },
    /// Something answers, but not like an API server.
    #[error("{verb} {subject}: not an answer of a Kubernetes API server: {why}")]
    Strange {
        /// The object.
        subject: Subject,
        /// The verb.
        verb: String,
        /// What was odd.
        why: String,
    },
    /// It is being deleted, and something holds it.
    #[error("{subject} is being deleted{}", held(.finalizers))]
    BeingDeleted {
        /// The object.
        subject: Subject,
        /// Finalizers of others, which must be removed first.
        finalizers: Vec<String>,
    },
    /// A Secret that should hold keys of the marks, but does not.
    #[error("{subject} cannot hold the keys of the marks: {why}")]
    UnfitKeys {
        /// The Secret.
        subject: Subject,
        /// What is wrong with it.
        why: MarkKeyError,
    },
    /// A namespace or name that would lead elsewhere in a path.
    #[error("not a name of a Kubernetes object: {0:?}")]
    BadName(String),
    /// The stored object differs from the one that was sent.
    #[error("{subject}: the cluster stored something else than was sent, in {}", .what.join(", "))]
    Altered {
        /// The object.
        subject: Subject,
        /// The keys and fields that differ.
        what: Vec<String>,
    },
    /// A signal came while the object was being made again; the old object exists.
    #[error("{0} was not made again: stopped by a signal")]
    Stopped(Subject),
    /// The object was deleted and could not be made again.
    #[error(
        "{subject} was deleted to be made again, which failed; {}",
        if *.restored { "it was put back as it was" } else { "it could not be put back" }
    )]
    NotRecreated {
        /// The object.
        subject: Subject,
        /// Whether the old object was put back.
        restored: bool,
        /// Why.
        #[source]
        cause: Box<Error>,
    },
}

fn tried(tries: u32) -> String {
    if tries > 1 {
        format!(" (tried {tries} times)")
    } else {
        String::new()
    }
}

fn held(finalizers: &[String]) -> String {
    if finalizers.is_empty() {
        String::new()
    } else {
        format!(", held by {}", finalizers.join(", "))
    }
}

impl Fault for Error {
    fn class(&self) -> Class {
        match self {
            Self::NoCluster(_) | Self::Kubeconfig { .. } | Self::BadName(_) => Class::Configuration,
            Self::Credentials(_) | Self::Unauthenticated { .. } | Self::Forbidden { .. } => {
                Class::Denied
            }
            Self::Absent(_) => Class::Missing,
            Self::NoAccount(_)
            | Self::NoNamespace(_)
            | Self::NamespaceEnding(_)
            | Self::Owned { .. }
            | Self::Rejected { .. }
            | Self::UnfitKeys { .. }
            | Self::Altered { .. } => Class::Refused,
            Self::Raced(_)
            | Self::Fenced(_)
            | Self::Unavailable { .. }
            | Self::Strange { .. }
            | Self::Exhausted { .. }
            | Self::LateCredentials
            | Self::Stopped(_)
            | Self::BeingDeleted { .. } => Class::Unavailable,
            Self::NotRecreated { cause, .. } => cause.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCluster(_) => "set KUBECONFIG, or run in a pod with \
                `automountServiceAccountToken: true`"
                .into(),
            Self::Kubeconfig { .. } | Self::BadName(_) | Self::Strange { .. } => return None,
            Self::Exhausted { .. } => "raise the limit (`ulimit -n`), or run it again when less \
                is open"
                .into(),
            Self::Credentials(_) => "check the user of the kubeconfig's context, or the pod's \
                ServiceAccount token"
                .into(),
            Self::Unauthenticated { .. } => {
                "the token may have expired or be meant for another audience: renew it; in a pod, \
                 check that the token mounted is the API server's"
                    .into()
            }
            Self::Forbidden { subject, verb, .. } => rule(subject, verb),
            Self::Absent(subject) => format!("create {subject}, or correct its name or namespace"),
            Self::NoAccount(subject) => {
                format!(
                    "create {subject} first (in Argo CD: in an earlier sync wave than this Job)"
                )
            }
            Self::NoNamespace(subject) => {
                format!(
                    "create namespace {} first (in Argo CD: in an earlier sync wave)",
                    subject.at.namespace
                )
            }
            Self::NamespaceEnding(subject) => {
                format!(
                    "wait until namespace {} is gone and create it again, or deliver elsewhere",
                    subject.at.namespace
                )
            }
            Self::Owned { .. } => {
                "let one of the two write these fields; `force: true` on this target takes them"
                    .into()
            }
            Self::Raced(_) => {
                "run again; when it happens often, two programs write the same object".into()
            }
            Self::Rejected { .. } | Self::Fenced(_) => return None,
            Self::Unavailable { .. } => "run again when the API server answers, or give it longer \
                with `--deadline`"
                .into(),
            Self::LateCredentials => "run again, or give it longer with `--deadline`".into(),
            Self::Stopped(_) => "run again".into(),
            Self::BeingDeleted { .. } => "run again when it is gone".into(),
            Self::UnfitKeys { .. } => {
                "docs/reflect.md, \"The key of the marks\": give it keys of 32 random bytes, or \
                 name another Secret in `markKey`"
                    .into()
            }
            Self::Altered { .. } => "look for a mutating webhook or policy that changes Secrets, \
                and exempt this one"
                .into(),
            Self::NotRecreated { cause, .. } => return cause.hint(),
        })
    }

    fn absent(&self) -> bool {
        matches!(self, Self::Absent(_))
    }

    fn names_source(&self) -> bool {
        match self {
            Self::NoCluster(_)
            | Self::Kubeconfig { .. }
            | Self::Exhausted { .. }
            | Self::Credentials(_)
            | Self::LateCredentials => false,
            Self::Unauthenticated { .. }
            | Self::Forbidden { .. }
            | Self::Absent(_)
            | Self::NoAccount(_)
            | Self::NoNamespace(_)
            | Self::NamespaceEnding(_)
            | Self::Owned { .. }
            | Self::Raced(_)
            | Self::Fenced(_)
            | Self::Rejected { .. }
            | Self::Unavailable { .. }
            | Self::Strange { .. }
            | Self::BeingDeleted { .. }
            | Self::UnfitKeys { .. }
            | Self::BadName(_)
            | Self::Altered { .. }
            | Self::Stopped(_)
            | Self::NotRecreated { .. } => true,
        }
    }

    fn wait(&self) -> Option<Duration> {
        if let Self::Unavailable { wait, .. } = self {
            *wait
        } else if let Self::NotRecreated { cause, .. } = self {
            cause.wait()
        } else {
            None
        }
    }
}

impl Error {
    /// The failure of a caller that only reads: the hint asks for `get` alone.
    pub fn of_reading(self) -> Failure {
        let hint = if let Self::Forbidden { subject, verb, .. } = &self
            && *verb == "get"
        {
            Some(granted(subject, verb, &["get"]))
        } else {
            None
        };
        let mut failure = Failure::from(self);
        failure.hint = hint.or(failure.hint);
        failure
    }
}

/// The missing rule, ready to be pasted below `rules:`. It names all verbs that this use needs, so
/// that one change of the Role is enough.
fn rule(subject: &Subject, verb: &str) -> String {
    let (role, place) = role(subject);
    if subject.kind == ObjectKind::MarkedSecrets {
        return format!(
            "a {role}{place} needs {{apiGroups: [\"\"], resources: [secrets], verbs: [{}]}} for \
             `prune`; without `prune`, neither",
            subject.kind.verbs().join(", ")
        );
    }
    if subject.kind == ObjectKind::LabelledSecrets {
        return format!(
            "name one Secret instead of a label, or grant it: a Role in namespace {} needs \
             {{apiGroups: [\"\"], resources: [secrets], verbs: [list]}}",
            subject.at.namespace
        );
    }
    let mut verbs = subject.kind.verbs().to_vec();
    if !verbs.contains(&verb) {
        verbs.push(verb);
    }
    if subject.at.name.is_empty() {
        // A right on an object without a name cannot be granted by name.
        return format!(
            "add `{verb}`: a {role}{place} needs {{apiGroups: [\"{}\"], resources: [{}], verbs: \
             [list, watch]}}",
            subject.kind.group(),
            subject.kind.resource()
        );
    }
    granted(subject, verb, &verbs)
}

fn granted(subject: &Subject, verb: &str, verbs: &[&str]) -> String {
    format!(
        "add `{verb}`: a Role in namespace {} needs {{apiGroups: [\"{}\"], resources: [{}], \
         resourceNames: [{}], verbs: [{}]}}",
        subject.at.namespace,
        subject.kind.group(),
        subject.kind.resource(),
        subject.at.name,
        verbs.join(", ")
    )
}

/// The kind of role that grants a right on all of a namespace, or of all namespaces.
fn role(subject: &Subject) -> (&'static str, String) {
    match subject.at.namespace.as_str() {
        "" => ("ClusterRole", String::new()),
        namespace => ("Role", format!(" in namespace {namespace}")),
    }
}
