//! Writing files: whole, owned, minimal. The folder is locked meanwhile, so that two runs follow each other.

use crate::artifact::{Access, FileArtifact, FileBody, FileSetArtifact};
use crate::disk::{Folder, LARGEST, SinkError, Standing, set};
use crate::material::SecretBytes;
use crate::render::envfile;
use crate::report::Failure;
use crate::world::World;

/// Puts one file in place by a rename.
pub fn write(file: &FileArtifact, world: &World) -> Result<(), Failure> {
    let FileArtifact { path, body, access } = file;
    let unsafe_path = || SinkError::UnsafeName(path.display().to_string());
    let parent = path.parent().ok_or_else(unsafe_path)?;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(unsafe_path)?;
    let folder = ready(
        Folder::find_or_create(parent, world.root.as_deref(), access)?,
        access,
    )?;
    folder.lock()?;
    folder.sweep()?;
    let standing = folder.file(name, access)?;
    let (body, access) = match body {
        FileBody::Whole(bytes) => (bytes.duplicate(), access.clone()),
        FileBody::Lines(lines) => {
            let old = match &standing {
                Some(standing) => standing
                    .read(&folder, name, LARGEST)?
                    .ok_or_else(|| SinkError::TooLarge(path.clone()))?,
                None => SecretBytes::default(),
            };
            (
                envfile::edit(old.expose(), lines),
                kept_owner(access, standing.as_ref()),
            )
        }
    };
    if let Some(standing) = &standing
        && standing.stat.st_size == i64::try_from(body.len()).unwrap_or(-1)
        && folder.file(name, &access)?.is_some_and(|again| {
            again
                .read(&folder, name, body.len())
                .is_ok_and(|old| old.as_ref() == Some(&body))
        })
    {
        // Only mode or owner differ: the content is not touched, and so is its time.
        return Ok(folder.expose(&standing.fd, name, access.mode, &access)?);
    }
    match folder.replace(name, &body, &access) {
        Err(SinkError::Mounted(_)) if access.in_place => {
            Ok(folder.overwrite(name, &body, &access)?)
        }
        done => Ok(done?),
    }
}

/// An edited file stays its owner's, unless another is configured.
fn kept_owner(access: &Access, standing: Option<&Standing>) -> Access {
    let mut access = access.clone();
    if let Some(Standing { stat, .. }) = standing {
        access.uid.get_or_insert(stat.st_uid);
        access.gid.get_or_insert(stat.st_gid);
    }
    access
}

/// Puts a folder of files in place by one switch of `..data`.
pub fn write_set(set: &FileSetArtifact, world: &World) -> Result<(), Failure> {
    let FileSetArtifact { dir, files, access } = set;
    let folder = ready(
        Folder::find_or_create(dir, world.root.as_deref(), access)?,
        access,
    )?;
    Ok(set::write(&folder, files, access)?)
}

fn ready(folder: Folder, access: &Access) -> Result<Folder, SinkError> {
    if access.require_tmpfs && !folder.in_memory()? {
        return Err(SinkError::NotInMemory(folder.at("")));
    }
    Ok(folder)
}
