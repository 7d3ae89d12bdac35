//! One file in a folder: read as it stands, replaced whole, never half.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, fsync, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::SinkError;
use super::folder::{Folder, kind, trusted};
use crate::artifact::Access;
use crate::material::SecretBytes;

/// Nothing that is edited is larger.
pub const LARGEST: usize = 16 << 20;

/// What our temporary files are called, around sixteen hex digits.
const TEMPORARY: (&str, &str) = (".keyferry-", ".tmp");

/// A file as it stands.
pub struct Standing {
    /// The open file.
    pub fd: OwnedFd,
    /// Its size, mode, owner.
    pub stat: Stat,
}

impl Folder {
    /// The regular file at a name; nothing when nothing is there. Anything else, and anything of strangers, is foreign.
    pub fn file(&self, name: &str, access: &Access) -> Result<Option<Standing>, SinkError> {
        // O_NONBLOCK: opening a pipe would wait for a writer.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let foreign = |what: String| SinkError::Foreign {
            path: self.at(name),
            what,
        };
        let fd = match openat(self, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => {
                let Some(stat) = self.stat(name)? else {
                    return Ok(None);
                };
                let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
                return Err(if regular {
                    self.failed("open", name, errno)
                } else {
                    foreign(format!("it is {}", kind(&stat)))
                });
            }
        };
        let stat = fstat(&fd).map_err(|errno| self.failed("look at", name, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(foreign(format!("it is {}", kind(&stat))));
        }
        if stat.st_nlink > 1 {
            return Err(foreign(format!("it has {} hard links", stat.st_nlink)));
        }
        let known = trusted(stat.st_uid) || access.uid == Some(stat.st_uid);
        if !known && !access.adopt {
            return Err(foreign(format!(
                "it belongs to user {}; `adopt: true` takes it over",
                stat.st_uid
            )));
        }
        Ok(Some(Standing { fd, stat }))
    }

    /// Writes a new file beside the others and gives it the name in one step.
    pub fn replace(
        &self,
        name: &str,
        body: &SecretBytes,
        access: &Access,
    ) -> Result<(), SinkError> {
        let temporary = format!("{}{}{}", TEMPORARY.0, random_digits(), TEMPORARY.1);
        let done = self.create(&temporary, body, access).and_then(|()| {
            match renameat(self, &*temporary, self, name) {
                Ok(()) => Ok(()),
                Err(Errno::BUSY | Errno::XDEV) => Err(SinkError::Mounted(self.at(name))),
                Err(errno) => Err(self.failed("replace", name, errno)),
            }
        });
        if done.is_err() {
            let _ = unlinkat(self, &*temporary, AtFlags::empty());
        }
        done.and_then(|()| self.settle())
    }

    /// Makes a new file: unreadable for others until it is whole, on disk before it is named.
    pub fn create(&self, name: &str, body: &SecretBytes, access: &Access) -> Result<(), SinkError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(self, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| self.failed("create", name, errno))?;
        write_all(&fd, body.expose()).map_err(|errno| self.failed("write", name, errno))?;
        self.expose(&fd, name, access.mode, access)?;
        self.flush(&fd, name)
    }

    /// Writes into the file that is there, for a file that is mounted by itself: readers may see half of it.
    pub fn overwrite(
        &self,
        name: &str,
        body: &SecretBytes,
        access: &Access,
    ) -> Result<(), SinkError> {
        let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(self, name, flags, Mode::empty())
            .map_err(|errno| self.failed("open", name, errno))?;
        write_all(&fd, body.expose()).map_err(|errno| self.failed("write", name, errno))?;
        self.expose(&fd, name, access.mode, access)?;
        self.flush(&fd, name)
    }

    /// Removes what killed runs left. Only under [`Folder::lock`]: another run's file would be in use.
    pub fn sweep(&self) -> Result<(), SinkError> {
        for name in self.names()? {
            let ours = is_temporary(&name)
                && self.stat(&name)?.is_some_and(|stat| {
                    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                        && trusted(stat.st_uid)
                });
            if ours {
                match unlinkat(self, &*name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(errno) => return Err(self.failed("remove", &name, errno)),
                }
            }
        }
        Ok(())
    }

    /// The names in this folder that are text; ours always are.
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

    /// Waits until the folder's names are on disk; in memory there is nothing to wait for.
    pub fn settle(&self) -> Result<(), SinkError> {
        self.flush(self.as_fd(), "")
    }

    fn flush(&self, fd: impl AsFd, name: &str) -> Result<(), SinkError> {
        if self.in_memory()? {
            return Ok(());
        }
        // Never tried twice: after a failed fsync a second one reports success for lost data.
        fsync(fd).map_err(|errno| self.failed("flush", name, errno))
    }
}

impl Standing {
    /// Its bytes; nothing when there are more than `cap`.
    pub fn read(
        &self,
        folder: &Folder,
        name: impl AsRef<Path>,
        cap: usize,
    ) -> Result<Option<SecretBytes>, SinkError> {
        let size = usize::try_from(self.stat.st_size).unwrap_or(usize::MAX);
        if size > cap {
            return Ok(None);
        }
        // One byte more, so that growth is seen without a buffer that moves and leaves copies behind.
        let mut bytes = Zeroizing::new(vec![0; size + 1]);
        let mut filled = 0;
        loop {
            match rustix::io::read(&self.fd, &mut bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(folder.failed("read", name, errno)),
            }
            if filled > size {
                return Ok(None);
            }
        }
        bytes.truncate(filled);
        Ok(Some(SecretBytes::from(bytes)))
    }
}

/// Whether a name is one of our temporary files.
fn is_temporary(name: &str) -> bool {
    name.strip_prefix(TEMPORARY.0)
        .and_then(|rest| rest.strip_suffix(TEMPORARY.1))
        .is_some_and(is_random)
}

/// Whether this is what [`random_digits`] gives.
pub(super) fn is_random(text: &str) -> bool {
    text.len() == 16
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Sixteen hex digits that nobody can foresee. From the kernel: the crypto library takes 30 ms to seed itself.
pub(super) fn random_digits() -> String {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    assert!(
        filled == Ok(bytes.len()),
        "the kernel gives a few bytes whole"
    );
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
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
