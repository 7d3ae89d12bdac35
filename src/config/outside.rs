//! What reading a configuration may ask of the outside: passed in, so that the rest stays pure.

use std::io;
use std::path::{Path, PathBuf};

/// Environment and files, as somebody else sees to.
pub struct Outside<'a> {
    /// Environment variables.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Text of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Entries of a folder, sorted; nothing when it is not a folder.
    pub list: &'a dyn Fn(&Path) -> io::Result<Option<Vec<PathBuf>>>,
    /// With it, every file target must lie beneath.
    pub root: Option<Root<'a>>,
}

/// A folder that no target leaves.
#[derive(Debug, Clone, Copy)]
pub struct Root<'a> {
    /// As it was given.
    pub path: &'a Path,
    /// The folder in which relative paths begin.
    pub here: &'a Path,
}
