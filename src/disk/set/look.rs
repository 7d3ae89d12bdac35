//! A set as readers see it, and its defects beside wrong contents.

use std::collections::BTreeMap;

use rustix::fs::fstat;
use rustix::io::Errno;

use super::inner_mode;
use super::inventory::{Inventory, inventory};
use crate::base::artifact::FileAccess;
use crate::base::material::SecretBytes;
use crate::base::observed::{FileSetState, FileState};
use crate::disk::SinkError;
use crate::disk::access::owned;
use crate::disk::folder::Folder;

/// The set in a folder; `None` when no set was ever written there.
pub fn look(
    folder: &Folder,
    wanted: &BTreeMap<String, SecretBytes>,
    access: &FileAccess,
) -> Result<Option<FileSetState>, SinkError> {
    let inventory = inventory(folder, wanted, access)?;
    let mut state = FileSetState {
        files: BTreeMap::new(),
        damage: leftovers(&inventory),
    };
    let Some(current) = &inventory.current else {
        return Ok(Some(state).filter(|state| state.damage.is_some()));
    };
    let inner = match folder.inner(current) {
        Ok(inner) => inner,
        Err(SinkError::System { errno, .. }) if errno == Errno::NOENT => {
            state.damage = Some("the folder behind `..data` is gone".to_owned());
            return Ok(Some(state));
        }
        Err(error) => return Err(error),
    };
    let changed = is_changed(&inner, access)?;
    for name in inner.names()? {
        let Some(file) = inner.file(&name, access)? else {
            continue;
        };
        let bytes = match wanted.get(&name) {
            Some(body) => file.read_sized(&inner, &name, body.len())?,
            None => None,
        };
        let damage = None;
        let (mode, uid, gid) = (
            file.stat.st_mode & 0o7777,
            file.stat.st_uid,
            file.stat.st_gid,
        );
        state.files.insert(
            name,
            FileState {
                bytes,
                mode,
                uid,
                gid,
                damage,
            },
        );
    }
    state.damage = state
        .damage
        .or(changed)
        .or_else(|| broken_link(&inventory, &state.files));
    Ok(Some(state))
}

fn leftovers(inventory: &Inventory) -> Option<String> {
    if !inventory.others.is_empty() {
        Some("a killed run left a folder of files".to_owned())
    } else if !inventory.temporary.is_empty() {
        Some("a killed run left a link".to_owned())
    } else if inventory.current.is_none() && !inventory.links.is_empty() {
        Some("`..data` is missing".to_owned())
    } else {
        None
    }
}

fn is_changed(inner: &Folder, access: &FileAccess) -> Result<Option<String>, SinkError> {
    let stat = fstat(inner).map_err(|errno| inner.failed("look at", "", errno))?;
    if !owned(&stat, access) {
        return Err(inner.foreign("", format!("it belongs to user {}", stat.st_uid)));
    }
    let same = stat.st_mode & 0o777 == inner_mode(access)
        && access.uid.is_none_or(|uid| uid == stat.st_uid)
        && access.gid.is_none_or(|gid| gid == stat.st_gid);
    Ok((!same).then(|| "mode or owner of the folder behind `..data` differ".to_owned()))
}

fn broken_link(inventory: &Inventory, files: &BTreeMap<String, FileState>) -> Option<String> {
    if let Some(missing) = files.keys().find(|name| !inventory.links.contains(*name)) {
        return Some(format!("the link `{missing}` is missing"));
    }
    let stale = inventory
        .links
        .iter()
        .find(|link| !files.contains_key(*link))?;
    Some(format!("the link `{stale}` leads nowhere"))
}
