//! Configuration and template files: text of a bounded size, read in a bounded time.
//!
//! A pipe is read too, because a shell gives one for `--config <(…)`, but it must end in time. Any
//! other file that is not regular is refused: a device would keep a run for ever, as would a pipe
//! that nobody writes.

use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::{Errno, read};

/// Largest configuration or template.
const LIMIT: usize = 4 << 20;
/// How long the writer of a pipe may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a text of at most 4 MiB.
pub fn read_text(path: &Path) -> Result<String> {
    read_within(path, PATIENCE)
}

fn read_within(path: &Path, time_limit: Duration) -> Result<String> {
    // O_NONBLOCK: opening a pipe without a writer would wait; O_NOCTTY: a terminal would become
    // ours.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open(path, flags, Mode::empty())?;
    let bytes = match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => regular(&file)?,
        FileType::Fifo => pipe(&file, Instant::now() + time_limit, time_limit)?,
        FileType::Directory => return Err(Error::other("it is a folder, not a file")),
        FileType::Symlink
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => return Err(Error::other("it is no regular file")),
    };
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is no UTF-8 text"))
}

fn regular(file: &OwnedFd) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while step(file, &mut bytes)? > 0 {}
    Ok(bytes)
}

fn pipe(file: &OwnedFd, end: Instant, time_limit: Duration) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut ready = [PollFd::new(file, PollFlags::IN)];
        match poll(&mut ready, Some(&left)) {
            Ok(0) => return Err(endless(time_limit)),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        // Reads until the pipe is empty, not only once: a writer that ended before we opened the
        // pipe shows only as the end behind its text.
        loop {
            match step(file, &mut bytes) {
                Ok(0) => return Ok(bytes),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            if Instant::now() > end {
                return Err(endless(time_limit));
            }
        }
    }
}

fn endless(time_limit: Duration) -> Error {
    let seconds = time_limit.as_secs();
    Error::other(format!("it is a pipe that did not end within {seconds} s"))
}

/// Reads one more piece; returns its length.
fn step(file: &OwnedFd, bytes: &mut Vec<u8>) -> Result<usize> {
    let mut piece = [0; 1 << 14];
    loop {
        match read(file, &mut piece) {
            Ok(count) => {
                bytes.extend_from_slice(&piece[..count]);
                if bytes.len() > LIMIT {
                    return Err(Error::other("it is larger than 4 MiB"));
                }
                return Ok(count);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fifo(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("fifo");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, mode, 0).expect("a pipe");
        path
    }

    #[test]
    fn text_is_read_up_to_its_cap() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("text");
        for (size, fits) in [(0, true), (70_000, true), (LIMIT, true), (LIMIT + 1, false)] {
            std::fs::write(&path, vec![b'x'; size]).expect("written");
            let read = read_text(&path);
            assert_eq!(read.is_ok_and(|text| text.len() == size), fits, "{size}");
        }
        std::fs::write(&path, [0xff]).expect("written");
        for (path, words) in [
            (path.as_path(), "no UTF-8"),
            (folder.path(), "a folder"),
            (Path::new("/dev/zero"), "no regular file"),
            (Path::new("/nowhere/at/all"), "No such file"),
        ] {
            let error = read_text(path).expect_err("refused").to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_pipe_is_read_to_its_end_or_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = fifo(folder.path());
        let time_limit = Duration::from_millis(200);
        let error = read_within(&path, time_limit).expect_err("nobody writes");
        assert!(error.to_string().contains("did not end"), "{error}");
        for (size, fits) in [(5, true), (LIMIT, true), (LIMIT + 1, false)] {
            let writer = path.clone();
            let write = std::thread::spawn(move || std::fs::write(writer, vec![b'x'; size]));
            let read = read_within(&path, PATIENCE);
            assert_eq!(read.is_ok_and(|text| text.len() == size), fits, "{size}");
            drop(write.join());
        }
    }
}
