//! Writing files: whole, owned, minimal. The folder is locked meanwhile, so that two runs follow each other.

use std::sync::Once;

use crate::artifact::{Access, EnvLine, FileArtifact, FileBody, FileSetArtifact};
use crate::disk::{Folder, SinkError, Standing, place, set};
use crate::material::SecretBytes;
use crate::render::envfile;
use crate::report::Failure;
use crate::world::World;

/// Puts one file in place by a rename.
pub fn write(file: &FileArtifact, world: &World) -> Result<(), Failure> {
    let FileArtifact {
        path, body, access, ..
    } = file;
    let (parent, name) = place(path)?;
    let folder = Folder::find_or_make(parent, world.root.as_deref(), access)?;
    folder.lock()?;
    folder.sweep(access, &world.unswept)?;
    let standing = folder.file(name, access)?;
    match body {
        FileBody::Whole(body) => put(&folder, name, body, access, standing.as_ref())?,
        FileBody::Lines(lines) => {
            let body = edited(&folder, name, lines, standing.as_ref())?;
            let access = kept_owner(access, standing.as_ref());
            put(&folder, name, &body, &access, standing.as_ref())?;
        }
    }
    Ok(tell_once(&folder)?)
}

/// Makes a file be these bytes with this mode and owner, and touches of it only what differs.
fn put(
    folder: &Folder,
    name: &str,
    body: &SecretBytes,
    access: &Access,
    standing: Option<&Standing>,
) -> Result<(), SinkError> {
    let Some(standing) = standing else {
        return folder.replace(name, body, access);
    };
    let same = standing.read_sized(folder, name, body.len())?.as_ref() == Some(body);
    if same && folder.mend(name, standing, access)? {
        return Ok(());
    }
    // Asked before anything is tried: the folder around such a file is often one that cannot be written.
    if access.in_place && folder.is_mounted(name) {
        return folder.overwrite(name, standing, body, access);
    }
    match folder.replace(name, body, access) {
        Err(SinkError::Mounted(_)) if access.in_place => {
            folder.overwrite(name, standing, body, access)
        }
        done => done,
    }
}

/// The text as it stands now, under our lock, with our variables changed.
fn edited(
    folder: &Folder,
    name: &str,
    lines: &[EnvLine],
    standing: Option<&Standing>,
) -> Result<SecretBytes, SinkError> {
    let old = match standing {
        Some(standing) => standing.text(folder, name)?,
        None => SecretBytes::default(),
    };
    let path = folder.at(name);
    if let Some(flaw) = envfile::flaw(old.expose(), lines) {
        let what = flaw.to_string();
        return Err(SinkError::Unfit { path, what });
    }
    for name in envfile::repeated(old.expose(), lines) {
        tracing::warn!(path = %path.display(), %name, "variable is set more than once: readers take the last, so that one is kept right");
    }
    Ok(envfile::edit(old.expose(), lines))
}

/// An edited file keeps its owner and mode, unless others are configured.
fn kept_owner(access: &Access, standing: Option<&Standing>) -> Access {
    let mut access = access.clone();
    if let Some(Standing { stat, .. }) = standing {
        access.uid.get_or_insert(stat.st_uid);
        access.gid.get_or_insert(stat.st_gid);
        if access.keep_mode {
            access.mode = stat.st_mode & 0o7777;
        }
    }
    access
}

/// Puts a folder of files in place by one switch of `..data`.
pub fn write_set(set: &FileSetArtifact, world: &World) -> Result<(), Failure> {
    let FileSetArtifact { dir, files, access } = set;
    let folder = Folder::find_or_make(dir, world.root.as_deref(), access)?;
    let before = set::write(&folder, files, access)?;
    let told = tell_once(&folder);
    world.retired.keep(folder, before);
    Ok(told?)
}

/// A disk is where most secrets of a workstation belong, so that one is met is worth one line and no warning.
fn tell_once(folder: &Folder) -> Result<(), SinkError> {
    static TOLD: Once = Once::new();
    if !folder.in_memory()? {
        TOLD.call_once(|| {
            tracing::debug!(path = %folder.at("").display(), "secrets are written to a disk; `requireTmpfs: true` refuses that");
        });
    }
    Ok(())
}
