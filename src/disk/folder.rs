//! The folder of a target: found without following what others could have planted, held open, locked while it is written.
//!
//! A link on the way is followed only when whoever could have made it is trusted: the link and the folder that holds it
//! belong to root or to us, and nobody else may write to that folder. So `/var/run -> /run` works, and a link in `/tmp` does not.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, ResolveFlags, Stat, fchmod, fchown, flock,
    fstat, fstatfs, mkdirat, open, openat, openat2, statat,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid, geteuid};

use super::SinkError;
use crate::artifact::Access;

/// How long another run may hold a folder.
const PATIENCE: Duration = Duration::from_secs(5);
const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// A folder that is held open, and its path for messages.
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Folder {
    /// Opens a folder; nothing when it is not there. With `root` everything must lie beneath it.
    pub fn find(path: &Path, root: Option<&Path>) -> Result<Option<Self>, SinkError> {
        match walk(path, root, None) {
            Ok(fd) => Ok(Some(Self {
                fd,
                path: path.to_owned(),
            })),
            Err(SinkError::NoFolder(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a folder, and makes it where `access` allows that.
    pub fn find_or_create(
        path: &Path,
        root: Option<&Path>,
        access: &Access,
    ) -> Result<Self, SinkError> {
        let fd = walk(path, root, Some(access).filter(|access| access.create_dirs))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// A folder inside this one.
    pub fn inner(&self, name: &str) -> Result<Self, SinkError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty())
            .map_err(|errno| self.failed("open", name, errno))?;
        Ok(Self {
            fd,
            path: self.path.join(name),
        })
    }

    /// The path of something in this folder, for messages.
    pub fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// A failure of the system at something in this folder.
    pub fn failed(&self, step: &'static str, name: impl AsRef<Path>, errno: Errno) -> SinkError {
        SinkError::System {
            step,
            path: self.at(name),
            errno,
        }
    }

    /// What stands at a name; nothing when nothing does. Links are not followed.
    pub fn stat(&self, name: impl AsRef<OsStr>) -> Result<Option<Stat>, SinkError> {
        let name = Path::new(name.as_ref());
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.failed("look at", name, errno)),
        }
    }

    /// Whether it lives in memory, where nothing outlasts the machine.
    pub fn in_memory(&self) -> Result<bool, SinkError> {
        let stat = fstatfs(&self.fd).map_err(|errno| self.failed("look at", "", errno))?;
        Ok(MEMORY.contains(&u64::try_from(stat.f_type).unwrap_or(0)))
    }

    /// Keeps other runs of keyferry out until this folder is dropped.
    pub fn lock(&self) -> Result<(), SinkError> {
        let end = Instant::now() + PATIENCE;
        loop {
            match flock(&self.fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(()),
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(Errno::WOULDBLOCK) => return Err(SinkError::Busy(self.path.clone())),
                Err(errno) => return Err(self.failed("lock", "", errno)),
            }
        }
    }

    /// Gives an open file or folder its owner, then its mode: never readable by somebody it is not for.
    pub fn expose(
        &self,
        fd: impl AsFd,
        name: &str,
        mode: u32,
        access: &Access,
    ) -> Result<(), SinkError> {
        let fd = fd.as_fd();
        if access.uid.is_some() || access.gid.is_some() {
            let (uid, gid) = (access.uid.map(Uid::from_raw), access.gid.map(Gid::from_raw));
            fchown(fd, uid, gid)
                .map_err(|errno| self.failed("change the owner of", name, errno))?;
        }
        fchmod(fd, Mode::from_raw_mode(mode))
            .map_err(|errno| self.failed("change the mode of", name, errno))
    }
}

/// What a file's type is called.
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

/// Whether an owner is one whose doing we trust: root or ourselves.
pub fn trusted(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

fn walk(path: &Path, root: Option<&Path>, create: Option<&Access>) -> Result<OwnedFd, SinkError> {
    let (start, inner) = match root {
        Some(root) => (
            root,
            normal(path)
                .strip_prefix(normal(root))
                .map(Path::to_owned)
                .map_err(|_| outside(path))?,
        ),
        None if path.is_absolute() => (
            Path::new("/"),
            path.strip_prefix("/").unwrap_or(path).to_owned(),
        ),
        None => (Path::new("."), path.to_owned()),
    };
    let failed = |errno| SinkError::System {
        step: "open",
        path: start.to_owned(),
        errno,
    };
    let mut folder = open(start, FOLDER, Mode::empty()).map_err(failed)?;
    if inner.as_os_str().is_empty() {
        return Ok(folder);
    }
    let mut resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    if root.is_some() {
        resolve |= ResolveFlags::BENEATH;
    }
    // Nearly always one call; the careful walk below is for links, for what must be made, and for old kernels.
    if let Ok(found) = openat2(&folder, &inner, FOLDER, Mode::empty(), resolve) {
        return Ok(found);
    }
    let mut seen = start.to_owned();
    for part in inner.components() {
        let name = match part {
            Component::Normal(name) => name,
            Component::ParentDir if root.is_none() => OsStr::new(".."),
            Component::ParentDir => return Err(outside(path)),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => continue,
        };
        folder = step(&folder, &seen, name, root.is_some(), create)?;
        seen.push(name);
    }
    Ok(folder)
}

/// One folder further.
fn step(
    at: &OwnedFd,
    seen: &Path,
    name: &OsStr,
    rooted: bool,
    create: Option<&Access>,
) -> Result<OwnedFd, SinkError> {
    let path = seen.join(name);
    let failed = |step, errno| SinkError::System {
        step,
        path: path.clone(),
        errno,
    };
    match openat(at, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(found) => Ok(found),
        Err(Errno::NOENT) => {
            let Some(access) = create else {
                return Err(SinkError::NoFolder(path));
            };
            match mkdirat(at, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed("create", errno)),
            }
            let fd = openat(at, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())
                .map_err(|errno| failed("open", errno))?;
            let made = Folder {
                fd,
                path: path.clone(),
            };
            made.expose(&made.fd, "", access.dir_mode, access)?;
            Ok(made.fd)
        }
        Err(Errno::LOOP | Errno::NOTDIR) => {
            let stat = statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| failed("look at", errno))?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                return Err(SinkError::Foreign {
                    what: format!("it is {}, and a folder is needed", kind(&stat)),
                    path,
                });
            }
            let holder = fstat(at).map_err(|errno| failed("look at", errno))?;
            let safe =
                trusted(stat.st_uid) && trusted(holder.st_uid) && holder.st_mode & 0o022 == 0;
            if rooted || !safe {
                return Err(SinkError::Foreign {
                    what: "it is a symbolic link that others could have made".to_owned(),
                    path,
                });
            }
            openat(at, name, FOLDER, Mode::empty()).map_err(|errno| failed("open", errno))
        }
        Err(errno) => Err(failed("open", errno)),
    }
}

fn outside(path: &Path) -> SinkError {
    SinkError::UnsafeName(path.display().to_string())
}

/// A path without `.` and, as far as names go, without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}
