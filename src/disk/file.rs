//! One file in a folder: read as it stands, replaced whole, never half.

use std::os::fd::{AsFd, OwnedFd};

use crate::base::wiped::WipedBytes;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, StatxAttributes, StatxFlags, fchmod, fstat, openat,
    renameat, statx, unlinkat,
};
use rustix::io::Errno;

use super::access::{give, kind, owned};
use super::folder::Folder;
use super::lock::Lock;
use super::names::{Temporary, is_file_name};
use super::{SinkError, Unswept};
use crate::base::artifact::FileAccess;
use crate::base::material::SecretBytes;

/// The largest file that can be edited, in bytes.
pub const LARGEST: usize = 16 << 20;

/// A file as it stands.
pub struct StandingFile {
    /// Open for reading; `None` where we may replace the file but not read it.
    pub(super) fd: Option<OwnedFd>,
    /// Its size, mode, owner.
    pub stat: Stat,
}

impl Folder {
    /// The regular file of this name; `None` when nothing is there. Any other kind, and any file of
    /// a stranger, is foreign.
    pub fn file(&self, name: &str, access: &FileAccess) -> Result<Option<StandingFile>, SinkError> {
        if !is_file_name(name) {
            return Err(SinkError::UnsafeName(name.to_owned()));
        }
        // Looked at before it is opened: opening alone would wake a process that waits at a pipe or
        // a device.
        let Some(stat) = self.stat(name)? else {
            return Ok(None);
        };
        self.check_access(name, &stat, access)?;
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = match openat(self, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::ACCESS | Errno::PERM) => return Ok(Some(StandingFile { fd: None, stat })),
            Err(Errno::LOOP) => return Err(SinkError::Replaced(self.path_of(name))),
            Err(errno) => return Err(self.failed("open", name, errno)),
        };
        let stat = fstat(&fd).map_err(|errno| self.failed("look at", name, errno))?;
        self.check_access(name, &stat, access)?;
        let fd = Some(fd);
        Ok(Some(StandingFile { fd, stat }))
    }

    fn check_access(&self, name: &str, stat: &Stat, access: &FileAccess) -> Result<(), SinkError> {
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.foreign(name, format!("it is {}", kind(stat))));
        }
        if stat.st_nlink > 1 {
            let links = stat.st_nlink;
            return Err(self.foreign(name, format!("it has {links} hard links")));
        }
        if !owned(stat, access) && !access.adopt {
            let uid = stat.st_uid;
            let what = format!("it belongs to user {uid}; `adopt: true` takes it over");
            return Err(self.foreign(name, what));
        }
        Ok(())
    }

    /// Writes a new file beside the others and gives it the name in one step.
    pub fn replace(
        &self,
        name: &str,
        body: &SecretBytes,
        access: &FileAccess,
    ) -> Result<(), SinkError> {
        let temporary = Temporary::new();
        let made = self.create(&temporary, body, access);
        let done = made.and_then(|made| {
            renameat(self, &*temporary, self, name)
                .map_err(|errno| self.failed("replace", name, errno))?;
            Ok(made)
        });
        let made = match done {
            Ok(made) => made,
            Err(error) => {
                let _ = unlinkat(self, &*temporary, AtFlags::empty());
                return Err(self.explained(name, error));
            }
        };
        // Another user of this folder could have put a file under the temporary name.
        let there = self.stat(name)?;
        if there.is_none_or(|there| (there.st_dev, there.st_ino) != (made.st_dev, made.st_ino)) {
            return Err(SinkError::Replaced(self.path_of(name)));
        }
        self.sync()
    }

    /// Explains an error at a mount point: it cannot be replaced, and its folder often cannot be
    /// written.
    pub(super) fn explained(&self, name: &str, error: SinkError) -> SinkError {
        let SinkError::System { errno, .. } = &error else {
            return error;
        };
        let mounted = match *errno {
            Errno::BUSY | Errno::XDEV => true,
            Errno::ROFS | Errno::ACCESS | Errno::PERM => self.is_mounted(name),
            _ => false,
        };
        if mounted {
            SinkError::Mounted(self.path_of(name))
        } else {
            error
        }
    }

    /// Whether a name is a mount point.
    pub fn is_mounted(&self, name: &str) -> bool {
        let seen = statx(
            self,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
            StatxFlags::BASIC_STATS,
        );
        seen.is_ok_and(|seen| seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }

    /// Makes a new file: unreadable for others until it is whole, on disk before it is named.
    pub(super) fn create(
        &self,
        name: &str,
        body: &SecretBytes,
        access: &FileAccess,
    ) -> Result<Stat, SinkError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(self, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| self.failed("create", name, errno))?;
        write_all(&fd, body.expose()).map_err(|errno| self.failed("write", name, errno))?;
        self.expose(&fd, name, access.mode, access)?;
        self.flush(&fd, name)?;
        fstat(&fd).map_err(|errno| self.failed("look at", name, errno))
    }

    /// Sets mode and owner of a file whose content is right, each in one step; says whether that
    /// was possible. Where both differ there is no such step, and between the two the wrong users
    /// could read the file, so it must be replaced.
    pub fn mend(
        &self,
        name: &str,
        standing: &StandingFile,
        access: &FileAccess,
    ) -> Result<bool, SinkError> {
        let StandingFile { fd, stat } = standing;
        let mode = stat.st_mode & 0o7777 != access.mode;
        let owner = access.uid.is_some_and(|uid| uid != stat.st_uid)
            || access.gid.is_some_and(|gid| gid != stat.st_gid);
        let Some(fd) = fd else { return Ok(false) };
        let (step, done) = match (mode, owner) {
            (false, false) => return Ok(true),
            (true, true) => return Ok(false),
            (true, false) => (
                "change the mode of",
                fchmod(fd, Mode::from_raw_mode(access.mode)),
            ),
            (false, true) => ("change the owner of", give(fd, access)),
        };
        match done {
            Ok(()) => self.flush(fd, name).map(|()| true),
            // The file belongs to root, and we are another user who may replace it.
            Err(Errno::PERM) => Ok(false),
            Err(errno) => Err(self.failed(step, name, errno)),
        }
    }

    /// Whether a killed run left a file here.
    pub fn is_littered(&self, access: &FileAccess, unswept: &Unswept) -> Result<bool, SinkError> {
        for name in unswept.names_in(self)?.iter() {
            if self.is_litter(name, access)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes files that killed runs left. Only under a lock: another run may be using such a
    /// file.
    pub fn sweep(
        &self,
        _lock: &Lock,
        access: &FileAccess,
        unswept: &Unswept,
    ) -> Result<(), SinkError> {
        for name in unswept.names_in(self)?.iter() {
            if self.is_litter(name, access)? {
                self.remove(name)?;
            }
        }
        Ok(())
    }

    fn is_litter(&self, name: &str, access: &FileAccess) -> Result<bool, SinkError> {
        Ok(!Temporary::is_in_use(name)
            && self.stat(name)?.is_some_and(|stat| {
                FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                    && owned(&stat, access)
            }))
    }
}

impl StandingFile {
    /// Its bytes; `None` when there are more than `cap`, or when the file may not be read.
    fn read(
        &self,
        folder: &Folder,
        name: &str,
        cap: usize,
    ) -> Result<Option<SecretBytes>, SinkError> {
        let size = usize::try_from(self.stat.st_size).unwrap_or(usize::MAX);
        let Some(fd) = self.fd.as_ref().filter(|_| size <= cap) else {
            return Ok(None);
        };
        // One byte more, so that growth is noticed.
        let mut bytes = WipedBytes::from(vec![0; size + 1]);
        let mut filled = 0;
        while filled <= size {
            let at = u64::try_from(filled).unwrap_or(u64::MAX);
            match rustix::io::pread(fd, &mut bytes[filled..], at) {
                Ok(0) => {
                    bytes.truncate(filled);
                    return Ok(Some(SecretBytes::from(bytes)));
                }
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(folder.failed("read", name, errno)),
            }
        }
        Ok(None)
    }

    /// Its bytes when there are exactly this many. Another size is another content, which is not
    /// read.
    pub fn read_sized(
        &self,
        folder: &Folder,
        name: &str,
        size: usize,
    ) -> Result<Option<SecretBytes>, SinkError> {
        if usize::try_from(self.stat.st_size) != Ok(size) {
            return Ok(None);
        }
        self.read(folder, name, size)
    }

    /// Its bytes, unless there are too many to be compared variable by variable.
    pub fn parsable(&self, folder: &Folder, name: &str) -> Result<Option<SecretBytes>, SinkError> {
        self.read(folder, name, LARGEST)
    }

    /// Its bytes for editing.
    pub fn text(&self, folder: &Folder, name: &str) -> Result<SecretBytes, SinkError> {
        if self.fd.is_none() {
            return Err(folder.failed("open", name, Errno::ACCESS));
        }
        let text = self.read(folder, name, LARGEST)?;
        text.ok_or_else(|| SinkError::TooLarge(folder.path_of(name)))
    }
}

pub(super) fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(&fd, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
