//! Two runs in one folder follow each other.
//!
//! What is locked is a file of ours that nobody else can open, there only as long as it is held.
//! The folder itself would do for two runs, but everybody who may read a folder may lock it too,
//! and would stop all writing.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, flock, fstat, openat};
use rustix::io::Errno;

use super::SinkError;
use super::folder::{Folder, trusted};
use super::names::LOCK;

/// How long another run may hold a folder: a signal must not wait longer for us.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A folder that no other run writes to, until this is dropped.
pub struct Lock<'f> {
    folder: &'f Folder,
    _file: OwnedFd,
}

/// What came of one try.
enum Tried {
    Locked(OwnedFd),
    /// Another run is at work.
    Held,
    /// There is no lock to be had here: the volume is full, read-only or knows no locks, or the
    /// file is a stranger's.
    Impossible,
}

impl Folder {
    /// Keeps other runs of keyferry out. Nothing where there are no locks: two runs at once are
    /// still each whole, and only one that swept without a lock could take the other's file away.
    pub fn lock(&self) -> Result<Option<Lock<'_>>, SinkError> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.try_lock() {
                Tried::Locked(file) => {
                    return Ok(Some(Lock {
                        folder: self,
                        _file: file,
                    }));
                }
                Tried::Impossible => return Ok(None),
                Tried::Held if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Tried::Held => return Err(SinkError::Busy(self.at(""))),
            }
        }
    }

    fn try_lock(&self) -> Tried {
        let flags = OFlags::RDWR
            | OFlags::CREATE
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let Ok(file) = openat(self, LOCK, flags, Mode::RUSR | Mode::WUSR) else {
            return Tried::Impossible;
        };
        let Ok(mine) = fstat(&file) else {
            return Tried::Impossible;
        };
        let regular = FileType::from_raw_mode(mine.st_mode) == FileType::RegularFile;
        if !(regular && trusted(mine.st_uid)) {
            return Tried::Impossible;
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Tried::Held,
            Err(_) => return Tried::Impossible,
        }
        // Whoever held it before has removed it, perhaps between our two calls: then it is no lock
        // any more.
        match self.stat(LOCK) {
            Ok(Some(there)) if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino) => {
                Tried::Locked(file)
            }
            Ok(_) => Tried::Held,
            Err(_) => Tried::Impossible,
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // One that stays is taken over by the next run, so that a failure here says nothing.
        let _ = self.folder.remove(LOCK);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::base::artifact::Access;

    #[test]
    fn row_116_the_lock_is_a_file_of_ours_that_is_gone_afterwards() {
        let dir = tempfile::tempdir().expect("a folder");
        let open = || {
            let folder = Folder::find(dir.path(), None, &Access::PRIVATE);
            folder.expect("opened").expect("there")
        };
        let (one, other) = (open(), open());
        // A reader's lock on the folder, and what a killed run left, are nothing to us.
        let reader = fs::File::open(dir.path()).expect("opened");
        flock(reader.as_fd(), FlockOperation::NonBlockingLockExclusive).expect("locked");
        fs::write(dir.path().join(LOCK), "").expect("left");
        let lock = one.lock().expect("not busy").expect("a lock");
        assert_eq!(
            other.lock().err(),
            Some(SinkError::Busy(dir.path().to_owned()))
        );
        drop(lock);
        assert!(!dir.path().join(LOCK).exists());
        drop(other.lock().expect("free again").expect("a lock"));
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 0);
    }

    #[test]
    fn row_116_only_one_holds_it_though_each_removes_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let folder = Folder::find(dir.path(), None, &Access::PRIVATE);
                    let folder = folder.expect("opened").expect("there");
                    for _ in 0..100 {
                        let Ok(lock) = folder.lock() else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "alone");
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
    }
}
