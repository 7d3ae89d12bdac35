//! Writes a set again and switches to it.
//!
//! The order keeps each name visible that should be: the files, links for new names, the switch,
//! removal of links for old names and, a little later ([`super::Retired`]), removal of the old
//! files.
//!
//! On disk, each file and then their folder are flushed before the switch, and the outer folder
//! after the switch: after a power cut, `..data` names a whole set. In memory nothing is flushed.

use std::collections::BTreeMap;

use rustix::fs::{AtFlags, Mode, mkdirat, renameat, symlinkat, unlinkat};
use rustix::io::Errno;

use super::inventory::{Inventory, inventory};
use super::{DATA, inner_mode, link_target};
use crate::base::artifact::FileAccess;
use crate::base::material::SecretBytes;
use crate::disk::SinkError;
use crate::disk::folder::Folder;
use crate::disk::names::{generation, temporary_link};

/// Writes the whole set and switches to it. Returns the older generations, for [`super::Retired`].
pub fn write(
    folder: &Folder,
    files: &BTreeMap<String, SecretBytes>,
    access: &FileAccess,
) -> Result<Vec<String>, SinkError> {
    let lock = folder.lock()?;
    let before = inventory(folder, files, access)?;
    for unfinished in &before.temporary {
        folder.remove(unfinished)?;
    }
    let generation = generation();
    let mut new_links = Vec::new();
    let switched = lay(folder, &generation, files, access)
        .and_then(|()| link_new(folder, files, &before, &mut new_links))
        .and_then(|()| switch(folder, &generation));
    if let Err(error) = switched {
        // The old set is still visible, so the new links can be removed.
        for link in new_links {
            let _ = folder.remove(link);
        }
        let _ = remove(folder, &generation);
        return Err(error);
    }
    for stale in before
        .links
        .iter()
        .filter(|name| !files.contains_key(*name))
    {
        folder.remove(stale)?;
    }
    folder.sync()?;
    drop(lock);
    Ok(before.others.into_iter().chain(before.current).collect())
}

/// Removes a whole set: its names first, so that no link leads nowhere for long. Says whether a set
/// was there.
pub fn remove_all(folder: &Folder, access: &FileAccess) -> Result<bool, SinkError> {
    let _lock = folder.lock()?;
    let before = inventory(folder, &BTreeMap::new(), access)?;
    for name in before.links.iter().chain(&before.temporary) {
        folder.remove(name)?;
    }
    let there = before.current.is_some();
    if there {
        folder.remove(DATA)?;
    }
    for generation in before.others.into_iter().chain(before.current) {
        remove(folder, &generation)?;
    }
    folder.sync()?;
    Ok(there)
}

fn lay(
    folder: &Folder,
    generation: &str,
    files: &BTreeMap<String, SecretBytes>,
    access: &FileAccess,
) -> Result<(), SinkError> {
    mkdirat(folder, generation, Mode::RWXU)
        .map_err(|errno| folder.failed("create", generation, errno))?;
    let inner = folder.inner(generation)?;
    for (name, body) in files {
        inner.create(name, body, access)?;
    }
    inner.expose(&inner, "", inner_mode(access), access)?;
    inner.sync()
}

fn link_new<'a>(
    folder: &Folder,
    files: &'a BTreeMap<String, SecretBytes>,
    before: &Inventory,
    made: &mut Vec<&'a str>,
) -> Result<(), SinkError> {
    for name in files.keys().filter(|name| !before.links.contains(*name)) {
        match symlinkat(link_target(name), folder, name.as_str()) {
            Ok(()) => made.push(name),
            Err(Errno::EXIST) => return Err(SinkError::Replaced(folder.path_of(name))),
            Err(errno) => return Err(folder.failed("link", name, errno)),
        }
    }
    Ok(())
}

fn switch(folder: &Folder, generation: &str) -> Result<(), SinkError> {
    let temporary = temporary_link();
    symlinkat(generation, folder, &*temporary)
        .map_err(|errno| folder.failed("link", DATA, errno))?;
    renameat(folder, &*temporary, folder, DATA).map_err(|errno| {
        let _ = folder.remove(&temporary);
        folder.failed("switch", DATA, errno)
    })
}

/// Removes a generation with its files; nothing in it is followed.
pub(super) fn remove(folder: &Folder, generation: &str) -> Result<(), SinkError> {
    let inner = match folder.inner(generation) {
        Ok(inner) => inner,
        Err(SinkError::System { errno, .. }) if errno == Errno::NOENT => return Ok(()),
        Err(error) => return Err(error),
    };
    for name in inner.names()? {
        inner.remove(&name)?;
    }
    match unlinkat(folder, generation, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(folder.failed("remove", generation, errno)),
    }
}
