//! Files and folders as they stand.

use crate::artifact::{FileArtifact, FileBody, FileSetArtifact, Variables};
use crate::disk::{Folder, SinkError, place, set};
use crate::observed::{FileState, Observed};
use crate::render::envfile;
use crate::report::Failure;
use crate::world::World;

/// Looks at one file.
pub fn look(file: &FileArtifact, world: &World) -> Result<Observed, Failure> {
    let FileArtifact {
        path, body, access, ..
    } = file;
    let (parent, name) = place(path)?;
    let Some(folder) = Folder::find(parent, world.root.as_deref(), access)? else {
        return Ok(Observed::Absent);
    };
    let Some(standing) = folder.file(name, access)? else {
        return Ok(Observed::Absent);
    };
    let bytes = match body {
        FileBody::Whole(body) => match file.variables {
            Variables::Opaque => standing.read_sized(&folder, name, body.len())?,
            Variables::Dotenv | Variables::Json | Variables::Yaml | Variables::Properties => {
                standing.parsable(&folder, name)?
            }
        },
        FileBody::Lines(lines) => {
            let old = standing.text(&folder, name)?;
            if let Some(flaw) = envfile::flaw(old.expose(), lines) {
                let (path, what) = (path.clone(), flaw.to_string());
                return Err(SinkError::Unfit { path, what }.into());
            }
            Some(old)
        }
    };
    let littered = folder.is_littered(access, &world.unswept)?;
    Ok(Observed::File(FileState {
        bytes,
        mode: standing.stat.st_mode & 0o7777,
        uid: standing.stat.st_uid,
        gid: standing.stat.st_gid,
        damage: littered.then(|| "a killed run left a temporary file beside it".to_owned()),
    }))
}

/// Looks at a folder of files.
pub fn look_set(set: &FileSetArtifact, world: &World) -> Result<Observed, Failure> {
    let FileSetArtifact { dir, files, access } = set;
    let Some(folder) = Folder::find(dir, world.root.as_deref(), access)? else {
        return Ok(Observed::Absent);
    };
    Ok(set::look(&folder, files, access)?.map_or(Observed::Absent, Observed::FileSet))
}
