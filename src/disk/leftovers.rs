//! Files that killed runs left beside targets. A folder with thousands of targets is listed once
//! for all of them.
//!
//! A list stays valid for a while: only a killed run leaves such files, and the next list finds
//! them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::fstat;

use super::SinkError;
use super::folder::Folder;
use super::names::is_temporary_file;
use crate::base::lock::locked;

/// How long a list is valid.
const GOOD: Duration = Duration::from_secs(10);

/// Names of temporary files by device and inode of their folder.
#[derive(Debug, Default)]
pub struct Unswept(Mutex<HashMap<(u64, u64), Listed>>);

#[derive(Debug)]
struct Listed {
    at: Instant,
    names: Arc<[String]>,
}

impl Unswept {
    /// The names in this folder that a killed run may have left; some may be gone by now.
    pub(super) fn names_in(&self, folder: &Folder) -> Result<Arc<[String]>, SinkError> {
        let stat = fstat(folder).map_err(|errno| folder.failed("look at", "", errno))?;
        let folders = &mut locked(&self.0);
        let place = (stat.st_dev, stat.st_ino);
        if let Some(known) = folders.get(&place)
            && known.at.elapsed() < GOOD
        {
            return Ok(Arc::clone(&known.names));
        }
        let at = Instant::now();
        let mut names = folder.names()?;
        names.retain(|name| is_temporary_file(name));
        let names: Arc<[String]> = names.into();
        let listed = Listed {
            at,
            names: Arc::clone(&names),
        };
        folders.insert(place, listed);
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::artifact::FileAccess;
    use crate::disk::names::Temporary;

    fn open(path: &Path) -> Folder {
        let folder = Folder::find(path, None, &FileAccess::PRIVATE).expect("it can be opened");
        folder.expect("it is there")
    }

    #[test]
    fn row_187_a_folder_of_many_targets_is_listed_once() {
        let here = tempfile::tempdir().expect("a temporary folder");
        let other = tempfile::tempdir().expect("a temporary folder");
        let left = ".keyferry-0123456789abcdef.tmp";
        std::fs::write(here.path().join(left), "x").expect("write");
        let unswept = Unswept::default();
        let first = unswept.names_in(&open(here.path())).expect("listed");
        assert_eq!(*first, [left.to_owned()]);
        for _ in 0..3 {
            let again = unswept.names_in(&open(here.path())).expect("listed");
            assert!(Arc::ptr_eq(&first, &again), "it was listed again");
        }
        assert!(
            unswept
                .names_in(&open(other.path()))
                .expect("listed")
                .is_empty()
        );
    }

    #[test]
    fn row_187_a_file_that_is_being_written_is_no_litter() {
        let here = tempfile::tempdir().expect("a temporary folder");
        let folder = open(here.path());
        let temporary = Temporary::new();
        std::fs::write(here.path().join(&*temporary), "x").expect("write");
        let littered = || folder.is_littered(&FileAccess::PRIVATE, &Unswept::default());
        assert_eq!(littered(), Ok(false));
        let lock = folder.lock().expect("not busy").expect("a lock");
        let swept = folder.sweep(&lock, &FileAccess::PRIVATE, &Unswept::default());
        assert_eq!(swept, Ok(()));
        assert!(here.path().join(&*temporary).exists());
        drop(temporary);
        assert_eq!(littered(), Ok(true), "nobody writes it any more");
    }
}
