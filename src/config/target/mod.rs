//! Targets of a delivery: files, folders, Kubernetes Secrets.

mod file;
mod format;
mod secret;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::declared_copies::RawReflect;
use super::located::{At, Shown, exactly_one};
use super::{Location, SecretRef};
use file::{RawFile, RawFiles};

pub(super) use file::normal;
pub use file::{FileSetTarget, FileTarget};
pub use format::FileFormat;
pub(super) use secret::RawSecret;
pub use secret::{Registry, SecretKind, SecretTarget};

/// Exactly one target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = exactly_one(&["file", "files", "secret"])))]
pub struct RawTarget {
    /// One file.
    pub file: Option<At<RawFile>>,
    /// A folder with one file per field, changed as one.
    pub files: Option<At<RawFiles>>,
    /// A Kubernetes Secret.
    pub secret: Option<At<RawSecret>>,
    /// Copies of this Secret in other namespaces.
    pub reflect: Option<At<RawReflect>>,
    /// ServiceAccounts that are to pull with this Secret.
    #[serde(default)]
    pub service_accounts: Vec<At<Shown>>,
}

/// A target of a delivery.
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
    /// Where it was written.
    pub fn place(&self) -> &Location {
        match self {
            Self::File(file) => &file.at,
            Self::Files(files) => &files.at,
            Self::Secret(secret) => &secret.location,
        }
    }

    /// The Secret, if the target is one.
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

impl Checker<'_> {
    pub(super) fn target(&mut self, written: At<RawTarget>) -> Option<Target> {
        let at = self.location(&written);
        let RawTarget {
            file,
            files,
            secret,
            reflect,
            service_accounts,
        } = written.value;
        if secret.is_none() && !service_accounts.is_empty() {
            self.useless(&at, "serviceAccounts", "`secret`");
        }
        let reflect = reflect.and_then(|reflect| self.reflect(reflect, secret.as_ref()));
        if reflect.as_ref().is_some_and(|reflect| !reflect.home) && !service_accounts.is_empty() {
            self.problem(
                &at,
                "with `home: false` there is no Secret for `serviceAccounts` to pull with",
                "remove one of the two",
            );
        }
        let secret = secret.map(|secret| {
            let accounts = service_accounts.iter();
            let accounts = accounts.map(|account| self.object_name(account, "the ServiceAccount"));
            let accounts = accounts.collect();
            Some(self.secret(secret, accounts, reflect))
        });
        let targets = [
            ("file", file.map(|file| self.file(file))),
            ("files", files.map(|files| self.files(files))),
            ("secret", secret),
        ];
        self.only(&at, "a target", targets)
    }
}
