//! Removes a delivered target because its source is definitely gone and the delivery has
//! `onMissing: delete`. Only targets that are ours are removed.

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::artifact::FileAccess;
use crate::base::failure::Failure;
use crate::config::{self, Config, Target};
use crate::disk::{Folder, SinkError, WaitingCaller, call_at, place, set};
use crate::kubernetes::ObjectKind;
use crate::pass::world::World;

/// What to do with a target whose source is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    /// Only look whether the target is there.
    Look,
    /// Remove the target.
    Remove,
}

/// Looks for one target, or removes it; says whether it is there, or was there.
pub async fn withdraw(
    target: &Target,
    config: &Config,
    world: &World,
    what: Withdrawal,
) -> Result<bool, Failure> {
    match target {
        Target::File(file) => {
            let (path, access) = (file.path.clone(), file.access.clone());
            let root = world.root.clone();
            let (parent, _) = place(&file.path)?;
            let call = move |_: &WaitingCaller| one(&path, &access, root.as_deref(), what);
            let done = call_at(parent, world.time_limit.of_disk(), call).await;
            Ok(done.map_err(SinkError::from)??)
        }
        Target::Files(files) => {
            let (dir, access) = (files.dir.clone(), files.access.clone());
            let root = world.root.clone();
            let call = move |_: &WaitingCaller| all(&dir, &access, root.as_deref(), what);
            let done = call_at(&files.dir, world.time_limit.of_disk(), call).await;
            Ok(done.map_err(SinkError::from)??)
        }
        Target::Secret(secret) => {
            let cluster = world.kubernetes().await?;
            let at = config::resolve(&secret.at, &cluster.namespace);
            match cluster.secret(&at).await? {
                Some(stored)
                    if stored.owner().is(config.name()?) && stored.deleting().is_none() =>
                {
                    if what == Withdrawal::Remove {
                        let uid = stored.uid().to_owned();
                        cluster.delete(ObjectKind::Secret, &at, &uid, None).await?;
                    }
                    Ok(true)
                }
                Some(_) | None => Ok(false),
            }
        }
    }
}

fn one(
    path: &Path,
    access: &FileAccess,
    root: Option<&Path>,
    what: Withdrawal,
) -> Result<bool, SinkError> {
    let (parent, name) = place(path)?;
    let Some(folder) = found(parent, access, root)? else {
        return Ok(false);
    };
    if what == Withdrawal::Look {
        return Ok(folder.file(name, access)?.is_some());
    }
    let _lock = folder.lock()?;
    if folder.file(name, access)?.is_none() {
        return Ok(false);
    }
    folder.remove(name)?;
    folder.sync()?;
    Ok(true)
}

fn all(
    dir: &Path,
    access: &FileAccess,
    root: Option<&Path>,
    what: Withdrawal,
) -> Result<bool, SinkError> {
    match (found(dir, access, root)?, what) {
        (None, _) => Ok(false),
        (Some(folder), Withdrawal::Look) => {
            Ok(set::look(&folder, &BTreeMap::new(), access)?.is_some())
        }
        (Some(folder), Withdrawal::Remove) => set::remove_all(&folder, access),
    }
}

/// A missing folder holds nothing to remove.
fn found(
    path: &Path,
    access: &FileAccess,
    root: Option<&Path>,
) -> Result<Option<Folder>, SinkError> {
    match Folder::find(path, root, access) {
        Err(SinkError::NoFolder(_)) => Ok(None),
        found => found,
    }
}
