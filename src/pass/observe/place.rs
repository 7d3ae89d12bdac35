//! The real place of a file or a folder of files: folders are identified by device and inode, not
//! by the spelling of a path.
//!
//! This only tells which targets are the same; the sink decides whether a link may be followed.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use crate::base::observed::FilePlace;

/// The file itself is not resolved: it is replaced by name, and a link at its place is refused.
pub(super) fn file(path: &Path) -> Option<FilePlace> {
    file_in(folder(path.parent()?)?, path)
}

/// A file in a folder whose place is known.
pub(super) fn file_in(folder: FilePlace, path: &Path) -> Option<FilePlace> {
    let mut place = folder;
    place.rest.push(path.file_name()?.to_owned());
    Some(place)
}

pub(super) fn folder(path: &Path) -> Option<FilePlace> {
    // A name alone is in the current folder.
    let path = if path == Path::new("") {
        Path::new(".")
    } else {
        path
    };
    let path = std::path::absolute(path).ok()?;
    // A folder that does not exist yet is described by its deepest existing parent and the rest.
    let (real, missing) = path
        .ancestors()
        .find_map(|there| Some((there.canonicalize().ok()?, path.strip_prefix(there).ok()?)))?;
    let identity = |folder: &Path| {
        let found = folder.metadata().ok()?;
        Some((found.dev(), found.ino()))
    };
    let mut rest: Vec<OsString> = Vec::new();
    for part in missing.components() {
        match part {
            Component::ParentDir => drop(rest.pop()),
            Component::Normal(name) => rest.push(name.to_owned()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(FilePlace {
        folders: real.ancestors().map_while(identity).collect(),
        rest,
    })
}
