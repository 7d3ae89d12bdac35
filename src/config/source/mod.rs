//! Sources of a delivery, and which values are taken from them.

mod vault;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::located::{At, Ordered, Shown, exactly_one};
use super::object::RawSecretRef;
use super::vault::DEFAULT_SERVER;
use super::{KeyKind, Location, SecretRef};
use crate::base::history::Hold;
use crate::format::document::DocumentFormat;
use vault::RawVersion;

pub use vault::{NO_VERSION_0, VaultRead};

/// Exactly one source, and what is taken from it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = exactly_one(&[
    "vault", "age", "sops", "sealed", "sealedSecret", "secret",
])))]
pub struct RawFrom {
    /// A path in Vault, as `vault kv get` or as the HTTP API writes it.
    pub vault: Option<At<Shown>>,
    /// Which of `vaults`, for `vault`.
    pub server: Option<At<Shown>>,
    /// Version of a KV v2 secret, from 1, or `"${NAME}"` (default: the newest).
    pub version: Option<At<RawVersion>>,
    /// Send this to the Vault path and deliver the answer (PKI).
    pub write: Option<At<BTreeMap<String, serde_json::Value>>>,
    /// An age file.
    pub age: Option<At<Shown>>,
    /// A SOPS file.
    pub sops: Option<At<Shown>>,
    /// sops: accept values that its checksum does not protect.
    #[serde(default)]
    pub allow_unauthenticated: bool,
    /// A file with SealedSecrets; `FILE#NAME` where it holds several.
    pub sealed: Option<At<Shown>>,
    /// A SealedSecret object of the cluster.
    pub sealed_secret: Option<At<RawSecretRef>>,
    /// Format of the file, if its name does not tell.
    pub format: Option<At<DocumentFormat>>,
    /// A Kubernetes Secret.
    pub secret: Option<At<RawSecretRef>>,
    /// Put before the name of each field.
    pub prefix: Option<At<Shown>>,
    /// Only these fields; `a.b.0` reaches inside.
    #[serde(default)]
    pub pick: Vec<At<Shown>>,
    /// Old name to new name, before the prefix.
    #[serde(default)]
    pub rename: Ordered<At<Shown>>,
    /// Fields of this source may replace earlier ones.
    #[serde(default)]
    pub r#override: bool,
    /// The source may be absent.
    #[serde(default)]
    pub optional: bool,
    /// `json`: lists and mappings become JSON text. `base64`: each value is base64 of the bytes
    /// that are meant.
    pub encoding: Option<Encoding>,
    /// Joins the names of nested values, such as "_".
    pub flatten: Option<At<Shown>>,
}

/// How values of a source become fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Encoding {
    /// Lists and mappings become JSON text.
    Json,
    /// Texts are base64 of the bytes that are meant.
    Base64,
}

/// One source of a delivery and what is taken from it.
#[derive(Debug, Clone)]
pub struct From {
    /// The source.
    pub source: Source,
    /// Put before each field's name.
    pub prefix: String,
    /// Only these fields, in this order; dotted paths and list indexes reach inside.
    pub pick: Vec<String>,
    /// Old name to new, after `pick`, before `prefix`.
    pub rename: Vec<(String, String)>,
    /// Whether its fields may replace earlier ones.
    pub overrides: bool,
    /// Whether it may be absent.
    pub optional: bool,
    /// Conversion of the values, where one is configured.
    pub encoding: Option<Encoding>,
    /// Joins the names of nested values, where set.
    pub flatten: Option<String>,
    /// Where it was written.
    pub at: Location,
}

impl Checker<'_> {
    pub(super) fn from(&mut self, written: At<RawFrom>) -> Option<From> {
        let at = self.location(&written);
        let RawFrom {
            vault,
            server,
            version,
            write,
            age,
            sops,
            allow_unauthenticated,
            sealed,
            sealed_secret,
            format,
            secret,
            prefix,
            pick,
            rename,
            r#override,
            optional,
            encoding,
            flatten,
        } = written.value;
        let only_vault = server.is_some() || version.is_some() || write.is_some();
        if vault.is_none() && only_vault {
            self.problem(
                &at,
                "`server`, `version` and `write` are of use only beside `vault`",
                "remove them",
            );
        }
        if age.is_none() && sops.is_none() && format.is_some() {
            self.useless(&at, "format", "a file");
        }
        if allow_unauthenticated && sops.is_none() {
            self.useless(&at, "allowUnauthenticated", "`sops`");
        }
        let said = format.map(|written| written.value);
        let format_of = |path: &Path| said.unwrap_or_else(|| DocumentFormat::from_file_name(path));
        let sops = sops.map(|file| {
            let file = self.path(&file);
            Some(Source::Sops {
                format: format_of(&file),
                file,
                allow_unauthenticated,
                commit: None,
            })
        });
        let age = age.map(|file| {
            let file = self.path(&file);
            let format = format_of(&file);
            Some(Source::Age { file, format })
        });
        let mut object = |written| self.secret_ref(written);
        let sealed_secret = sealed_secret.map(|name| Some(Source::SealedObject(object(name))));
        let secret = secret.map(|name| Some(Source::Secret(object(name))));
        let vault = vault.map(|path| self.vault(&path, server, version, write));
        let sealed = sealed.map(|file| Some(self.sealed(&file)));
        let sources = [
            ("vault", vault),
            ("sops", sops),
            ("sealed", sealed),
            ("sealedSecret", sealed_secret),
            ("age", age),
            ("secret", secret),
        ];
        let source = self.only(&at, "a source", sources);
        let rename = rename.0.iter();
        let rename = rename.map(|(old, new)| {
            let old = self.text(&new.with(Shown(old.clone())));
            (old, self.name(new, "the new name"))
        });
        let rename = rename.collect();
        Some(From {
            source: source?,
            prefix: prefix.map_or_else(String::new, |prefix| self.text(&prefix)),
            pick: self.names(&pick, "this field"),
            rename,
            overrides: r#override,
            optional,
            encoding,
            flatten: flatten.map(|joiner| self.text(&joiner)),
            at,
        })
    }

    fn sealed(&mut self, written: &At<Shown>) -> Source {
        let text = self.name(written, "this path");
        let (file, object) = match text.rsplit_once('#') {
            Some((file, object)) => (file, Some(object.to_owned())),
            None => (text.as_str(), None),
        };
        Source::Sealed {
            file: self.base.join(file),
            object,
        }
    }
}

/// A source that is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A path in Vault.
    Vault(VaultRead),
    /// An age file.
    Age {
        /// The file.
        file: PathBuf,
        /// Format of the plaintext.
        format: DocumentFormat,
    },
    /// A SOPS file.
    Sops {
        /// The file.
        file: PathBuf,
        /// Format of the plaintext.
        format: DocumentFormat,
        /// Whether values outside its checksum are accepted.
        allow_unauthenticated: bool,
        /// The commit of its Git repository from which the file is read; `None`: the file on disk.
        commit: Option<String>,
    },
    /// A file with SealedSecrets: the data of one of them.
    Sealed {
        /// The file.
        file: PathBuf,
        /// Name of the SealedSecret, where the file holds several.
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

/// The earlier versions of a source.
#[derive(Debug, Clone, Copy)]
pub enum EarlierVersions<'a> {
    /// Vault numbers and keeps them.
    Numbers,
    /// A Git repository keeps this file.
    Commits(&'a Path, DocumentFormat),
}

impl Source {
    /// The same value for all spellings that may be the same source.
    pub fn whatever_its_spelling(&self) -> Self {
        let Some(read) = self.vault() else {
            return self.clone();
        };
        let parts = read.path.split('/').filter(|part| *part != "data");
        Self::Vault(VaultRead {
            path: parts.collect::<Vec<_>>().join("/"),
            exact: false,
            ..read.clone()
        })
    }

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

    /// Kind of the source, and its name as written.
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

    /// The read, if the source is in Vault.
    pub fn vault(&self) -> Option<&VaultRead> {
        let Self::Vault(read) = self else {
            return None;
        };
        Some(read)
    }

    /// The kind of keys that open it; `None` where it is not encrypted.
    pub fn opened_by(&self) -> Option<KeyKind> {
        match self {
            Self::Age { .. } | Self::Sops { .. } => Some(KeyKind::Age),
            Self::Sealed { .. } | Self::SealedObject(_) | Self::SealedManifests { .. } => {
                Some(KeyKind::Sealed)
            }
            Self::Vault(_) | Self::Secret(_) => None,
        }
    }

    /// The Secret, if the source is one of the cluster.
    pub fn secret(&self) -> Option<&SecretRef> {
        let Self::Secret(at) = self else {
            return None;
        };
        Some(at)
    }

    /// Which of its earlier versions can be read; `None`: only what it is now.
    pub fn versions(&self) -> Option<EarlierVersions<'_>> {
        match self {
            Self::Vault(read) => (read.version.is_none()).then_some(EarlierVersions::Numbers),
            Self::Sops { file, format, .. } => Some(EarlierVersions::Commits(file, *format)),
            Self::Age { .. }
            | Self::Sealed { .. }
            | Self::SealedObject(_)
            | Self::SealedManifests { .. }
            | Self::Secret(_) => None,
        }
    }

    /// A text that does not depend on where the configuration lies: see [`Source::name_beside`].
    pub fn text_beside(&self, folder: &Path) -> String {
        let (kind, name) = self.name_beside(folder);
        format!("{kind} {name}")
    }

    /// Kind and name of the source. A file is named relative to this folder; a server other than
    /// the default is named too.
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

impl From {
    /// Name of the source in a journal and in a Secret's annotations.
    pub fn name(&self) -> String {
        self.source.text_beside(self.at.folder())
    }

    /// The source at the state that a hold demands. A source with a configured version keeps it.
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
