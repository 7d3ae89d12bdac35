//! Which entries of a folder are ours, and which stand in our way.

use std::collections::{BTreeMap, BTreeSet};

use rustix::fs::{FileType, Stat, readlinkat};

use super::{DATA, link_target};
use crate::base::artifact::FileAccess;
use crate::base::material::SecretBytes;
use crate::disk::SinkError;
use crate::disk::access::{kind, owned};
use crate::disk::folder::Folder;
use crate::disk::names::{is_file_name, is_generation, is_temporary_link};

/// Our entries in a folder.
#[derive(Default)]
pub(super) struct Inventory {
    /// The generation that `..data` names.
    pub(super) current: Option<String>,
    /// All other generations.
    pub(super) others: Vec<String>,
    /// Links that a killed run did not finish.
    pub(super) temporary: Vec<String>,
    /// Visible links.
    pub(super) links: BTreeSet<String>,
}

/// Checks that each name can be a file in a set, before a folder is made for the files.
pub fn check_names(wanted: &BTreeMap<String, SecretBytes>) -> Result<(), SinkError> {
    match wanted.keys().find(|name| !is_file_name(name)) {
        Some(name) => Err(SinkError::UnsafeName(name.clone())),
        None => Ok(()),
    }
}

/// Looks through a folder. An entry of others that is in the way is an error, before anything is
/// changed.
pub(super) fn inventory(
    folder: &Folder,
    wanted: &BTreeMap<String, SecretBytes>,
    access: &FileAccess,
) -> Result<Inventory, SinkError> {
    check_names(wanted)?;
    let mut found = Inventory::default();
    for name in folder.names()? {
        let concerns = name.starts_with("..") || wanted.contains_key(&name);
        let Some(stat) = folder.stat(&name)? else {
            continue;
        };
        let is = FileType::from_raw_mode(stat.st_mode);
        if is != FileType::Symlink && !concerns {
            continue;
        }
        match (is, owned(&stat, access)) {
            (FileType::Symlink, ours) => found.link(folder, name, ours, wanted)?,
            (FileType::Directory, true) if is_generation(&name) => found.others.push(name),
            (_, _) => refuse_in_the_way(folder, &name, &stat, wanted)?,
        }
    }
    if let Some(current) = &found.current {
        found.others.retain(|name| name != current);
    }
    Ok(found)
}

impl Inventory {
    fn link(
        &mut self,
        folder: &Folder,
        name: String,
        ours: bool,
        wanted: &BTreeMap<String, SecretBytes>,
    ) -> Result<(), SinkError> {
        let target = readlinkat(folder, &*name, Vec::new())
            .map_err(|errno| folder.failed("read", &name, errno))?;
        let target = target.to_str().unwrap_or_default();
        if name == DATA {
            if !(ours && is_generation(target)) {
                return Err(folder.foreign(name, "another program lays its files here"));
            }
            self.current = Some(target.to_owned());
        } else if ours && is_temporary_link(&name) {
            self.temporary.push(name);
        } else if ours && target == link_target(&name) {
            self.links.insert(name);
        } else if wanted.contains_key(&name) {
            return Err(folder.foreign(name, "it is a symbolic link of others"));
        }
        Ok(())
    }
}

fn refuse_in_the_way(
    folder: &Folder,
    name: &str,
    stat: &Stat,
    wanted: &BTreeMap<String, SecretBytes>,
) -> Result<(), SinkError> {
    if name == DATA || is_generation(name) || wanted.contains_key(name) {
        return Err(folder.foreign(name, format!("it is {}", kind(stat))));
    }
    Ok(())
}
