//! Changes a file that others save too, without losing what they save meanwhile.
//!
//! The new file and the old file change places in one step. Then the old content is compared with
//! the content that the change was made from: if they differ, somebody saved in between, and the
//! old file goes back. An editor that writes into the file instead of replacing it may still be
//! writing, so the old file is compared once more after a moment.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, Stat, fstat, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::SinkError;
use super::file::StandingFile;
use super::folder::Folder;
use super::names::Temporary;
use crate::base::artifact::FileAccess;
use crate::base::material::SecretBytes;

/// An editor that has begun to write into a file has finished by then.
pub const QUIET: Duration = Duration::from_millis(20);
/// How often somebody may save while an earlier saved file is put back.
const TRIES: usize = 100;

/// Device and inode of a file.
type Identity = (u64, u64);

fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

impl StandingFile {
    /// Whether the file was changed a moment ago, so that it may be half written.
    pub fn is_fresh(&self) -> bool {
        let seconds = u64::try_from(self.stat.st_mtime).unwrap_or(0);
        let nanos = u32::try_from(self.stat.st_mtime_nsec).unwrap_or(0);
        let changed = UNIX_EPOCH + Duration::new(seconds, nanos);
        let age = SystemTime::now().duration_since(changed);
        age.is_ok_and(|age| age < QUIET)
    }
}

impl Folder {
    /// Adds a file where none exists; says whether none existed.
    pub fn add(
        &self,
        name: &str,
        body: &SecretBytes,
        access: &FileAccess,
    ) -> Result<bool, SinkError> {
        let temporary = Temporary::new();
        let made = self.create(&temporary, body, access);
        let added = made.and_then(|_| {
            let flags = RenameFlags::NOREPLACE;
            match renameat_with(self, &*temporary, self, name, flags) {
                Ok(()) => Ok(true),
                Err(Errno::EXIST) => Ok(false),
                Err(errno) if is_unknown(errno) => {
                    renameat(self, &*temporary, self, name)
                        .map_err(|errno| self.failed("replace", name, errno))?;
                    Ok(true)
                }
                Err(errno) => Err(self.failed("replace", name, errno)),
            }
        });
        self.done(&temporary, name, added)
    }

    /// Replaces a file that was seen to hold a text; says whether it still held that text. If not,
    /// the current file stays.
    pub fn replace_seen(
        &self,
        name: &str,
        (seen, text): (&StandingFile, &SecretBytes),
        body: &SecretBytes,
        access: &FileAccess,
    ) -> Result<bool, SinkError> {
        let temporary = Temporary::new();
        let made = self.create(&temporary, body, access);
        let replaced = made.and_then(|made| {
            let swapped = renameat_with(self, &*temporary, self, name, RenameFlags::EXCHANGE);
            match swapped {
                Ok(()) => {}
                Err(Errno::NOENT) => return Ok(false),
                Err(errno) if is_unknown(errno) => return self.rename_seen(&temporary, name, seen),
                Err(errno) => return Err(self.failed("replace", name, errno)),
            }
            std::thread::sleep(QUIET);
            let out = self.stat(&*temporary)?;
            let same = out.is_some_and(|out| identity(&out) == identity(&seen.stat))
                && seen.read_sized(self, &temporary, text.len())?.as_ref() == Some(text);
            if !same {
                self.put_back(&temporary, name, (identity(&made), body))?;
            }
            Ok(same)
        });
        self.done(&temporary, name, replaced)
    }

    /// Where two files cannot change places, a look right before the rename is all that can be
    /// done.
    fn rename_seen(
        &self,
        temporary: &str,
        name: &str,
        seen: &StandingFile,
    ) -> Result<bool, SinkError> {
        let before = &seen.stat;
        let same = self.stat(name)?.is_some_and(|now| {
            identity(&now) == identity(before)
                && (now.st_size, now.st_mtime, now.st_mtime_nsec)
                    == (before.st_size, before.st_mtime, before.st_mtime_nsec)
        });
        if same {
            renameat(self, temporary, self, name)
                .map_err(|errno| self.failed("replace", name, errno))?;
        }
        Ok(same)
    }

    /// Puts the old file back. A file that was saved over ours meanwhile is newer, and stays in the
    /// end; the file under the temporary name may then be removed.
    fn put_back(
        &self,
        temporary: &str,
        name: &str,
        (made, body): (Identity, &SecretBytes),
    ) -> Result<(), SinkError> {
        let (mut stands, mut out) = (made, self.inode(temporary)?);
        for _ in 0..TRIES {
            match renameat_with(self, temporary, self, name, RenameFlags::EXCHANGE) {
                Ok(()) => {}
                // The file was removed, so the version saved before that need not come back.
                Err(Errno::NOENT) => return Ok(()),
                Err(errno) => return Err(self.failed("replace", name, errno)),
            }
            let came = self.inode(temporary)?;
            // Somebody may have written into our file: then it is theirs.
            if came == stands && (came != made || self.holds(temporary, body)?) {
                return Ok(());
            }
            (stands, out) = (out, came);
        }
        Err(SinkError::Replaced(self.path_of(name)))
    }

    fn inode(&self, name: &str) -> Result<Identity, SinkError> {
        match self.stat(name)? {
            Some(stat) => Ok(identity(&stat)),
            None => Err(SinkError::Replaced(self.path_of(name))),
        }
    }

    fn holds(&self, name: &str, body: &SecretBytes) -> Result<bool, SinkError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = openat(self, name, flags, Mode::empty())
            .map_err(|errno| self.failed("open", name, errno))?;
        let stat = fstat(&fd).map_err(|errno| self.failed("look at", name, errno))?;
        let fd = Some(fd);
        let held = StandingFile { fd, stat }.read_sized(self, name, body.len())?;
        Ok(held.as_ref() == Some(body))
    }

    /// Removes the file under the temporary name, unless somebody may have saved it.
    fn done(
        &self,
        temporary: &str,
        name: &str,
        done: Result<bool, SinkError>,
    ) -> Result<bool, SinkError> {
        if !matches!(done, Err(SinkError::Replaced(_))) {
            let _ = unlinkat(self, temporary, AtFlags::empty());
        }
        let done = done.map_err(|error| self.explained(name, error))?;
        self.sync()?;
        Ok(done)
    }
}

/// Whether a file system or an old kernel does not know this kind of rename.
fn is_unknown(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}
