//! Exactly what must exist: the desired side of a plan.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::failure::Failure;
use crate::base::material::SecretBytes;

mod owner;
pub mod secret;

pub use owner::{ConfigurationName, Owner, Provenance, SourceVersion, is_provenance, told_sources};

/// Key of the label that marks what we made.
pub const MARK: &str = "app.kubernetes.io/managed-by";

/// Value of [`MARK`], and our name as a field manager: fields that we no longer apply are removed,
/// fields of others stay.
pub const OWNER: &str = "keyferry";

/// Key of the label that names the configuration: a part of the mark.
pub const CONFIGURATION: &str = "keyferry.io/configuration";

/// Key of the annotation that names the delivery or the manifest of a Secret.
pub const DELIVERY: &str = "keyferry.io/delivery";

/// Key of the annotation that lists the sources of a Secret and their versions.
pub const SOURCES: &str = "keyferry.io/sources";

/// Key of the annotation that holds the journal of a delivery.
pub const HISTORY: &str = "keyferry.io/history";

/// Key of the label that names the set of manifests of a Secret.
pub const MANIFESTS_MARK: &str = "keyferry.io/manifests";

/// Everything a configuration promises, one entry per delivery.
#[derive(Debug)]
pub struct Desired {
    /// In the order of the configuration.
    pub deliveries: Vec<Wanted>,
}

/// One delivery, whole or not at all: a failed input leaves no artifact of it.
#[derive(Debug)]
pub struct Wanted {
    /// Its name.
    pub delivery: String,
    /// The artifacts that must exist, or why they are not known.
    pub artifacts: Result<Vec<Artifact>, Failure>,
}

/// One thing that must exist. Files are shared with the thread that looks at them or writes them.
#[derive(Debug)]
pub enum Artifact {
    /// One file, or managed lines in one.
    File(Arc<FileArtifact>),
    /// A folder of files that changes as one.
    FileSet(Arc<FileSetArtifact>),
    /// A Kubernetes Secret.
    Secret(SecretArtifact),
    /// A ServiceAccount that pulls with a Secret.
    PullSecret(PullSecretLink),
    /// A Secret that we made and that nothing asks for any more: the only artifact that must not
    /// exist.
    Leftover(Leftover),
}

impl Artifact {
    /// One file.
    pub fn of_file(file: FileArtifact) -> Self {
        Self::File(Arc::new(file))
    }

    /// A folder of files.
    pub fn of_set(set: FileSetArtifact) -> Self {
        Self::FileSet(Arc::new(set))
    }

    /// Bytes of all its values.
    pub fn weight(&self) -> usize {
        match self {
            Self::File(file) => match &file.body {
                FileBody::Whole(body) => body.len(),
                FileBody::Lines(lines) => lines.iter().map(|line| line.line.len()).sum(),
            },
            Self::FileSet(set) => set.files.values().map(SecretBytes::len).sum(),
            Self::Secret(secret) => secret.data.values().map(SecretBytes::len).sum(),
            Self::PullSecret(_) | Self::Leftover(_) => 0,
        }
    }

    /// Wipes the values and keeps what can be shown. A disk call that hangs keeps the values that
    /// it writes.
    pub fn forget_values(&mut self) {
        match self {
            Self::File(file) => match Arc::get_mut(file).map(|file| &mut file.body) {
                Some(FileBody::Whole(body)) => *body = SecretBytes::default(),
                Some(FileBody::Lines(lines)) => lines.clear(),
                None => {}
            },
            Self::FileSet(set) => {
                if let Some(set) = Arc::get_mut(set) {
                    set.files.clear();
                }
            }
            Self::Secret(secret) => secret.data.clear(),
            Self::PullSecret(_) | Self::Leftover(_) => {}
        }
    }
}

/// One file at one path.
#[derive(Debug)]
pub struct FileArtifact {
    /// Absolute, or relative to the working folder; already joined with the configuration's folder.
    pub path: PathBuf,
    /// Its content.
    pub body: FileBody,
    /// How a plan reads its variables.
    pub variables: Variables,
    /// Mode, owner and demands on the place.
    pub access: FileAccess,
}

/// The content that a file must have.
#[derive(Debug)]
pub enum FileBody {
    /// These bytes and no others.
    Whole(SecretBytes),
    /// These variables, as lines `NAME=…` that are ready to be written; every other byte of an
    /// existing `.env` file stays.
    Lines(Vec<EnvLine>),
}

/// How the variables of a whole file are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variables {
    /// Not at all.
    Opaque,
    /// As `.env`.
    Dotenv,
    /// As the members of a JSON object.
    Json,
    /// As the members of a YAML mapping.
    Yaml,
    /// As Java properties.
    Properties,
}

/// One managed line of a `.env` file.
#[derive(Debug)]
pub struct EnvLine {
    /// The variable.
    pub name: String,
    /// Its value, not yet quoted.
    pub value: SecretBytes,
    /// The whole line as it is written, quoted, without its newline.
    pub line: SecretBytes,
}

/// A folder of files, switched by one `..data` link.
#[derive(Debug)]
pub struct FileSetArtifact {
    /// The folder.
    pub dir: PathBuf,
    /// Name to content; names are plain file names.
    pub files: BTreeMap<String, SecretBytes>,
    /// Mode and owner of the files, and demands on the place.
    pub access: FileAccess,
}

/// Mode, owner and the demands on the place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAccess {
    /// Mode of the file.
    pub mode: u32,
    /// Mode of folders that are created for it.
    pub dir_mode: u32,
    /// Owner, where configured.
    pub uid: Option<u32>,
    /// Group, where configured.
    pub gid: Option<u32>,
    /// Whether missing folders are created.
    pub create_dirs: bool,
    /// Whether a place that is not in memory is refused.
    pub require_tmpfs: bool,
    /// Whether a file that was not written by us may be taken over.
    pub adopt: bool,
    /// Whether the content may be written in place where a rename is impossible (a bind-mounted
    /// file).
    pub in_place: bool,
    /// Whether an existing file keeps its mode: it is edited, and no mode is configured.
    pub keep_mode: bool,
}

impl FileAccess {
    /// The default: only the owner may read, and nothing is demanded of the place.
    pub const PRIVATE: Self = Self {
        mode: 0o400,
        dir_mode: 0o700,
        uid: None,
        gid: None,
        create_dirs: false,
        require_tmpfs: false,
        adopt: false,
        in_place: false,
        keep_mode: false,
    };
}

/// Namespace and name of a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Whether Kubernetes takes this as the name of an object: labels of a DNS name, joined by dots.
pub fn is_object_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Whether Kubernetes takes this as the name of a namespace: one label of a DNS name.
pub fn is_namespace_name(text: &str) -> bool {
    text.len() <= 63 && is_label(text)
}

fn is_label(text: &str) -> bool {
    let end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.chars().all(|c| end(c) || c == '-') && text.starts_with(end) && text.ends_with(end)
}

/// One Kubernetes Secret.
#[derive(Debug)]
pub struct SecretArtifact {
    /// Where.
    pub at: ObjectName,
    /// Its `type`.
    pub kind: String,
    /// Key to decoded value.
    pub data: BTreeMap<String, SecretBytes>,
    /// Its owner and its sources.
    pub provenance: Arc<Provenance>,
    /// Labels beside the owner mark.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is to be immutable.
    pub immutable: bool,
    /// What the target allows when an object stands in the way.
    pub conflict: Conflict,
}

/// What a target allows when something stands in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Conflict {
    /// Take over an object that has no owner mark, or that of another configuration.
    pub adopt: bool,
    /// Delete and create again where type or immutability forbid an update.
    pub recreate: bool,
    /// Take fields that another field manager owns.
    pub force: bool,
}

/// A Secret's name in a ServiceAccount's `imagePullSecrets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullSecretLink {
    /// The ServiceAccount.
    pub account: ObjectName,
    /// The Secret's name.
    pub secret: String,
}

/// Origin of a Secret that nothing asks for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Manifests.
    Manifests,
    /// `reflect` beside a Secret.
    Copies,
}

/// A Secret that we made and that nothing asks for any more, exactly as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Manifests, or `reflect` beside a Secret.
    pub of: Origin,
    /// Where.
    pub at: ObjectName,
    /// Its `uid`.
    pub uid: String,
    /// Its `resourceVersion`.
    pub version: String,
}

impl SecretArtifact {
    /// Whether this Secret may replace an object of this owner.
    pub fn may_replace(&self, owner: &Owner) -> bool {
        owner.is(&self.provenance.configuration) || self.conflict.adopt
    }
}

impl std::fmt::Display for Artifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(f, "file {}", file.path.display()),
            Self::FileSet(set) => write!(f, "files {}", set.dir.display()),
            Self::Secret(secret) => write!(f, "secret {}", secret.at),
            Self::Leftover(leftover) => write!(f, "secret {}", leftover.at),
            Self::PullSecret(link) => write!(f, "serviceaccount {}", link.account),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        let longest = "a".repeat(63);
        for (text, object, namespace) in [
            ("a", true, true),
            ("a-b0", true, true),
            ("a.b", true, false),
            (&longest, true, true),
            (&"a".repeat(64), true, false),
            (&[longest.as_str(); 4].join("."), false, false),
            ("", false, false),
            ("a..b", false, false),
            (".a", false, false),
            ("a.", false, false),
            ("a.-b", false, false),
            ("a-.b", false, false),
            ("-a", false, false),
            ("a-", false, false),
            ("A", false, false),
            ("a_b", false, false),
            ("é", false, false),
            ("a/b", false, false),
            ("a?b=c", false, false),
            ("a%2fb", false, false),
        ] {
            let seen = (is_object_name(text), is_namespace_name(text));
            assert_eq!(seen, (object, namespace), "{text}");
        }
    }
}
