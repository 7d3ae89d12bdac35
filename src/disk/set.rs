//! A folder of files that changes as one, as kubelet lays out a volume.
//!
//! ```text
//! dir/name  ──►  ..data/name         visible, made once
//! dir/..data ──► ..keyferry-<hex>    switched by one rename
//! dir/..keyferry-<hex>/name          the files
//! ```
//!
//! A run that was killed at any point leaves either the old or the new set visible; what else it left is named as damage
//! by [`look`] and healed by [`write()`].

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, mkdirat, readlinkat, renameat, symlinkat, unlinkat};
use rustix::io::Errno;

use super::SinkError;
use super::file::{is_random, random_digits};
use super::folder::{Folder, kind, trusted};
use crate::artifact::Access;
use crate::material::SecretBytes;
use crate::observed::{FileSetState, FileState};

const DATA: &str = "..data";
const DATA_NEXT: &str = "..data_tmp";
const GENERATION: &str = "..keyferry-";
/// How long old files stay for a reader that is between following `..data` and opening what it led to.
const GRACE: Duration = Duration::from_millis(20);

/// What stands in a folder; nothing when no set was ever laid there.
pub fn look(
    folder: &Folder,
    wanted: &BTreeMap<String, SecretBytes>,
    access: &Access,
) -> Result<Option<FileSetState>, SinkError> {
    let inventory = inventory(folder, wanted)?;
    let Some(current) = &inventory.current else {
        return Ok(inventory.damage.map(|damage| FileSetState {
            files: BTreeMap::new(),
            damage: Some(damage),
        }));
    };
    let mut state = FileSetState {
        files: BTreeMap::new(),
        damage: inventory.damage.clone(),
    };
    let generation = match folder.inner(current) {
        Ok(generation) => generation,
        Err(SinkError::System {
            errno: Errno::NOENT,
            ..
        }) => {
            state.damage = Some("the data behind `..data` is gone".to_owned());
            return Ok(Some(state));
        }
        Err(error) => return Err(error),
    };
    for name in generation.names()? {
        let Some(file) = generation.file(&name, access)? else {
            continue;
        };
        let expected = wanted.get(&name).map_or(0, SecretBytes::len);
        state.files.insert(
            name.clone(),
            FileState {
                bytes: file.read(&generation, &name, expected)?,
                mode: file.stat.st_mode & 0o7777,
                uid: file.stat.st_uid,
                gid: file.stat.st_gid,
            },
        );
        if !inventory.links.contains(&name) {
            state.damage = Some(format!("the link `{name}` is missing"));
        }
    }
    if let Some(stale) = inventory
        .links
        .iter()
        .find(|link| !state.files.contains_key(*link))
    {
        state.damage = Some(format!("the link `{stale}` leads nowhere"));
    }
    Ok(Some(state))
}

/// Lays the whole set anew and switches to it.
pub fn write(
    folder: &Folder,
    files: &BTreeMap<String, SecretBytes>,
    access: &Access,
) -> Result<(), SinkError> {
    folder.lock()?;
    let before = inventory(folder, files)?;
    let generation = format!("{GENERATION}{}", random_digits());
    if let Err(error) =
        lay(folder, &generation, files, access).and_then(|()| switch(folder, &generation))
    {
        // The old set is still the visible one, so what was begun can go.
        let _ = remove(folder, &generation);
        return Err(error);
    }
    // Links first, then the data they led to: no visible name ever dangles while its data is wanted.
    for name in files.keys().filter(|name| !before.links.contains(name)) {
        symlinkat(link_target(name), folder, name.as_str())
            .map_err(|errno| folder.failed("link", name, errno))?;
    }
    for stale in before
        .links
        .iter()
        .filter(|link| !files.contains_key(*link))
    {
        unlink(folder, stale)?;
    }
    if !before.generations.is_empty() {
        std::thread::sleep(GRACE);
    }
    for old in &before.generations {
        remove(folder, old)?;
    }
    folder.settle()
}

/// Removes a whole set: its names first, so that none ever leads nowhere for longer than that takes. Says whether one was there.
pub fn remove_all(folder: &Folder) -> Result<bool, SinkError> {
    folder.lock()?;
    let before = inventory(folder, &BTreeMap::new())?;
    for name in &before.links {
        unlink(folder, name)?;
    }
    unlink(folder, DATA_NEXT)?;
    if before.current.is_some() {
        unlink(folder, DATA)?;
    }
    for generation in &before.generations {
        remove(folder, generation)?;
    }
    folder.settle()?;
    Ok(before.current.is_some())
}

/// What of ours is in a folder.
#[derive(Default)]
struct Inventory {
    /// The generation that `..data` names.
    current: Option<String>,
    /// All generations.
    generations: Vec<String>,
    /// Visible links of ours.
    links: Vec<String>,
    damage: Option<String>,
}

fn inventory(
    folder: &Folder,
    wanted: &BTreeMap<String, SecretBytes>,
) -> Result<Inventory, SinkError> {
    if let Some(name) = wanted.keys().find(|name| !is_file_name(name)) {
        return Err(SinkError::UnsafeName(name.clone()));
    }
    let mut found = Inventory::default();
    for name in folder.names()? {
        let Some(stat) = folder.stat(&name)? else {
            continue;
        };
        let link = if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            Some(target(folder, &name)?)
        } else {
            None
        };
        let foreign = |what: String| SinkError::Foreign {
            path: folder.at(&name),
            what,
        };
        if name == DATA {
            let current = link.filter(|target| is_generation(target) && trusted(stat.st_uid));
            found.current = Some(
                current.ok_or_else(|| foreign("another program lays its files here".to_owned()))?,
            );
        } else if name == DATA_NEXT {
            found.damage = Some("a killed run left `..data_tmp`".to_owned());
        } else if is_generation(&name) {
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory || !trusted(stat.st_uid)
            {
                return Err(foreign(format!("it is {}", kind(&stat))));
            }
            found.generations.push(name);
        } else if link.as_deref() == Some(link_target(&name).as_str()) {
            found.links.push(name);
        } else if wanted.contains_key(&name) {
            return Err(foreign(format!("it is {}", kind(&stat))));
        }
    }
    if found
        .generations
        .iter()
        .any(|generation| Some(generation) != found.current.as_ref())
    {
        found.damage = Some("a killed run left a folder of old files".to_owned());
    }
    Ok(found)
}

fn lay(
    folder: &Folder,
    generation: &str,
    files: &BTreeMap<String, SecretBytes>,
    access: &Access,
) -> Result<(), SinkError> {
    mkdirat(folder, generation, Mode::RWXU)
        .map_err(|errno| folder.failed("create", generation, errno))?;
    let inner = folder.inner(generation)?;
    for (name, body) in files {
        inner.create(name, body, access)?;
    }
    inner.expose(&inner, "", access.dir_mode, access)?;
    inner.settle()
}

fn switch(folder: &Folder, generation: &str) -> Result<(), SinkError> {
    unlink(folder, DATA_NEXT)?;
    symlinkat(generation, folder, DATA_NEXT)
        .map_err(|errno| folder.failed("link", DATA_NEXT, errno))?;
    renameat(folder, DATA_NEXT, folder, DATA)
        .map_err(|errno| folder.failed("switch", DATA, errno))?;
    folder.settle()
}

/// Removes a generation with its files; nothing in it is followed.
fn remove(folder: &Folder, generation: &str) -> Result<(), SinkError> {
    let inner = match folder.inner(generation) {
        Ok(inner) => inner,
        Err(SinkError::System {
            errno: Errno::NOENT,
            ..
        }) => return Ok(()),
        Err(error) => return Err(error),
    };
    for name in inner.names()? {
        unlink(&inner, &name)?;
    }
    match unlinkat(folder, generation, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(folder.failed("remove", generation, errno)),
    }
}

fn unlink(folder: &Folder, name: &str) -> Result<(), SinkError> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(folder.failed("remove", name, errno)),
    }
}

fn target(folder: &Folder, name: &str) -> Result<String, SinkError> {
    let target =
        readlinkat(folder, name, Vec::new()).map_err(|errno| folder.failed("read", name, errno))?;
    Ok(target.to_string_lossy().into_owned())
}

fn link_target(name: &str) -> String {
    format!("{DATA}/{name}")
}

fn is_generation(name: &str) -> bool {
    name.strip_prefix(GENERATION).is_some_and(is_random)
}

/// Whether a name from data is one plain name that cannot be mistaken for ours.
fn is_file_name(name: &str) -> bool {
    let plain = Path::new(name).file_name().is_some_and(|only| only == name);
    plain
        && name.len() <= 255
        && !name.starts_with("..")
        && name != "."
        && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::is_file_name;

    #[test]
    fn row_02_names_from_data_stay_in_their_folder() {
        let long = "a".repeat(256);
        for name in [
            "", ".", "..", "..data", "..x", "a/b", "../x", "/x", "a\0b", "a/", &long,
        ] {
            assert!(!is_file_name(name), "{name:?}");
        }
        for name in ["a", ".env", "tls.crt", "a b", "ключ", &long[..255]] {
            assert!(is_file_name(name), "{name:?}");
        }
    }
}
