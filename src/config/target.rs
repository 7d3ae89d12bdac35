//! Where a delivery goes: files, folders, Kubernetes Secrets.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Location, Reflect, SecretRef};
use crate::base::artifact::{Conflict, FileAccess};

/// Where a delivery goes.
#[derive(Debug, Clone)]
pub enum Target {
    /// One file.
    File(FileTarget),
    /// A folder with one file per field.
    Files(FileSetTarget),
    /// A Kubernetes Secret.
    Secret(SecretTarget),
}

impl Target {
    /// The Secret that it is, if it is one.
    pub fn secret(&self) -> Option<SecretRef> {
        match self {
            Self::Secret(secret) => Some(secret.at.clone()),
            Self::File(_) | Self::Files(_) => None,
        }
    }
}

/// As messages and plans name it.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(f, "file {}", file.path.display()),
            Self::Files(files) => write!(f, "files {}", files.dir.display()),
            Self::Secret(secret) => write!(f, "secret {}", secret.at),
        }
    }
}

/// One file.
#[derive(Debug, Clone)]
pub struct FileTarget {
    /// Joined with the configuration's folder.
    pub path: PathBuf,
    /// What is written.
    pub format: FileFormat,
    /// Modes and owner.
    pub access: FileAccess,
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
#[derive(Debug, Clone)]
pub struct FileSetTarget {
    /// Joined with the configuration's folder.
    pub dir: PathBuf,
    /// Modes and owner.
    pub access: FileAccess,
    /// Where it was written.
    pub at: Location,
}

/// A Kubernetes Secret.
#[derive(Debug, Clone)]
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
        /// How fields are grouped into registries; empty: `server`, `username`, `password`, `email`
        /// of one.
        registries: Vec<Registry>,
    },
    /// `tls.crt` and `tls.key`; `ca.crt` where there is one.
    Tls,
}

impl SecretKind {
    /// Fields are keys of a Secret of a type.
    pub fn of(name: &str) -> Self {
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
