//! Keys that open encrypted files: age identities, and those of the sealed-secrets controller.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::located::{At, Shown, exactly_one};
use super::{Location, SecretRef, VaultRead};
use crate::base::redact::form::is_private_key;

/// Keys that open encrypted files.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RawKeys {
    /// age identities, all tried.
    pub age: Vec<At<RawAgeKey>>,
    /// Private keys of the sealed-secrets controller, all tried.
    pub sealed: Vec<At<RawSealedKey>>,
    /// The only recipients that files may be encrypted to: age and SSH recipients, names of KMS
    /// keys, fingerprints of PGP and sealing keys. Others are warned of, and `check --keys` fails
    /// for them.
    pub recipients: Vec<At<Shown>>,
}

/// Keys that open encrypted files.
#[derive(Debug, Default, Clone)]
pub struct Keys {
    /// age identities.
    pub age: Vec<LocatedKey<AgeKey>>,
    /// Private keys of the sealed-secrets controller.
    pub sealed: Vec<LocatedKey<SealedKey>>,
    /// The only recipients that files may be encrypted to; empty: any.
    pub recipients: Vec<String>,
}

impl Keys {
    /// The keys that are read from Vault, and where each was written.
    pub fn in_vault(&self) -> impl Iterator<Item = (&VaultRead, Option<&Location>)> {
        let age = self.age.iter().map(|one| (one.key.vault(), &one.at));
        let sealed = self.sealed.iter().map(|one| (one.key.vault(), &one.at));
        age.chain(sealed)
            .filter_map(|(read, at)| Some((read?, at.as_ref())))
    }
}

/// The lists in `keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// age identities, for age and SOPS files.
    Age,
    /// Private keys of the sealed-secrets controller.
    Sealed,
}

/// A key and where it is named.
#[derive(Debug, Clone)]
pub struct LocatedKey<K> {
    /// Where it comes from.
    pub key: K,
    /// Where it was written; `None` where SOPS_AGE_KEY_FILE names it.
    pub at: Option<Location>,
}

impl Checker<'_> {
    /// Adds the usable keys.
    pub(super) fn keys(&mut self, written: RawKeys, keys: &mut Keys) {
        let RawKeys {
            age,
            sealed,
            recipients,
        } = written;
        for key in age {
            let at = Some(self.location(&key));
            keys.age
                .extend(self.age_key(key).map(|key| LocatedKey { key, at }));
        }
        for key in sealed {
            let at = Some(self.location(&key));
            keys.sealed
                .extend(self.sealed_key(key).map(|key| LocatedKey { key, at }));
        }
        let recipients = recipients.iter();
        keys.recipients
            .extend(recipients.map(|recipient| self.recipient(recipient)));
    }

    /// A recipient: the public half of a key, or the name of a key.
    fn recipient(&mut self, written: &At<Shown>) -> String {
        let text = self.name(written, "the recipient");
        if is_private_key(&text) {
            self.problem(
                written,
                "this recipient is a private key",
                "write its public half (`age-keygen -y`); and replace the key, it was seen",
            );
        }
        text.trim().to_owned()
    }
}

/// Exactly one place of age identities.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["file"]},
    {"required": ["ssh"]},
    {"required": ["passphraseFile"], "not": {"required": ["file"]}},
    {"required": ["vault"]},
    {"required": ["secret"]}
]))]
pub struct RawAgeKey {
    /// File with lines of `AGE-SECRET-KEY-…`.
    pub file: Option<At<Shown>>,
    /// File with an OpenSSH private key.
    pub ssh: Option<At<Shown>>,
    /// File with a passphrase, for files encrypted with one; beside `file`: for that file.
    pub passphrase_file: Option<At<Shown>>,
    /// `path#field` in Vault.
    pub vault: Option<At<Shown>>,
    /// Which of `vaults`, for `vault`.
    pub server: Option<At<Shown>>,
    /// One key of a Kubernetes Secret.
    pub secret: Option<At<RawSecretKeyRef>>,
}

/// One key of a Kubernetes Secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawSecretKeyRef {
    /// Our own namespace by default.
    pub namespace: Option<At<Shown>>,
    /// Name of the Secret.
    pub name: At<Shown>,
    /// Key in its data.
    pub key: At<Shown>,
}

/// Where age identities come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgeKey {
    /// Lines of `AGE-SECRET-KEY-…`, as age-keygen writes them.
    File {
        /// The file.
        file: PathBuf,
        /// The passphrase's file, where the file with the lines is encrypted with one.
        passphrase: Option<PathBuf>,
    },
    /// An OpenSSH private key.
    Ssh(PathBuf),
    /// A passphrase for files encrypted with one.
    Passphrase(PathBuf),
    /// One field of a Vault secret.
    Vault {
        /// Server and path.
        read: VaultRead,
        /// The field.
        field: String,
    },
    /// One key of a Kubernetes Secret.
    Secret {
        /// The Secret; in our own namespace where none is written.
        at: SecretRef,
        /// The key.
        key: String,
    },
}

impl AgeKey {
    fn vault(&self) -> Option<&VaultRead> {
        match self {
            Self::Vault { read, .. } => Some(read),
            Self::File { .. } | Self::Ssh(_) | Self::Passphrase(_) | Self::Secret { .. } => None,
        }
    }

    /// The files that the key is read from.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::File { file, passphrase } => {
                let passphrase = passphrase.as_deref();
                [Some(file.as_path()), passphrase]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            Self::Ssh(file) | Self::Passphrase(file) => vec![file],
            Self::Vault { .. } | Self::Secret { .. } => Vec::new(),
        }
    }
}

impl Checker<'_> {
    fn age_key(&mut self, written: At<RawAgeKey>) -> Option<AgeKey> {
        let at = self.location(&written);
        let RawAgeKey {
            file,
            ssh,
            passphrase_file,
            vault,
            server,
            secret,
        } = written.value;
        let mut passphrase = passphrase_file.map(|file| self.path(&file));
        let file = file.map(|file| {
            Some(AgeKey::File {
                file: self.path(&file),
                passphrase: passphrase.take(),
            })
        });
        let vault = self.vault_field(vault, server);
        let vault = vault.map(|vault| vault.map(|(read, field)| AgeKey::Vault { read, field }));
        let ssh = ssh.map(|file| Some(AgeKey::Ssh(self.path(&file))));
        let passphrase = passphrase.map(|file| Some(AgeKey::Passphrase(file)));
        let secret = secret.map(|secret| Some(self.age_key_secret(secret.value)));
        let keys = [
            ("file", file),
            ("ssh", ssh),
            ("passphraseFile", passphrase),
            ("vault", vault),
            ("secret", secret),
        ];
        self.only(&at, "a key", keys)
    }

    fn age_key_secret(&mut self, written: RawSecretKeyRef) -> AgeKey {
        let RawSecretKeyRef {
            namespace,
            name,
            key,
        } = written;
        AgeKey::Secret {
            at: self.object(namespace, &name, "the Secret's name"),
            key: self.name(&key, "the key"),
        }
    }

    /// Reads `path#field` and the server beside it.
    fn vault_field(
        &mut self,
        written: Option<At<Shown>>,
        server: Option<At<Shown>>,
    ) -> Option<Option<(VaultRead, String)>> {
        let Some(written) = written else {
            if let Some(server) = server {
                self.useless(&server, "server", "`vault`");
            }
            return None;
        };
        let text = self.text(&written);
        let parts = text.split_once('#').filter(|(_, field)| !field.is_empty());
        let Some((path, field)) = parts else {
            let what = format!("`{text}` names no field");
            self.problem(&written, what, "write it as `path#field`");
            return Some(None);
        };
        let read = self.vault_read(path, &written, server);
        Some(read.map(|read| (read, field.to_owned())))
    }
}

/// Exactly one place of sealing keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = exactly_one(&["file", "secret", "vault"])))]
pub struct RawSealedKey {
    /// PEM file, or a backup made by `kubectl get secret -o yaml`.
    pub file: Option<At<Shown>>,
    /// Secrets of the controller's namespace.
    pub secret: Option<At<RawSealedKeySecret>>,
    /// `path#field` in Vault.
    pub vault: Option<At<Shown>>,
    /// Which of `vaults`, for `vault`.
    pub server: Option<At<Shown>>,
}

/// Sealing keys in a cluster.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawSealedKeySecret {
    /// Namespace of the controller (default: `kube-system`).
    pub namespace: Option<At<Shown>>,
    /// All Secrets with this label; `sealedsecrets.bitnami.com/sealed-secrets-key=active` unless
    /// `name` is given.
    pub selector: Option<At<Shown>>,
    /// One Secret, so that no list right is needed.
    pub name: Option<At<Shown>>,
}

/// Where private keys of the sealed-secrets controller come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedKey {
    /// A PEM file, or a backup of the controller's Secrets.
    File(PathBuf),
    /// All Secrets of a namespace with a label.
    Selector {
        /// The controller's namespace.
        namespace: String,
        /// The label.
        selector: String,
    },
    /// One Secret.
    Secret(SecretRef),
    /// One field of a Vault secret.
    Vault {
        /// Server and path.
        read: VaultRead,
        /// The field.
        field: String,
    },
}

impl SealedKey {
    fn vault(&self) -> Option<&VaultRead> {
        match self {
            Self::Vault { read, .. } => Some(read),
            Self::File(_) | Self::Selector { .. } | Self::Secret(_) => None,
        }
    }

    /// The file that the keys are read from.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Selector { .. } | Self::Secret(_) | Self::Vault { .. } => None,
        }
    }
}

/// Where the sealed-secrets controller usually runs, and how it marks its keys.
const CONTROLLER_NAMESPACE: &str = "kube-system";
const CONTROLLER_LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key=active";

impl Checker<'_> {
    fn sealed_key(&mut self, written: At<RawSealedKey>) -> Option<SealedKey> {
        let at = self.location(&written);
        let RawSealedKey {
            file,
            secret,
            vault,
            server,
        } = written.value;
        let vault = self.vault_field(vault, server);
        let vault = vault.map(|vault| vault.map(|(read, field)| SealedKey::Vault { read, field }));
        let file = file.map(|file| Some(SealedKey::File(self.path(&file))));
        let secret = secret.map(|secret| Some(self.sealed_key_secret(secret)));
        let keys = [("file", file), ("secret", secret), ("vault", vault)];
        self.only(&at, "a key", keys)
    }

    fn sealed_key_secret(&mut self, written: At<RawSealedKeySecret>) -> SealedKey {
        let at = self.location(&written);
        let RawSealedKeySecret {
            namespace,
            selector,
            name,
        } = written.value;
        let namespace = namespace.map_or_else(
            || CONTROLLER_NAMESPACE.to_owned(),
            |namespace| self.namespace(&namespace),
        );
        if let (Some(_), Some(_)) = (&selector, &name) {
            self.problem(
                &at,
                "`selector` and `name` exclude each other",
                "keep one of them",
            );
        }
        match name {
            Some(name) => SealedKey::Secret(SecretRef {
                namespace: Some(namespace),
                name: self.object_name(&name, "the Secret's name"),
            }),
            None => SealedKey::Selector {
                namespace,
                selector: selector.map_or_else(
                    || CONTROLLER_LABEL.to_owned(),
                    |selector| self.text(&selector),
                ),
            },
        }
    }
}
