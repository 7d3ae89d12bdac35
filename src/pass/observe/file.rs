//! Files and folders as they stand.

use std::path::Path;
use std::sync::Arc;

use super::place as places;
use crate::base::artifact::{FileArtifact, FileBody, FileSetArtifact, Variables};
use crate::base::observed::{FilePlace, FileState, Observed, SeenArtifact};
use crate::disk::{Folder, SinkError, Unswept, call_at, place, set};
use crate::pass::world::World;

/// What exists at a place, and the place.
type Looked = (Result<Observed, SinkError>, Option<FilePlace>);

/// Reads the state of one file.
pub async fn look(file: &Arc<FileArtifact>, world: &World) -> SeenArtifact {
    let (artifact, root) = (Arc::clone(file), world.root.clone());
    let unswept = Arc::clone(&world.unswept);
    let folder = file.path.parent().unwrap_or(&file.path);
    read_content(folder, world, move || {
        let state = state(&artifact, root.as_deref(), &unswept);
        (state, places::file(&artifact.path))
    })
    .await
}

/// Reads the state of a folder of files.
pub async fn look_set(set: &Arc<FileSetArtifact>, world: &World) -> SeenArtifact {
    let (artifact, root) = (Arc::clone(set), world.root.clone());
    read_content(&set.dir, world, move || {
        let state = set_state(&artifact, root.as_deref());
        (state, places::folder(&artifact.dir))
    })
    .await
}

async fn read_content(
    folder: &Path,
    world: &World,
    look: impl FnOnce() -> Looked + Send + 'static,
) -> SeenArtifact {
    let looked = call_at(folder, world.time_limit.of_disk(), |_| look()).await;
    let (state, place) = looked.unwrap_or_else(|hangs| (Err(hangs.into()), None));
    SeenArtifact {
        state: state.unwrap_or_else(|error| Observed::Unknown(error.into())),
        place,
    }
}

fn state(
    file: &FileArtifact,
    root: Option<&Path>,
    unswept: &Unswept,
) -> Result<Observed, SinkError> {
    let FileArtifact {
        path, body, access, ..
    } = file;
    let (parent, name) = place(path)?;
    let Some(folder) = Folder::find(parent, root, access)? else {
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
        FileBody::Lines(_) => Some(standing.text(&folder, name)?),
    };
    let littered = folder.is_littered(access, unswept)?;
    Ok(Observed::File(FileState {
        bytes,
        mode: standing.stat.st_mode & 0o7777,
        uid: standing.stat.st_uid,
        gid: standing.stat.st_gid,
        damage: littered.then(|| "a killed run left a temporary file beside it".to_owned()),
    }))
}

fn set_state(set: &FileSetArtifact, root: Option<&Path>) -> Result<Observed, SinkError> {
    let FileSetArtifact { dir, files, access } = set;
    set::check_names(files)?;
    let Some(folder) = Folder::find(dir, root, access)? else {
        return Ok(Observed::Absent);
    };
    Ok(set::look(&folder, files, access)?.map_or(Observed::Absent, Observed::FileSet))
}
