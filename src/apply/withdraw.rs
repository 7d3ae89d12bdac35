//! Removing what was delivered, because its source is definitely gone and `onMissing: delete` says so. Only what is ours.

use std::collections::BTreeMap;
use std::path::Path;

use crate::artifact::Access;
use crate::config::{self, Config, Target};
use crate::disk::{Folder, SinkError, place, set};
use crate::report::Failure;
use crate::world::World;

/// What is done about a target whose source is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    /// It is looked for, and stays.
    Look,
    /// It goes.
    Remove,
}

/// Looks for one target, or removes it; says whether it is, or was, there.
pub async fn withdraw(
    target: &Target,
    config: &Config,
    world: &World,
    what: Withdrawal,
) -> Result<bool, Failure> {
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
            if what == Withdrawal::Look {
                return Ok(true);
            }
            folder.remove(name)?;
            folder.settle()?;
            Ok(true)
        }
        Target::Files(files) => match found(&files.dir, &files.access, world)? {
            Some(folder) if what == Withdrawal::Look => {
                Ok(set::look(&folder, &BTreeMap::new(), &files.access)?.is_some())
            }
            Some(folder) => Ok(set::remove_all(&folder, &files.access)?),
            None => Ok(false),
        },
        Target::Secret(secret) => {
            let cluster = world.kubernetes().await?;
            let at = config::resolve(&secret.at, &cluster.namespace);
            match cluster.secret(&at).await? {
                Some(stored)
                    if stored.owner().is(config.name()?) && stored.deleting().is_none() =>
                {
                    if what == Withdrawal::Remove {
                        let uid = stored.uid().to_owned();
                        cluster.delete(&at, &uid).await?;
                    }
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
