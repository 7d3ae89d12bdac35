//! Two runs write to one folder one after the other.
//!
//! The lock is on a file of ours that nobody else can open; the file exists only while the lock is
//! held. A lock on the folder itself would be enough for two runs, but everybody who may read a
//! folder may lock it, and would stop all writing. The threads of one run share one lock.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, flock, fstat, openat, unlinkat};
use rustix::io::Errno;

use super::SinkError;
use super::access::trusted;
use super::folder::Folder;
use super::names::LOCK;
use crate::base::lock::locked;

/// How long we wait for another run: a signal must not wait longer for us.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long threads of this run may join a lock: then another run has its turn.
const SHARED: Duration = Duration::from_millis(200);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// The locks of this run, by device and inode of their folder.
static HELD: Mutex<BTreeMap<(u64, u64), Weak<Lock>>> = Mutex::new(BTreeMap::new());

/// A folder that no other run writes to, until the last thread of ours drops this.
pub struct Lock {
    folder: OwnedFd,
    since: Instant,
    _file: OwnedFd,
}

/// The result of one try.
enum Tried<T> {
    Locked(T),
    /// Another run holds the lock.
    Held,
    /// No lock is possible here: the volume is full, read-only or without locks, or the file
    /// belongs to a stranger.
    Impossible,
}

impl Folder {
    /// Keeps other runs of keyferry out. `None` where locks are impossible: two runs at once still
    /// write whole files, and only a sweep without a lock could remove the other run's file.
    pub fn lock(&self) -> Result<Option<Arc<Lock>>, SinkError> {
        let failed = |errno| self.failed("look at", "", errno);
        let stat = fstat(self).map_err(failed)?;
        let end = Instant::now() + PATIENCE;
        loop {
            match self.join((stat.st_dev, stat.st_ino)) {
                Tried::Locked(lock) => return Ok(Some(lock)),
                Tried::Impossible => return Ok(None),
                Tried::Held if Instant::now() < end => std::thread::sleep(PAUSE),
                Tried::Held => return Err(SinkError::Busy(self.path_of(""))),
            }
        }
    }

    /// Joins a lock of this run, or takes one. Other folders do not wait meanwhile: this one may
    /// hang.
    fn join(&self, place: (u64, u64)) -> Tried<Arc<Lock>> {
        let ours = locked(&HELD).get(&place).and_then(Weak::upgrade);
        if let Some(lock) = ours {
            return match lock.since.elapsed() < SHARED {
                true => Tried::Locked(lock),
                false => Tried::Held,
            };
        }
        match (self.try_lock(), self.as_fd().try_clone_to_owned()) {
            (Tried::Locked(file), Ok(folder)) => {
                let since = Instant::now();
                let lock = Arc::new(Lock {
                    folder,
                    since,
                    _file: file,
                });
                let mut held = locked(&HELD);
                held.retain(|_, lock| lock.strong_count() > 0);
                held.insert(place, Arc::downgrade(&lock));
                Tried::Locked(lock)
            }
            (Tried::Held, _) => Tried::Held,
            (Tried::Locked(_) | Tried::Impossible, _) => Tried::Impossible,
        }
    }

    fn try_lock(&self) -> Tried<OwnedFd> {
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
        // The last holder has removed the file, perhaps between our two calls: then our lock counts
        // no more.
        match self.stat(LOCK) {
            Ok(Some(there)) if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino) => {
                Tried::Locked(file)
            }
            Ok(_) => Tried::Held,
            Err(_) => Tried::Impossible,
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The next run takes over a file that stays, so a failure here does not matter.
        let _ = unlinkat(&self.folder, LOCK, AtFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::base::artifact::FileAccess;

    #[test]
    fn row_116_the_lock_is_a_file_of_ours_that_is_gone_afterwards() {
        let dir = tempfile::tempdir().expect("a folder");
        let open = || {
            let folder = Folder::find(dir.path(), None, &FileAccess::PRIVATE);
            folder.expect("opened").expect("there")
        };
        let (one, other) = (open(), open());
        // A reader's lock on the folder and leftovers of a killed run do not matter.
        let reader = fs::File::open(dir.path()).expect("opened");
        flock(reader.as_fd(), FlockOperation::NonBlockingLockExclusive).expect("locked");
        fs::write(dir.path().join(LOCK), "").expect("left");
        let Tried::Locked(run) = one.try_lock() else {
            panic!("it is free");
        };
        let busy = SinkError::Busy(dir.path().to_owned());
        assert_eq!(other.lock().err(), Some(busy), "another run holds it");
        drop((one.remove(LOCK), run));
        let lock = one.lock().expect("not busy").expect("a lock");
        let joined = other.lock().expect("not busy").expect("a lock");
        drop(lock);
        assert!(dir.path().join(LOCK).exists(), "one of us still holds it");
        drop(joined);
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 0);
    }

    #[test]
    fn row_116_a_lock_is_joined_for_a_while_only() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::find(dir.path(), None, &FileAccess::PRIVATE);
        let folder = folder.expect("opened").expect("there");
        let lock = folder.lock().expect("not busy").expect("a lock");
        std::thread::sleep(SHARED);
        let busy = SinkError::Busy(dir.path().to_owned());
        assert_eq!(folder.lock().err(), Some(busy), "another run has its turn");
        drop(lock);
        drop(folder.lock().expect("free again").expect("a lock"));
    }

    #[test]
    fn row_116_only_one_holds_it_though_each_removes_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let folder = Folder::find(dir.path(), None, &FileAccess::PRIVATE);
                    let folder = folder.expect("opened").expect("there");
                    for _ in 0..100 {
                        let Tried::Locked(lock) = folder.try_lock() else {
                            continue;
                        };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "alone");
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop((folder.remove(LOCK), lock));
                    }
                });
            }
        });
    }
}
