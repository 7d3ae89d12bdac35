//! The way to a folder, without following what others could have planted.
//!
//! - A link on the way is followed only when nobody else could have made it: the link and the
//!   folder that holds it belong to root or to us, and nobody else may write to that folder. Where
//!   it leads is walked by the same rule, so `/var/run -> /run` works, and a link in `/tmp` does
//!   not, not even behind a link that is trusted.
//! - Under a root there are no links at all, and what is asked for must lie beneath it as it is
//!   spelt.
//! - Folders are not judged by their owner: who may rename them decides where a path leads, and
//!   that is what a path means.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fstat, fsync, mkdirat, openat, openat2,
    readlinkat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::SinkError;
use super::access::{expose, kind, lives_in_memory, trusted};
use crate::base::artifact::FileAccess;

/// Most links on one way: the same number as in the kernel.
const MOST_LINKS: usize = 40;
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// A place on the way: it need not be readable, only passable.
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens the folder at a path; with `make`, missing ones are made where `access` allows that.
pub(super) fn open_folder(
    path: &Path,
    root: Option<&Path>,
    access: &FileAccess,
    make: bool,
) -> Result<(OwnedFd, MadeFolders), SinkError> {
    let (start, inner) = beginning(path, root)?;
    let failed = |errno| system("open", &start, errno);
    let place = match root {
        Some(root) => Some(openat(CWD, root, PLACE, Mode::empty()).map_err(failed)?),
        None => None,
    };
    // One call is nearly always enough; the walk is for links, for folders that must be made, and
    // for kernels and sandboxes without this call.
    let found = match &place {
        Some(place) => openat2(place, &inner, FOLDER, Mode::empty(), RESOLVE | BENEATH),
        None => openat2(CWD, start.join(&inner), FOLDER, Mode::empty(), RESOLVE),
    };
    let (folder, made) = match found {
        Ok(folder) => (folder, MadeFolders::default()),
        Err(_) => {
            let at = match place {
                Some(place) => place,
                None => openat(CWD, &start, PLACE, Mode::empty()).map_err(failed)?,
            };
            let walk = Walk {
                at,
                seen: start,
                left: parts(&inner),
                links: 0,
                rooted: root.is_some(),
                access,
                make,
                made: MadeFolders::default(),
            };
            walk.run()?
        }
    };
    if access.require_tmpfs && !lives_in_memory(&folder, path)? {
        return Err(SinkError::NotInMemory(path.to_owned()));
    }
    Ok((folder, made))
}

const RESOLVE: ResolveFlags = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_MAGICLINKS);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH;

/// The start of the walk, and the rest of the path from there.
fn beginning(path: &Path, root: Option<&Path>) -> Result<(PathBuf, PathBuf), SinkError> {
    let Some(root) = root else {
        let start = if path.is_absolute() { "/" } else { "." };
        let inner = path.strip_prefix("/").unwrap_or(path);
        return Ok((start.into(), named(inner)));
    };
    let spelt = |path: &Path| match std::path::absolute(named(path)) {
        Ok(path) => Ok(normal(&path)),
        Err(_) => Err(outside(path)),
    };
    let (whole, top) = (spelt(path)?, spelt(root)?);
    let inner = whole.strip_prefix(top).map_err(|_| outside(path))?;
    Ok((root.to_owned(), named(inner)))
}

/// An empty path names the folder it starts from.
fn named(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() {
        ".".into()
    } else {
        path.to_owned()
    }
}

fn outside(path: &Path) -> SinkError {
    SinkError::UnsafePath {
        path: path.to_owned(),
        why: "it leaves the root folder",
    }
}

/// An absolute path without `.` and `..`: beneath a root there are no links that could give `..`
/// another meaning.
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

/// The names of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    parts
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn system(step: &'static str, path: &Path, errno: Errno) -> SinkError {
    SinkError::System {
        step,
        path: path.to_owned(),
        errno,
    }
}

/// Folders that were made on the way, each by its name in its parent. They are removed again when
/// this is dropped, the last one first; a folder with content stays.
#[derive(Default)]
pub(super) struct MadeFolders(Vec<(OwnedFd, OsString)>);

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for (holder, name) in self.0.iter().rev() {
            let _ = unlinkat(holder, &**name, AtFlags::REMOVEDIR);
        }
    }
}

/// One name after another, each opened in the folder before it.
struct Walk<'a> {
    at: OwnedFd,
    seen: PathBuf,
    left: Vec<OsString>,
    links: usize,
    rooted: bool,
    access: &'a FileAccess,
    make: bool,
    made: MadeFolders,
}

impl Walk<'_> {
    fn run(mut self) -> Result<(OwnedFd, MadeFolders), SinkError> {
        while let Some(name) = self.left.pop() {
            let path = if self.seen == Path::new(".") {
                PathBuf::from(&name)
            } else {
                self.seen.join(&name)
            };
            match openat(&self.at, &*name, PLACE | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(place) => (self.at, self.seen) = (place, path),
                Err(Errno::NOENT) => self.make(name, path)?,
                Err(Errno::LOOP | Errno::NOTDIR) => self.follow(&name, path)?,
                Err(errno) => return Err(system("open", &path, errno)),
            }
        }
        let folder = openat(&self.at, ".", FOLDER, Mode::empty())
            .map_err(|errno| system("open", &self.seen, errno))?;
        Ok((folder, self.made))
    }

    /// Makes the missing folder, or reports that it is missing.
    fn make(&mut self, name: OsString, path: PathBuf) -> Result<(), SinkError> {
        if self.access.require_tmpfs && !lives_in_memory(&self.at, &self.seen)? {
            return Err(SinkError::NotInMemory(path));
        }
        if !self.make || !self.access.create_dirs {
            return Err(SinkError::NoFolder(path));
        }
        let holder = openat(&self.at, ".", PLACE, Mode::empty())
            .map_err(|errno| system("open", &self.seen, errno))?;
        match mkdirat(&self.at, &*name, Mode::RWXU) {
            Ok(()) => self.made.0.push((holder, name.clone())),
            Err(Errno::EXIST) => {
                // Somebody was faster: the new entry is judged like any other, but not endlessly.
                self.count(&path)?;
                self.left.push(name);
                return Ok(());
            }
            Err(errno) => return Err(system("create", &path, errno)),
        }
        let made = openat(&self.at, &*name, FOLDER | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| system("open", &path, errno))?;
        let stat = fstat(&made).map_err(|errno| system("look at", &path, errno))?;
        if stat.st_uid != geteuid().as_raw() {
            return Err(SinkError::Replaced(path));
        }
        expose(&made, &path, self.access.dir_mode, self.access)?;
        if !lives_in_memory(&self.at, &self.seen)? {
            let parent = openat(&self.at, ".", FOLDER, Mode::empty());
            parent
                .and_then(fsync)
                .map_err(|errno| system("flush", &self.seen, errno))?;
        }
        (self.at, self.seen) = (made, path);
        Ok(())
    }

    /// Puts the target of a link before the rest of the path, if the link is trusted.
    fn follow(&mut self, name: &OsStr, path: PathBuf) -> Result<(), SinkError> {
        let looked = |errno| system("look at", &path, errno);
        let stat = statat(&self.at, name, AtFlags::SYMLINK_NOFOLLOW).map_err(looked)?;
        let foreign = |what: String| SinkError::Foreign {
            path: path.clone(),
            what,
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Err(foreign(format!(
                "it is {}, and a folder is needed",
                kind(&stat)
            )));
        }
        if self.rooted {
            return Err(foreign(
                "it is a symbolic link, and beneath --root none is followed".to_owned(),
            ));
        }
        let holder = fstat(&self.at).map_err(looked)?;
        let safe = trusted(stat.st_uid) && trusted(holder.st_uid) && holder.st_mode & 0o022 == 0;
        if !safe {
            return Err(foreign(
                "it is a symbolic link that others could have made".to_owned(),
            ));
        }
        self.count(&path)?;
        let target = readlinkat(&self.at, name, Vec::new()).map_err(looked)?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            self.at = openat(CWD, "/", PLACE, Mode::empty()).map_err(looked)?;
            self.seen = "/".into();
        }
        self.left.extend(parts(&target));
        Ok(())
    }

    fn count(&mut self, path: &Path) -> Result<(), SinkError> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(system("follow", path, Errno::LOOP));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_02_a_path_lies_beneath_the_root_as_it_is_spelt() {
        let here = std::path::absolute(".").expect("a working folder");
        let absolute = here.join("out/a");
        for (path, root, inner) in [
            ("out/a", "out", Some("a")),
            ("out", "out", Some(".")),
            ("./out/x/../a", "out/", Some("a")),
            ("a", ".", Some("a")),
            ("", ".", Some(".")),
            (&*absolute.to_string_lossy(), ".", Some("out/a")),
            ("/srv/a/b", "/srv", Some("a/b")),
            ("/srv/a/b", "/", Some("srv/a/b")),
            ("../a", ".", None),
            ("a/../../b", ".", None),
            ("/etc", ".", None),
            ("/srv/../etc", "/srv", None),
            ("/srvx", "/srv", None),
            ("out", "/srv", None),
        ] {
            let found = beginning(Path::new(path), Some(Path::new(root)));
            let found = found.ok().map(|(_, inner)| inner);
            assert_eq!(found.as_deref(), inner.map(Path::new), "{path} in {root}");
        }
    }
}
