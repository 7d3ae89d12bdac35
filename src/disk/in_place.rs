//! Writes into a file that is a mount point, where configured: readers may see half of the file,
//! and there is no other way.

use rustix::fs::{
    FallocateFlags, Mode, OFlags, fallocate, fchmod, fstat, fsync, ftruncate, openat,
};
use rustix::io::Errno;

use super::SinkError;
use super::access::lives_in_memory;
use super::file::{StandingFile, write_all};
use super::folder::Folder;
use crate::base::artifact::FileAccess;
use crate::base::material::SecretBytes;

impl Folder {
    /// Replaces the content of an existing file. Mode and owner are set first, so that the new
    /// bytes are never open to the wrong users; space is reserved first, so that a full disk leaves
    /// the old bytes.
    pub fn overwrite(
        &self,
        name: &str,
        standing: &StandingFile,
        body: &SecretBytes,
        access: &FileAccess,
    ) -> Result<(), SinkError> {
        let failed = |step| move |errno| self.failed(step, name, errno);
        let flags =
            OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = match openat(self, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            // The default mode does not let even the owner write.
            Err(Errno::ACCESS) if standing.fd.is_some() => {
                if let Some(reading) = &standing.fd {
                    fchmod(reading, Mode::RUSR | Mode::WUSR)
                        .map_err(failed("change the mode of"))?;
                }
                openat(self, name, flags, Mode::empty()).map_err(failed("open"))?
            }
            Err(errno) => return Err(self.failed("open", name, errno)),
        };
        let there = fstat(&fd).map_err(failed("look at"))?;
        let seen = &standing.stat;
        if (there.st_dev, there.st_ino) != (seen.st_dev, seen.st_ino) {
            return Err(SinkError::Replaced(self.path_of(name)));
        }
        if access.require_tmpfs && !lives_in_memory(&fd, &self.path_of(name))? {
            return Err(SinkError::NotInMemory(self.path_of(name)));
        }
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if size > 0 {
            // Not every file system can reserve space, so other errors mean nothing.
            let room = fallocate(&fd, FallocateFlags::KEEP_SIZE, 0, size);
            if let Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) = room {
                return Err(self.failed("write", name, errno));
            }
        }
        self.expose(&fd, name, access.mode, access)?;
        write_all(&fd, body.expose()).map_err(failed("write"))?;
        ftruncate(&fd, size).map_err(failed("write"))?;
        fsync(&fd).map_err(failed("flush"))
    }
}
