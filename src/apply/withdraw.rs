//! Removing what was delivered, because its source is definitely gone and `onMissing: delete` says so. Only what is ours.

use rustix::fs::{AtFlags, unlinkat};

use crate::config::{self, Target};
use crate::disk::{Folder, SinkError, set};
use crate::report::Failure;
use crate::world::World;

/// Removes one target; says whether it was there.
pub async fn withdraw(target: &Target, world: &World) -> Result<bool, Failure> {
    match target {
        Target::File(file) => {
            let (Some(parent), Some(name)) = (
                file.path.parent(),
                file.path.file_name().and_then(|name| name.to_str()),
            ) else {
                return Ok(false);
            };
            let Some(folder) = Folder::find(parent, world.root.as_deref())? else {
                return Ok(false);
            };
            folder.lock()?;
            if folder.file(name, &file.access)?.is_none() {
                return Ok(false);
            }
            unlinkat(&folder, name, AtFlags::empty())
                .map_err(|errno| folder.failed("remove", name, errno))?;
            folder.settle()?;
            Ok(true)
        }
        Target::Files(files) => {
            let Some(folder) = Folder::find(&files.dir, world.root.as_deref())? else {
                return Ok(false);
            };
            Ok::<bool, SinkError>(set::remove_all(&folder)?).map_err(Failure::from)
        }
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
