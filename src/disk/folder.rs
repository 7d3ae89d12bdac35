//! The folder of a target, held open from the first look to the last write.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat, fsync, openat, statat, unlinkat};
use rustix::io::Errno;

use super::SinkError;
use super::access::{expose, lives_in_memory};
use super::walk::{MadeFolders, open_folder};
use crate::base::artifact::FileAccess;

/// A folder that is held open, and its path for messages.
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
    in_memory: OnceCell<bool>,
    _made: MadeFolders,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Folder {
    /// Opens a folder; `None` when it does not exist yet. With `root`, everything must lie beneath
    /// the root.
    pub fn find(
        path: &Path,
        root: Option<&Path>,
        access: &FileAccess,
    ) -> Result<Option<Self>, SinkError> {
        match open_folder(path, root, access, false) {
            Ok((fd, made)) => Ok(Some(Self::new(fd, path.to_owned(), made))),
            Err(SinkError::NoFolder(_)) if access.create_dirs => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a folder, and makes it where `access` allows that. New folders are removed again if
    /// nothing is written into them.
    pub fn find_or_make(
        path: &Path,
        root: Option<&Path>,
        access: &FileAccess,
    ) -> Result<Self, SinkError> {
        let (fd, made) = open_folder(path, root, access, true)?;
        Ok(Self::new(fd, path.to_owned(), made))
    }

    /// A folder inside this one.
    pub fn inner(&self, name: &str) -> Result<Self, SinkError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty())
            .map_err(|errno| self.failed("open", name, errno))?;
        Ok(Self::new(fd, self.path.join(name), MadeFolders::default()))
    }

    fn new(fd: OwnedFd, path: PathBuf, made: MadeFolders) -> Self {
        Self {
            fd,
            path,
            in_memory: OnceCell::new(),
            _made: made,
        }
    }

    /// The path of an entry of this folder, for messages; without a name, that of the folder
    /// itself.
    pub fn path_of(&self, name: impl AsRef<Path>) -> PathBuf {
        let name = name.as_ref();
        if name.as_os_str().is_empty() {
            return self.path.clone();
        }
        self.path.join(name)
    }

    /// A failure of the system at something in this folder.
    pub fn failed(&self, step: &'static str, name: impl AsRef<Path>, errno: Errno) -> SinkError {
        SinkError::System {
            step,
            path: self.path_of(name),
            errno,
        }
    }

    /// Something in this folder that is not ours to change.
    pub(super) fn foreign(&self, name: impl AsRef<Path>, what: impl Into<String>) -> SinkError {
        SinkError::Foreign {
            path: self.path_of(name),
            what: what.into(),
        }
    }

    /// The state of an entry; `None` when it does not exist. Links are not followed.
    pub fn stat(&self, name: impl AsRef<OsStr>) -> Result<Option<Stat>, SinkError> {
        let name = Path::new(name.as_ref());
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.failed("look at", name, errno)),
        }
    }

    /// The names in this folder that are text; our names always are.
    pub fn names(&self) -> Result<Vec<String>, SinkError> {
        let failed = |errno| self.failed("list", "", errno);
        let mut names = Vec::new();
        for entry in Dir::read_from(self).map_err(failed)? {
            if let Ok(name) = entry.map_err(failed)?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Removes an entry that is no folder; no error when it is already gone.
    pub fn remove(&self, name: &str) -> Result<(), SinkError> {
        match unlinkat(self, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed("remove", name, errno)),
        }
    }

    /// Whether the folder lives in memory, where nothing survives a restart of the machine.
    pub fn in_memory(&self) -> Result<bool, SinkError> {
        if let Some(known) = self.in_memory.get() {
            return Ok(*known);
        }
        let known = lives_in_memory(&self.fd, &self.path)?;
        Ok(*self.in_memory.get_or_init(|| known))
    }

    /// Waits until the folder's names are on disk.
    pub fn sync(&self) -> Result<(), SinkError> {
        self.flush(self.as_fd(), "")
    }

    /// Waits until an open file is on disk. In memory there is nothing to wait for, so not even the
    /// call is made.
    pub(super) fn flush(&self, fd: impl AsFd, name: &str) -> Result<(), SinkError> {
        if self.in_memory()? {
            return Ok(());
        }
        // Never tried twice: after a failed fsync a second one reports success for lost data.
        fsync(fd).map_err(|errno| self.failed("flush", name, errno))
    }

    /// Sets the owner of an open file or folder in this folder, then its mode.
    pub(super) fn expose(
        &self,
        fd: impl AsFd,
        name: &str,
        mode: u32,
        access: &FileAccess,
    ) -> Result<(), SinkError> {
        expose(fd, &self.path_of(name), mode, access)
    }
}
