//! Kubernetes Secrets that are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::check::Checker;
use super::super::located::{At, Hidden, Shown};
use super::super::problem::nearest;
use super::super::{Location, Reflect, SecretRef};
use super::Target;
use crate::base::artifact::secret;
use crate::base::artifact::{Conflict, MARK, is_provenance};

/// A Kubernetes Secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawSecret {
    /// Its name.
    pub name: At<Shown>,
    /// Our own namespace by default.
    pub namespace: Option<At<Shown>>,
    /// Opaque, dockerconfigjson, tls, basic-auth, ssh-auth, or any other type by its full name.
    #[serde(rename = "type")]
    pub kind: Option<At<Shown>>,
    /// dockerconfigjson: several registries.
    #[serde(default)]
    pub registries: Vec<At<RawRegistry>>,
    /// Labels to set.
    #[serde(default)]
    pub labels: BTreeMap<String, At<Hidden>>,
    /// Annotations to set.
    #[serde(default)]
    pub annotations: BTreeMap<String, At<Hidden>>,
    /// Make it immutable; then a change needs `recreate`.
    #[serde(default)]
    pub immutable: bool,
    /// Take over a Secret that carries no owner mark, or that of another configuration.
    #[serde(default)]
    pub adopt: bool,
    /// Delete and create again where type or immutability forbid an update.
    #[serde(default)]
    pub recreate: bool,
    /// Take fields that another field manager owns, and give up keys of others where the Secret is
    /// made again.
    #[serde(default)]
    pub force: bool,
}

/// One registry of a pull secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawRegistry {
    /// Address as the container runtime knows it.
    pub server: At<Shown>,
    /// Field with the user name.
    pub username: At<Hidden>,
    /// Field with the password.
    pub password: At<Hidden>,
}

/// A Kubernetes Secret.
#[derive(Debug, Clone)]
pub struct SecretTarget {
    /// Its name; in our own namespace where none is written.
    pub at: SecretRef,
    /// Its type and how fields become its keys.
    pub kind: SecretKind,
    /// Labels to set.
    pub labels: BTreeMap<String, String>,
    /// Annotations to set.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is to be immutable.
    pub immutable: bool,
    /// What it allows when an object stands in the way.
    pub conflict: Conflict,
    /// ServiceAccounts in the same namespace that are to pull with it.
    pub service_accounts: Vec<String>,
    /// Its copies.
    pub reflect: Option<Reflect>,
    /// Where it was written.
    pub location: Location,
}

/// The type of a Secret and how its keys are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretKind {
    /// Fields are keys of a Secret of this type.
    Fields(String),
    /// `.dockerconfigjson`, from one or several registries, or ready-made.
    DockerConfigJson {
        /// How fields are grouped into registries; empty: the fields `server`, `username`,
        /// `password` and `email` of one registry.
        registries: Vec<Registry>,
    },
    /// `tls.crt` and `tls.key`; `ca.crt` where there is one.
    Tls,
}

impl SecretKind {
    /// Fields are keys of a Secret of a type.
    pub fn from_type(name: &str) -> Self {
        Self::Fields(name.to_owned())
    }
}

/// One registry of a pull secret: its address and the names of the fields that hold its login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Address as the container runtime knows it, where it is not in a field.
    pub server: Option<String>,
    /// Field with the user name.
    pub username: String,
    /// Field with the password.
    pub password: String,
}

impl Checker<'_> {
    pub(super) fn secret(
        &mut self,
        written: At<RawSecret>,
        service_accounts: Vec<String>,
        reflect: Option<Reflect>,
    ) -> Target {
        let location = self.location(&written);
        let RawSecret {
            name,
            namespace,
            kind,
            registries,
            labels,
            annotations,
            immutable,
            adopt,
            recreate,
            force,
        } = written.value;
        let labels = self.metadata(&location, "label", labels);
        let annotations = self.metadata(&location, "annotation", annotations);
        let kind = self.secret_kind(kind.as_ref(), registries);
        if immutable && !recreate {
            self.problem(
                &location,
                "an immutable Secret could never follow its source",
                "add `recreate: true`, or leave `immutable` out",
            );
        }
        Target::Secret(SecretTarget {
            at: self.object(namespace, &name, "the Secret's name"),
            kind,
            labels,
            annotations,
            immutable,
            conflict: Conflict {
                adopt,
                recreate,
                force,
            },
            service_accounts,
            reflect,
            location,
        })
    }

    /// Labels or annotations. Those that mark the owner of a Secret are refused: only keyferry sets
    /// them.
    pub(in crate::config) fn metadata(
        &mut self,
        at: &Location,
        kind: &str,
        written: BTreeMap<String, At<Hidden>>,
    ) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (key, value) in written {
            if key == MARK || is_provenance(&key) {
                let what =
                    format!("the {kind} `{key}` is keyferry's own mark of what it may change");
                self.problem(at, what, "leave it out; other labels are free");
            }
            self.no_variable(&value, &format!("the name of the {kind}"), &key);
            let value = self.text(&value);
            all.insert(key, value);
        }
        all
    }

    fn secret_kind(
        &mut self,
        written: Option<&At<Shown>>,
        registries: Vec<At<RawRegistry>>,
    ) -> SecretKind {
        let registries_at = registries.first().map(|first| self.location(first));
        let registries = registries.into_iter();
        let registries = registries.map(|registry| self.registry(registry.value));
        let registries = registries.collect();
        let text = written.map_or_else(
            || secret::OPAQUE.to_owned(),
            |written| self.name(written, "the type"),
        );
        let kind = match secret::known_type(&text) {
            Some(secret::PULL) => return SecretKind::DockerConfigJson { registries },
            Some(secret::TLS) => SecretKind::Tls,
            known => SecretKind::from_type(known.unwrap_or(&text)),
        };
        if let Some(at) = registries_at {
            self.problem(
                &at,
                "`registries` is of use only with `type: dockerconfigjson`",
                "add `type: dockerconfigjson` to the Secret, or remove `registries`",
            );
        }
        let Some(written) = written else { return kind };
        if matches!(
            &kind, SecretKind::Fields(name) if name != secret::OPAQUE && !name.contains('/')
        ) {
            self.problem(
                written,
                format!("`{text}` is no type of a Secret"),
                match meant_type(&text) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!(
                        "write one of {}, or the full name of another type, with its `/`",
                        secret::short_types().collect::<Vec<_>>().join(", ")
                    ),
                },
            );
        }
        if secret::is_reserved(&text) {
            self.problem(
                written,
                format!("Secrets of type `{text}` carry rights of their own and are never written"),
                "use another type",
            );
        }
        kind
    }

    fn registry(&mut self, written: RawRegistry) -> Registry {
        let RawRegistry {
            server,
            username,
            password,
        } = written;
        Registry {
            server: Some(self.name(&server, "the registry's address")),
            username: self.name(&username, "the field"),
            password: self.name(&password, "the field"),
        }
    }
}

/// Names that `kubectl create secret` and people use for our types.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("docker-registry", "dockerconfigjson"),
    ("dockercfg", "dockerconfigjson"),
    ("dockerconfig", "dockerconfigjson"),
    ("generic", "Opaque"),
];

fn meant_type(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == text);
    let other = other.map(|(_, meant)| *meant);
    other.or_else(|| nearest(&text, secret::short_types()))
}
