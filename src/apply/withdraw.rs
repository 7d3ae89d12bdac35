//! Removing what was delivered, because its source is definitely gone and `onMissing: delete` says so. Only what is ours.

use std::path::Path;

use crate::artifact::Access;
use crate::config::{self, Target};
use crate::disk::{Folder, SinkError, place, set};
use crate::report::Failure;
use crate::world::World;

/// Removes one target; says whether it was there.
pub async fn withdraw(target: &Target, world: &World) -> Result<bool, Failure> {
    match target {
        Target::File(file) => {
            let (parent, name) = place(&file.path)?;
            let Some(folder) = found(parent, &file.access, world)? else {
                return Ok(false);
            };
            folder.lock()?;
            if folder.file(name, &file.access)?.is_none() {
                return Ok(false);
            }
            folder.remove(name)?;
            folder.settle()?;
            Ok(true)
        }
        Target::Files(files) => match found(&files.dir, &files.access, world)? {
            Some(folder) => Ok(set::remove_all(&folder, &files.access)?),
            None => Ok(false),
        },
        Target::Secret(secret) => {
            let cluster = world.kubernetes().await?;
            let at = config::resolve(&secret.at, &cluster.namespace);
            match cluster.secret(&at).await? {
                Some(stored) if stored.ours() && stored.deleting().is_none() => {
                    let uid = stored.uid().to_owned();
                    cluster.delete(&at, &uid).await?;
                    Ok(true)
                }
                Some(_) | None => Ok(false),
            }
        }
    }
}

/// A folder that is not there holds nothing to remove.
fn found(path: &Path, access: &Access, world: &World) -> Result<Option<Folder>, SinkError> {
    match Folder::find(path, world.root.as_deref(), access) {
        Err(SinkError::NoFolder(_)) => Ok(None),
        found => found,
    }
}
