//! Several files of one volume, read as one: kubelet swaps all of them by one rename of `..data`.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The link that kubelet and [`super::set`] switch.
const LINK: &str = "..data";

/// How many reads are tried while a volume switches. No volume changes that often; the last read is
/// returned in any case, and its caller judges it.
const TRIES: u32 = 20;

/// The targets of `..data` in the folders around some files, at one moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Generation(BTreeMap<PathBuf, Option<Link>>);

/// One link: its target, its inode and when it was made, because it may lead to an old target
/// again.
type Link = (PathBuf, u64, (i64, i64));

impl Generation {
    /// The current generation. Nobody switches a folder without the link.
    pub fn current<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        let folders = paths.into_iter().flat_map(|path| {
            // A path may name the folder itself.
            [Some(path), path.parent()].into_iter().flatten()
        });
        let link = |folder: &Path| {
            let link = folder.join(LINK);
            let seen = std::fs::symlink_metadata(&link).ok();
            let link = seen.and_then(|seen| {
                let made = (seen.ctime(), seen.ctime_nsec());
                Some((std::fs::read_link(link).ok()?, seen.ino(), made))
            });
            (folder.to_owned(), link)
        };
        Self(folders.map(link).collect())
    }
}

/// Reads until no switch came in between, so that everything is of one generation.
pub fn of_one_generation<T>(paths: &[&Path], mut read: impl FnMut() -> T) -> T {
    for _ in 1..TRIES {
        let before = Generation::current(paths.iter().copied());
        let all = read();
        if Generation::current(paths.iter().copied()) == before {
            return all;
        }
    }
    read()
}
