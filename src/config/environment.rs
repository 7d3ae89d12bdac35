//! Environment and files for reading a configuration: passed in, so that the other files here stay
//! pure.

use std::io;
use std::path::{Path, PathBuf};

/// Access to environment and files.
pub struct Outside<'a> {
    /// Environment variables.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Text of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Entries of a folder, sorted; `None` when the path is no folder.
    pub list: &'a dyn Fn(&Path) -> io::Result<Option<Vec<PathBuf>>>,
    /// The folder that every file target must lie in; `None`: targets may lie anywhere.
    pub root: Option<Root<'a>>,
}

/// A folder that must hold every file target.
#[derive(Debug, Clone, Copy)]
pub struct Root<'a> {
    /// The folder, as the user gave it.
    pub path: &'a Path,
    /// The folder that relative paths start from.
    pub here: &'a Path,
}
