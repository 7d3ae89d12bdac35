//! What exists now: the observed side of a plan.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde_json::Value;

use crate::base::artifact::{Leftover, Origin, Owner};
use crate::base::failure::Failure;
use crate::base::material::SecretBytes;

/// What was observed at one artifact's place.
#[derive(Debug)]
pub struct SeenArtifact {
    /// What stands there.
    pub state: Observed,
    /// The place, for files and folders of files; `None` when not even its folder can be looked at.
    pub place: Option<FilePlace>,
}

/// The place of a file or folder, whatever its path: two paths through a link are one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// Device and inode of the deepest folder that exists, then of each folder that holds it.
    pub folders: Vec<(u64, u64)>,
    /// The names beneath it: of the file, or of folders that do not exist yet.
    pub rest: Vec<OsString>,
}

/// A place as a key to look up others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spot {
    /// Device and inode of the deepest folder that exists.
    folder: (u64, u64),
    /// The names beneath it.
    rest: Vec<OsString>,
}

impl FilePlace {
    /// The place itself.
    pub fn spot(&self) -> Option<Spot> {
        let folder = *self.folders.first()?;
        let rest = self.rest.clone();
        Some(Spot { folder, rest })
    }

    /// All places that hold it.
    pub fn above(&self) -> impl Iterator<Item = Spot> + '_ {
        let own = usize::from(self.rest.is_empty());
        let folders = self.folders.iter().skip(own).map(|folder| Spot {
            folder: *folder,
            rest: Vec::new(),
        });
        let deepest = self.folders.first();
        let missing = deepest.into_iter().flat_map(|folder| {
            let parts = 1..self.rest.len();
            parts.map(|count| Spot {
                folder: *folder,
                rest: self.rest[..count].to_vec(),
            })
        });
        folders.chain(missing)
    }
}

/// What stands at one artifact's place.
#[derive(Debug)]
pub enum Observed {
    /// Nothing.
    Absent,
    /// A regular file.
    File(FileState),
    /// A folder.
    FileSet(FileSetState),
    /// A Secret.
    Secret(SecretState),
    /// A ServiceAccount, and whether it names the Secret already.
    PullSecret {
        /// Whether the Secret is in its list.
        linked: bool,
    },
    /// Something that is not ours to change, in a word.
    Foreign(String),
    /// It could not be seen.
    Unknown(Failure),
}

/// Secrets with the mark of one set of manifests, or of the copies of one delivery.
#[derive(Debug)]
pub struct Marked {
    /// Which of the two.
    pub of: Origin,
    /// Name of the set, or of the delivery.
    pub name: String,
    /// All these Secrets, or why they are not known.
    pub found: Result<Vec<Leftover>, Failure>,
}

/// Result of checking the signature of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// The signature is ours and fits the object.
    Signed,
    /// There is no signature, or it is of an object that stood in the same place before.
    #[default]
    Unsigned,
    /// No key that we know made the signature.
    Unknown,
}

/// A regular file as it stands.
#[derive(Debug)]
pub struct FileState {
    /// Its bytes; `None` where the size alone shows another content.
    pub bytes: Option<SecretBytes>,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Leftovers of a killed run beside it.
    pub damage: Option<String>,
}

/// A folder of files as readers see it.
#[derive(Debug, Default)]
pub struct FileSetState {
    /// What readers find behind the visible names.
    pub files: BTreeMap<String, FileState>,
    /// Why it must be written again although the contents are equal: leftovers of a killed run, a
    /// missing link.
    pub damage: Option<String>,
}

/// The object of the cluster that a decision was based on, exactly as it was seen. A write names
/// it, and the server refuses that write on any other object or version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// Its `uid`.
    pub uid: String,
    /// Its `resourceVersion`.
    pub version: String,
    /// The value that its `managedFields` must get before we write over it; `None` where it is
    /// ours.
    pub managers: Option<Box<Value>>,
}

/// The parts of a Secret that concern us: what we applied before, and what we want to apply. Parts
/// that only others own are no difference; they stay, and are left out here.
#[derive(Debug)]
pub struct SecretState {
    /// The object itself.
    pub basis: Basis,
    /// Its `type`.
    pub kind: String,
    /// Key to decoded value.
    pub data: BTreeMap<String, SecretBytes>,
    /// Labels, without the owner mark.
    pub labels: BTreeMap<String, String>,
    /// Annotations, without its provenance.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is immutable.
    pub immutable: bool,
    /// Its owner.
    pub owner: Owner,
    /// Whether its mark carries our name, and its annotations our delivery and our sources.
    pub is_told: bool,
    /// Keys that are neither ours nor wanted: they stay.
    pub others: Vec<String>,
    /// When the server made it.
    pub created: String,
    /// Result of checking its signature, where it should be a signed copy.
    pub verdict: Option<Verdict>,
}
