//! Where a file or folder of files really is: folders are told apart by device and inode, not by
//! how a path is spelt.
//!
//! It only says which targets are one; whether a link may be followed is the sink's matter.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use crate::base::observed::FilePlace;

/// The file itself is not resolved: it is replaced by name, and a link in its place is refused.
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
    // The folder of a name alone is the one that we work in.
    let path = if path == Path::new("") {
        Path::new(".")
    } else {
        path
    };
    let path = std::path::absolute(path).ok()?;
    // A folder that is still to be made is named from the deepest one that is there.
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
