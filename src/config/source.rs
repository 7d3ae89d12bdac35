//! What a delivery is made of: sources and what is taken from them.

use std::path::{Path, PathBuf};

use crate::format::document::DocumentFormat;

use super::{Location, SecretRef};
use crate::base::history::Hold;

/// The name of the server that sources use when they name none.
pub(super) const DEFAULT_SERVER: &str = "default";

/// One source of a delivery and what is taken from it.
#[derive(Debug, Clone)]
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
    /// What becomes of its values on the way, where that is configured.
    pub encoding: Option<Encoding>,
    /// Joins the names of nested values, where set.
    pub flatten: Option<String>,
    /// Where it was written.
    pub at: Location,
}

/// How values of a source become fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lists and mappings become JSON text.
    Json,
    /// Texts are base64 of the bytes that are meant.
    Base64,
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
        /// The commit of its Git repository that it is read from; nothing for the file as it lies
        /// there.
        commit: Option<String>,
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
    /// As written, without `/v1/` and outer slashes: `kv/data/a/b` and `kv/a/b` both name KV
    /// secrets.
    pub path: String,
    /// Asked for as it is written, because its `/v1/` was written out. A path with `data` in it is
    /// asked for so anyway.
    pub exact: bool,
    /// A version of a KV v2 secret.
    pub version: Option<u64>,
    /// A JSON object to send: then it is a write that answers data (PKI).
    pub write: Option<String>,
}

impl Source {
    /// One name for all spellings that may turn out to be the same source.
    pub fn whatever_its_spelling(&self) -> Self {
        match self {
            Self::Vault(read) => {
                let parts = read.path.split('/').filter(|part| *part != "data");
                Self::Vault(VaultRead {
                    path: parts.collect::<Vec<_>>().join("/"),
                    exact: false,
                    ..read.clone()
                })
            }
            Self::Age { .. }
            | Self::Sops { .. }
            | Self::Sealed { .. }
            | Self::SealedObject(_)
            | Self::SealedManifests { .. }
            | Self::Secret(_) => self.clone(),
        }
    }
}

impl Source {
    /// The file that it is read from.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Age { file, .. }
            | Self::Sops { file, .. }
            | Self::Sealed { file, .. }
            | Self::SealedManifests { file } => Some(file),
            Self::Vault(_) | Self::SealedObject(_) | Self::Secret(_) => None,
        }
    }

    /// What it is, and its name as it was written.
    pub fn name(&self) -> (&'static str, String) {
        match self {
            Self::Vault(read) => ("vault", read.path.clone()),
            Self::Age { file, .. } => ("age file", file.display().to_string()),
            Self::Sops { file, .. } => ("sops file", file.display().to_string()),
            Self::Sealed { file, .. } | Self::SealedManifests { file } => {
                ("sealed file", file.display().to_string())
            }
            Self::SealedObject(at) => ("sealed secret", at.to_string()),
            Self::Secret(at) => ("secret", at.to_string()),
        }
    }

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

    /// Whether keys of ours open it.
    pub fn is_encrypted(&self) -> bool {
        match self {
            Self::Age { .. } | Self::Sops { .. } => true,
            Self::Sealed { .. } | Self::SealedObject(_) | Self::SealedManifests { .. } => true,
            Self::Vault(_) | Self::Secret(_) => false,
        }
    }

    /// Whether it is a SealedSecret.
    pub fn is_sealed(&self) -> bool {
        match self {
            Self::Sealed { .. } | Self::SealedObject(_) | Self::SealedManifests { .. } => true,
            Self::Age { .. } | Self::Sops { .. } | Self::Vault(_) | Self::Secret(_) => false,
        }
    }

    /// The Secret of the cluster that it is, where it is one.
    pub fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::Secret(at) => Some(at),
            Self::Vault(_)
            | Self::Age { .. }
            | Self::Sops { .. }
            | Self::Sealed { .. }
            | Self::SealedManifests { .. }
            | Self::SealedObject(_) => None,
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

impl From {
    /// Its source as a journal and a Secret's annotations name it.
    pub fn name(&self) -> String {
        self.source.beside(self.at.folder())
    }

    /// Its source at the state that a hold demands. What names a version of its own keeps that.
    pub fn held_at(&self, hold: &Hold) -> Source {
        let mut source = self.source.clone();
        let version = hold.sources.get(&self.name());
        match &mut source {
            Source::Vault(read) => {
                let held = version.and_then(|version| version.parse().ok());
                read.version = read.version.or(held);
            }
            Source::Sops { commit, .. } => *commit = version.cloned(),
            Source::Age { .. }
            | Source::Sealed { .. }
            | Source::SealedObject(_)
            | Source::SealedManifests { .. }
            | Source::Secret(_) => {}
        }
        source
    }
}

impl Source {
    /// The same text wherever the configuration lies: see [`Source::name_beside`].
    pub fn beside(&self, folder: &Path) -> String {
        let (kind, name) = self.name_beside(folder);
        format!("{kind} {name}")
    }

    /// What it is, and its name: files as they are written in a configuration of this folder, and
    /// the server where it is named.
    pub fn name_beside(&self, folder: &Path) -> (&'static str, String) {
        let (kind, name) = self.name();
        let near = |file: &Path| {
            file.strip_prefix(folder)
                .unwrap_or(file)
                .display()
                .to_string()
        };
        match (self.vault(), self.file()) {
            (Some(read), _) if read.server != DEFAULT_SERVER => {
                (kind, format!("{}: {name}", read.server))
            }
            (_, Some(file)) => (kind, near(file)),
            (_, None) => (kind, name),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, name) = self.name();
        write!(f, "{kind} {name}")
    }
}
