//! Writes files: completely, only our own, and no more than needed. Two runs in one folder take
//! turns; one run writes several files of a folder at once.

use std::path::Path;
use std::sync::{Arc, Once};

use crate::base::artifact::{EnvLine, FileAccess, FileArtifact, FileBody, FileSetArtifact};
use crate::base::failure::Failure;
use crate::base::material::SecretBytes;
use crate::disk::{
    CallTurn, Folder, QUIET, SinkError, StandingFile, Unswept, WaitingCaller, place, set,
};
use crate::pass::world::World;
use crate::render::formats::shared_dotenv::EnvFile;

/// How often an edit is tried.
const TRIES: u32 = 50;

/// Writes one file, or our variables in it.
pub async fn write(file: &Arc<FileArtifact>, world: &World) -> Result<(), Failure> {
    let (parent, _) = place(&file.path)?;
    let (artifact, root) = (Arc::clone(file), world.root.clone());
    let unswept = Arc::clone(&world.unswept);
    let call =
        move |caller: &WaitingCaller| write_now(&artifact, root.as_deref(), &unswept, caller);
    let end = world.time_limit.of_disk();
    let turn = match &file.body {
        FileBody::Whole(_) => CallTurn::shared(parent, end).await,
        // Several deliveries may change variables of one file.
        FileBody::Lines(_) => CallTurn::alone(parent, end).await,
    };
    let called = turn.map_err(SinkError::from)?.call(end, call).await;
    let (done, _) = called.map_err(SinkError::from)?;
    Ok(done?)
}

fn write_now(
    file: &FileArtifact,
    root: Option<&Path>,
    unswept: &Unswept,
    caller: &WaitingCaller,
) -> Result<(), SinkError> {
    let FileArtifact {
        path, body, access, ..
    } = file;
    let (parent, name) = place(path)?;
    let folder = Folder::find_or_make(parent, root, access)?;
    let lock = folder.lock()?;
    if let Some(lock) = &lock {
        folder.sweep(lock, access, unswept)?;
    }
    if !caller.waits() {
        return Err(SinkError::NoAnswer(path.clone()));
    }
    match body {
        FileBody::Whole(body) => {
            let standing = folder.file(name, access)?;
            write_file(&folder, name, body, access, standing.as_ref())?;
        }
        FileBody::Lines(lines) => edit(&folder, name, lines, access)?,
    }
    tell_once(&folder)
}

/// Gives a file these bytes, mode and owner, and changes only what differs.
fn write_file(
    folder: &Folder,
    name: &str,
    body: &SecretBytes,
    access: &FileAccess,
    standing: Option<&StandingFile>,
) -> Result<(), SinkError> {
    let Some(standing) = standing else {
        return folder.replace(name, body, access);
    };
    let same = standing.read_sized(folder, name, body.len())?.as_ref() == Some(body);
    if same && folder.mend(name, standing, access)? {
        return Ok(());
    }
    // This comes before every attempt: the folder around a mounted file often cannot be written.
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

/// Changes our variables in a file, and begins again whenever somebody else saved the file
/// meanwhile.
fn edit(
    folder: &Folder,
    name: &str,
    lines: &[EnvLine],
    access: &FileAccess,
) -> Result<(), SinkError> {
    for _ in 0..TRIES {
        let standing = folder.file(name, access)?;
        let done = match &standing {
            None => folder.add(
                name,
                &edited(folder, name, lines, &SecretBytes::default())?,
                access,
            )?,
            // Somebody may still be writing the file.
            Some(standing) if standing.is_fresh() => false,
            Some(standing) => edit_standing(folder, name, lines, access, standing)?,
        };
        if done {
            return Ok(());
        }
        std::thread::sleep(QUIET);
    }
    Err(SinkError::Replaced(folder.path_of(name)))
}

/// Edits the file if it has not changed since it was read; says whether that was so.
fn edit_standing(
    folder: &Folder,
    name: &str,
    lines: &[EnvLine],
    access: &FileAccess,
    standing: &StandingFile,
) -> Result<bool, SinkError> {
    let old = standing.text(folder, name)?;
    let body = edited(folder, name, lines, &old)?;
    let access = &kept_owner(access, standing);
    if body == old && folder.mend(name, standing, access)? {
        return Ok(true);
    }
    let overwrite = || {
        let done = folder.overwrite(name, standing, &body, access);
        done.map(|()| true)
    };
    // This comes before every attempt: the folder around a mounted file often cannot be written.
    if access.in_place && folder.is_mounted(name) {
        return overwrite();
    }
    match folder.replace_seen(name, (standing, &old), &body, access) {
        Err(SinkError::Mounted(_)) if access.in_place => overwrite(),
        done => done,
    }
}

/// The text of a file with our variables changed.
fn edited(
    folder: &Folder,
    name: &str,
    lines: &[EnvLine],
    old: &SecretBytes,
) -> Result<SecretBytes, SinkError> {
    let path = folder.path_of(name);
    let file = EnvFile::read(old.expose(), lines).map_err(|flaw| SinkError::Unfit {
        path: path.clone(),
        what: flaw.to_string(),
    })?;
    for name in file.repeated() {
        tracing::warn!(path = %path.display(), %name, "variable is set more than once: readers \
            take the last, so that one is kept right");
    }
    Ok(file.edit(lines))
}

/// An edited file keeps its owner and mode if none are configured.
fn kept_owner(access: &FileAccess, StandingFile { stat, .. }: &StandingFile) -> FileAccess {
    let mut access = access.clone();
    access.uid.get_or_insert(stat.st_uid);
    access.gid.get_or_insert(stat.st_gid);
    if access.keep_mode {
        access.mode = stat.st_mode & 0o7777;
    }
    access
}

/// Writes a folder of files, which becomes visible by one switch of `..data`.
pub async fn write_set(set: &Arc<FileSetArtifact>, world: &World) -> Result<(), Failure> {
    let end = world.time_limit.of_disk();
    let turn = CallTurn::alone(&set.dir, end)
        .await
        .map_err(SinkError::from)?;
    let (artifact, root) = (Arc::clone(set), world.root.clone());
    let call = move |caller: &WaitingCaller| write_set_now(&artifact, root.as_deref(), caller);
    let (done, turn) = turn.call(end, call).await.map_err(SinkError::from)?;
    let (folder, before) = done?;
    world.retired.keep(turn, folder, before);
    Ok(())
}

/// Returns the folder and the generations that the new one replaces.
fn write_set_now(
    set: &FileSetArtifact,
    root: Option<&Path>,
    caller: &WaitingCaller,
) -> Result<(Folder, Vec<String>), SinkError> {
    let FileSetArtifact { dir, files, access } = set;
    let folder = Folder::find_or_make(dir, root, access)?;
    if !caller.waits() {
        return Err(SinkError::NoAnswer(dir.clone()));
    }
    let before = set::write(&folder, files, access)?;
    tell_once(&folder)?;
    Ok((folder, before))
}

/// On a workstation most secrets are on a disk, so this is worth one line of the log and no
/// warning.
fn tell_once(folder: &Folder) -> Result<(), SinkError> {
    static TOLD: Once = Once::new();
    if !folder.in_memory()? {
        TOLD.call_once(|| {
            tracing::debug!(path = %folder.path_of("").display(), "secrets are written to a disk; \
                `requireTmpfs: true` refuses that");
        });
    }
    Ok(())
}
