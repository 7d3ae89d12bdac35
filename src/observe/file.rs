//! Files and folders as they stand.

use std::path::Path;

use crate::artifact::{Access, FileArtifact, FileBody, FileSetArtifact};
use crate::disk::{Folder, LARGEST, SinkError, set};
use crate::material::SecretBytes;
use crate::observed::{FileState, Observed};
use crate::report::Failure;
use crate::world::World;

/// Looks at one file.
pub fn look(file: &FileArtifact, world: &World) -> Result<Observed, Failure> {
    let (parent, name) = split(&file.path)?;
    let Some(folder) = find(parent, &file.access, world)? else {
        return Ok(Observed::Absent);
    };
    let Some(standing) = folder.file(name, &file.access)? else {
        return Ok(Observed::Absent);
    };
    let cap = match &file.body {
        FileBody::Whole(bytes) => bytes.len(),
        FileBody::Lines(_) => LARGEST,
    };
    Ok(Observed::File(FileState {
        bytes: standing.read(&folder, name, cap)?,
        mode: standing.stat.st_mode & 0o7777,
        uid: standing.stat.st_uid,
        gid: standing.stat.st_gid,
    }))
}

/// Looks at a folder of files.
pub fn look_set(set: &FileSetArtifact, world: &World) -> Result<Observed, Failure> {
    let FileSetArtifact { dir, files, access } = set;
    if let Some(name) = oversized(files.iter()) {
        return Err(SinkError::TooLarge(dir.join(name)).into());
    }
    let Some(folder) = find(dir, access, world)? else {
        return Ok(Observed::Absent);
    };
    Ok(set::look(&folder, files, access)?.map_or(Observed::Absent, Observed::FileSet))
}

fn oversized<'a>(
    mut files: impl Iterator<Item = (&'a String, &'a SecretBytes)>,
) -> Option<&'a String> {
    files
        .find(|(_, bytes)| bytes.len() > LARGEST)
        .map(|(name, _)| name)
}

/// The folder of a target; nothing when it is still to be made.
fn find(path: &Path, access: &Access, world: &World) -> Result<Option<Folder>, SinkError> {
    let Some(folder) = Folder::find(path, world.root.as_deref())? else {
        return match access.create_dirs {
            true => Ok(None),
            false => Err(SinkError::NoFolder(path.to_owned())),
        };
    };
    if access.require_tmpfs && !folder.in_memory()? {
        return Err(SinkError::NotInMemory(path.to_owned()));
    }
    Ok(Some(folder))
}

/// Folder and name of a file target.
fn split(path: &Path) -> Result<(&Path, &str), SinkError> {
    let name = path.file_name().and_then(|name| name.to_str());
    match (path.parent(), name) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        (_, _) => Err(SinkError::UnsafeName(path.display().to_string())),
    }
}
