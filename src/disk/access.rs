//! Who owns a file and who may read it, what kind of file it is, and whether it lies in memory.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, Stat, fchmod, fchown, fstatfs};
use rustix::io::Errno;
use rustix::process::{Gid, Uid, geteuid};

use super::SinkError;
use crate::base::artifact::FileAccess;

/// tmpfs and ramfs.
const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Sets the owner of an open file or folder, then its mode: the wrong users can never read it.
pub(super) fn expose(
    fd: impl AsFd,
    path: &Path,
    mode: u32,
    access: &FileAccess,
) -> Result<(), SinkError> {
    let failed = |step| {
        move |errno| SinkError::System {
            step,
            path: path.to_owned(),
            errno,
        }
    };
    give(&fd, access).map_err(failed("change the owner of"))?;
    fchmod(&fd, Mode::from_raw_mode(mode)).map_err(failed("change the mode of"))
}

/// Gives an open file its owner, where one is configured.
pub(super) fn give(fd: impl AsFd, access: &FileAccess) -> Result<(), Errno> {
    if access.uid.is_none() && access.gid.is_none() {
        return Ok(());
    }
    let (uid, gid) = (access.uid.map(Uid::from_raw), access.gid.map(Gid::from_raw));
    fchown(fd, uid, gid)
}

/// Whether an open file or folder lies on a memory file system.
pub(super) fn lives_in_memory(fd: impl AsFd, path: &Path) -> Result<bool, SinkError> {
    let stat = fstatfs(fd).map_err(|errno| SinkError::System {
        step: "look at",
        path: path.to_owned(),
        errno,
    })?;
    Ok(MEMORY.contains(&u64::try_from(stat.f_type).unwrap_or(0)))
}

/// The name of a file's type, for messages.
pub(super) fn kind(stat: &Stat) -> &'static str {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    }
}

/// Whether we trust this owner: root or ourselves.
pub(super) fn trusted(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

/// Whether something may be ours: it has an owner that we trust, or its configured owner.
pub(super) fn owned(stat: &Stat, access: &FileAccess) -> bool {
    trusted(stat.st_uid) || access.uid == Some(stat.st_uid)
}
