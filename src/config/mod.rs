//! The checked declaration. If a [`Config`] exists it is valid: no other module validates again.
//!
//! [`raw`] is the shape as written (serde and JSON Schema come from it), [`check`] turns it into the
//! types below and names file, line and column of what is wrong, [`load`] reads and merges files.

mod at;
pub mod check;
pub mod expand;
pub mod load;
pub mod problem;
pub mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::artifact::{Access, Conflict, ObjectName};

/// Where in the configuration something was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Location {
    /// The file as it was named on the command line.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Everything that was declared.
#[derive(Debug)]
pub struct Config {
    /// Vault or OpenBao servers by name; a single one is called `default`.
    pub vaults: BTreeMap<String, VaultServer>,
    /// Keys that open encrypted files.
    pub keys: Keys,
    /// In the order of the files.
    pub deliveries: Vec<Delivery>,
    /// Encrypted manifests, applied as what they say they are.
    pub manifests: Vec<ManifestSet>,
}

/// One Vault or OpenBao server and the identity we have there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultServer {
    /// Its name in the configuration.
    pub name: String,
    /// `https://host:port`, without a path and without a final slash.
    pub address: String,
    /// Sent with each request.
    pub namespace: Option<String>,
    /// Only these roots are trusted where set; else the system's.
    pub ca_file: Option<PathBuf>,
    /// The name the certificate must carry, where it is not the host of the address.
    pub server_name: Option<String>,
    /// Whether `http://` may leave this machine.
    pub allow_plaintext: bool,
    /// How a token is had.
    pub auth: VaultAuth,
    /// Where `auth` was written.
    pub at: Location,
}

/// How a Vault token is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultAuth {
    /// A ServiceAccount token, checked by Vault at the API server.
    Kubernetes {
        /// Mount of the auth method, `kubernetes` unless said.
        mount: String,
        /// The role to log in to.
        role: String,
        /// Re-read at each login.
        token_file: PathBuf,
    },
    /// Any JWT.
    Jwt {
        /// Mount of the auth method, `jwt` unless said.
        mount: String,
        /// The role to log in to.
        role: String,
        /// Where the JWT comes from.
        token: JwtSource,
    },
    /// Role id and secret id.
    AppRole {
        /// Mount of the auth method, `approle` unless said.
        mount: String,
        /// File with the role id.
        role_id_file: PathBuf,
        /// File with the secret id, or with the token that wraps it.
        secret_id_file: PathBuf,
        /// Whether the file holds a wrapping token.
        wrapped: bool,
    },
    /// A token somebody else obtained and renews.
    Token {
        /// Re-read at each pass; an agent's sink.
        file: PathBuf,
    },
}

/// Where a JWT comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwtSource {
    /// A file, re-read at each login.
    File(PathBuf),
    /// The GitHub Actions runner, asked for a token with this audience.
    GithubActions {
        /// `aud` of the token.
        audience: String,
    },
}

/// Keys that open encrypted files.
#[derive(Debug, Default)]
pub struct Keys {
    /// age identities.
    pub age: Vec<AgeKey>,
    /// Private keys of the sealed-secrets controller.
    pub sealed: Vec<SealedKey>,
    /// The only recipients that files may be encrypted to; empty: any.
    pub recipients: Vec<String>,
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

/// Encrypted manifests of one kind. Namespaces come from here only: what the files say beside values is not protected.
#[derive(Debug)]
pub struct ManifestSet {
    /// As written, for reports.
    pub pattern: String,
    /// One source per file that the pattern finds, in order of names.
    pub files: Vec<Source>,
    /// Namespaces that manifests may name; empty: only our own.
    pub namespaces: Vec<String>,
    /// Delete what this configuration once created and no longer lists.
    pub prune: bool,
    /// What may be done about an object in the way.
    pub conflict: Conflict,
    /// Where it was written.
    pub at: Location,
}

/// Where age identities come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgeKey {
    /// Lines of `AGE-SECRET-KEY-…`, as age-keygen writes them.
    File(PathBuf),
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
        /// The Secret; without a namespace our own.
        at: SecretRef,
        /// The key.
        key: String,
    },
}

/// One promise: these fields, rendered so, to these targets.
#[derive(Debug)]
pub struct Delivery {
    /// Unique.
    pub name: String,
    /// Merged in order.
    pub from: Vec<From>,
    /// Computed after the merge, in order.
    pub fields: Vec<ComputedField>,
    /// Fields that must be there and not be empty.
    pub require: Vec<String>,
    /// The only fields that reach the targets, in this order; all where it is empty.
    pub deliver: Vec<String>,
    /// Whether empty values may be delivered.
    pub allow_empty: bool,
    /// Where it goes; only `exec` may do without.
    pub to: Vec<Target>,
    /// Where it was written.
    pub at: Location,
}

/// A field made from others by a template.
#[derive(Debug)]
pub struct ComputedField {
    /// Its name.
    pub name: String,
    /// The template's text.
    pub template: String,
    /// Where it was written.
    pub at: Location,
}

/// One source of a delivery and what is taken from it.
#[derive(Debug)]
pub struct From {
    /// What is read.
    pub source: Source,
    /// Put before each field's name.
    pub prefix: String,
    /// Only these, in this order; dotted paths and list indexes reach inside.
    pub pick: Vec<String>,
    /// Old name to new, after `pick`, before `prefix`.
    pub rename: Vec<(String, String)>,
    /// Whether its fields may replace earlier ones.
    pub overrides: bool,
    /// Whether it may be absent.
    pub optional: bool,
    /// Whether lists and mappings become JSON text.
    pub encode_json: bool,
    /// Joins the names of nested values, where set.
    pub flatten: Option<String>,
    /// Where it was written.
    pub at: Location,
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A path in Vault.
    Vault(VaultRead),
    /// An age file.
    Age {
        /// The file.
        file: PathBuf,
        /// What is inside.
        format: DocumentFormat,
    },
    /// A SOPS file.
    Sops {
        /// The file.
        file: PathBuf,
        /// What is inside.
        format: DocumentFormat,
        /// Whether values outside its checksum are accepted.
        allow_unauthenticated: bool,
    },
    /// A file with SealedSecrets: the data of one of them.
    Sealed {
        /// The file.
        file: PathBuf,
        /// Which, where the file holds several.
        object: Option<String>,
    },
    /// A SealedSecret object of the cluster: its data.
    SealedObject(SecretRef),
    /// A file with SealedSecrets: all of them, as Secret documents.
    SealedManifests {
        /// The file.
        file: PathBuf,
    },
    /// A Kubernetes Secret.
    Secret(SecretRef),
}

/// One read in Vault. Equal reads are made once in a pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultRead {
    /// Name of the server.
    pub server: String,
    /// As written, without `/v1/` and outer slashes: `kv/data/a/b` and `kv/a/b` both name KV secrets.
    pub path: String,
    /// A version of a KV v2 secret.
    pub version: Option<u64>,
    /// A JSON object to send: then it is a write that answers data (PKI).
    pub write: Option<String>,
}

/// A Secret in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    /// Without one: the namespace of the pod or of the kubeconfig's context.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// What a decrypted file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentFormat {
    /// `NAME=value` lines.
    Dotenv,
    /// One JSON value.
    Json,
    /// YAML documents.
    Yaml,
    /// Sections of `name = value`.
    Ini,
    /// Anything: one field `content`.
    Raw,
}

/// Where a delivery goes.
#[derive(Debug)]
pub enum Target {
    /// One file.
    File(FileTarget),
    /// A folder with one file per field.
    Files(FileSetTarget),
    /// A Kubernetes Secret.
    Secret(SecretTarget),
}

/// One file.
#[derive(Debug)]
pub struct FileTarget {
    /// Joined with the configuration's folder.
    pub path: PathBuf,
    /// What is written.
    pub format: FileFormat,
    /// Modes and owner.
    pub access: Access,
    /// Where it was written.
    pub at: Location,
}

/// What is written into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFormat {
    /// `NAME=value`, read alike by sh, docker compose and node.
    Dotenv {
        /// Only our variables change; all else in the file stays.
        edit: bool,
    },
    /// One JSON object of the fields, or the whole document.
    Json {
        /// Numbers and truth values become text.
        as_strings: bool,
    },
    /// YAML, the same.
    Yaml,
    /// `name=value` of Java.
    Properties,
    /// One field's bytes; without a name the only one.
    Raw {
        /// The field.
        field: Option<String>,
    },
    /// A template's output.
    Template {
        /// The template's text, read when the configuration was loaded.
        text: String,
        /// The file's name, for messages.
        name: String,
    },
}

/// A folder with one file per field.
#[derive(Debug)]
pub struct FileSetTarget {
    /// Joined with the configuration's folder.
    pub dir: PathBuf,
    /// Modes and owner.
    pub access: Access,
    /// Where it was written.
    pub at: Location,
}

/// A Kubernetes Secret.
#[derive(Debug)]
pub struct SecretTarget {
    /// Where; without a namespace our own.
    pub at: SecretRef,
    /// Its type and how fields become its keys.
    pub kind: SecretKind,
    /// Labels to set.
    pub labels: BTreeMap<String, String>,
    /// Annotations to set.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is to be immutable.
    pub immutable: bool,
    /// What may be done about an object in the way.
    pub conflict: Conflict,
    /// ServiceAccounts in the same namespace that are to pull with it.
    pub service_accounts: Vec<String>,
    /// Where it was written.
    pub location: Location,
}

/// The type of a Secret and how its keys are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretKind {
    /// Fields are keys.
    Opaque,
    /// `.dockerconfigjson`, from one or several registries, or ready-made.
    DockerConfigJson {
        /// How fields are grouped into registries; empty: `server`, `username`, `password`, `email` of one.
        registries: Vec<Registry>,
    },
    /// `tls.crt`, `tls.key`, checked; `ca.crt` where there is one.
    Tls,
    /// `username` and `password`.
    BasicAuth,
    /// `ssh-privatekey`.
    SshAuth,
    /// Any other, keys as they are.
    Other(String),
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

impl Source {
    /// The Vault read that it is, where it is one.
    pub fn vault(&self) -> Option<&VaultRead> {
        match self {
            Self::Vault(read) => Some(read),
            Self::Age { .. }
            | Self::Sops { .. }
            | Self::Sealed { .. }
            | Self::SealedObject(_)
            | Self::SealedManifests { .. }
            | Self::Secret(_) => None,
        }
    }

    /// Whether it is a file here, so that reading it asks no server.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Age { .. }
            | Self::Sops { .. }
            | Self::Sealed { .. }
            | Self::SealedManifests { .. } => true,
            Self::Vault(_) | Self::SealedObject(_) | Self::Secret(_) => false,
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Vault(read) => write!(f, "vault {}", read.path),
            Self::Age { file, .. } => write!(f, "age file {}", file.display()),
            Self::Sops { file, .. } => write!(f, "sops file {}", file.display()),
            Self::Sealed { file, .. } | Self::SealedManifests { file } => {
                write!(f, "sealed file {}", file.display())
            }
            Self::SealedObject(at) => write!(f, "sealed secret {at}"),
            Self::Secret(at) => write!(f, "secret {at}"),
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
