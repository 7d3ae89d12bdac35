//! Small secret files (tokens, role ids, keys): opened without waiting, checked on the open
//! descriptor, read up to a cap.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::wiped::WipedBytes;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use tokio::time::Instant;

use super::{NoAnswer, call_at};
use crate::base::failure::{Class, Fault};
use crate::base::lock::locked;
use crate::base::material::SecretBytes;

/// Largest token, key or identity file.
const LIMIT: u64 = 1 << 20;
/// Largest encrypted document: 16 MiB of plaintext, in base64, with its frame.
pub(super) const DOCUMENT_LIMIT: u64 = 24 << 20;

/// Why a small file was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// Nothing is there.
    #[error("{what} {path} does not exist")]
    Absent {
        /// What the file is for.
        what: String,
        /// Where.
        path: PathBuf,
    },
    /// A folder, a pipe or a device: a read could wait for ever.
    #[error("{what} {path} is {kind}, not a regular file")]
    NotRegular {
        /// What the file is for.
        what: String,
        /// Where.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// Users other than the owner may read it, and that is refused.
    #[error("{what} {path} is readable by others than its owner")]
    Open {
        /// What the file is for.
        what: String,
        /// Where.
        path: PathBuf,
    },
    /// The file is larger than its limit.
    #[error("{what} {path} is larger than {} MiB", limit >> 20)]
    TooLarge {
        /// The most it may hold.
        limit: u64,
        /// What the file is for.
        what: String,
        /// Where.
        path: PathBuf,
    },
    /// The file system does not answer.
    #[error("{} cannot be read: it does not answer", path.display())]
    NoAnswer {
        /// Where.
        path: PathBuf,
    },
    /// The system refused or failed.
    #[error("{what} {path} cannot be read: {}", io::Error::from(*errno))]
    Failed {
        /// What the file is for.
        what: String,
        /// Where.
        path: PathBuf,
        /// The error of the system.
        errno: Errno,
    },
}

impl From<NoAnswer> for DiskError {
    fn from(NoAnswer(path): NoAnswer) -> Self {
        Self::NoAnswer { path }
    }
}

impl Fault for DiskError {
    fn class(&self) -> Class {
        match self {
            Self::Absent { .. } => Class::Missing,
            Self::NotRegular { .. } | Self::TooLarge { .. } => Class::Configuration,
            Self::Open { .. } => Class::Refused,
            Self::NoAnswer { .. } => Class::Unavailable,
            Self::Failed { errno, .. } => match *errno {
                Errno::ACCESS | Errno::PERM | Errno::LOOP | Errno::NAMETOOLONG => {
                    Class::Configuration
                }
                _ => Class::Unavailable,
            },
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Absent { .. } => {
                "check the path: it starts at the configuration's folder; in a pod, check the \
                 volume"
            }
            Self::NotRegular { .. } | Self::TooLarge { .. } => "name the file itself",
            Self::Open { path, .. } => return Some(close_it(path)),
            Self::NoAnswer { .. } => "look after the volume there",
            Self::Failed { .. } => "check owner and mode of the file and of the folders above it",
        };
        Some(hint.to_owned())
    }

    fn absent(&self) -> bool {
        match self {
            Self::Absent { .. } => true,
            Self::NotRegular { .. }
            | Self::Open { .. }
            | Self::TooLarge { .. }
            | Self::NoAnswer { .. }
            | Self::Failed { .. } => false,
        }
    }

    fn names_source(&self) -> bool {
        true
    }
}

/// Reads a file of at most 1 MiB; `what` names it in messages (`token file`). Links are followed:
/// projected volumes consist of them. Warns, or refuses, when more than the owner may read it.
pub fn read_small(path: &Path, what: &str) -> Result<SecretBytes, DiskError> {
    let (bytes, mode) = read(path, what, LIMIT)?;
    check_mode(path, what, mode, Mode::RGRP | Mode::ROTH)?;
    Ok(bytes)
}

/// Like [`read_small`], for credentials of a login. The group may read the file: `fsGroup` gives a
/// pod its token in no other way.
pub fn read_credential(path: &Path, what: &str) -> Result<SecretBytes, DiskError> {
    let (bytes, mode) = read(path, what, LIMIT)?;
    check_mode(path, what, mode, Mode::ROTH)?;
    Ok(bytes)
}

/// Reads with one of these functions, on a separate thread.
pub async fn read_by(
    read: fn(&Path, &str) -> Result<SecretBytes, DiskError>,
    path: &Path,
    what: &'static str,
    end: Instant,
) -> Result<SecretBytes, DiskError> {
    let file = path.to_owned();
    call_at(path, end, move |_| read(&file, what)).await?
}

/// Files that caused a warning: a file that is read again and again causes only one.
static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Whether key and token files that others may read are refused.
static STRICT: AtomicBool = AtomicBool::new(false);

/// From now on, key and token files that others may read are refused: in the whole process, and
/// never undone.
pub fn be_strict() {
    STRICT.store(true, Ordering::Relaxed);
}

fn check_mode(path: &Path, what: &str, mode: Mode, open: Mode) -> Result<(), DiskError> {
    if !mode.intersects(open) {
        return Ok(());
    }
    if STRICT.load(Ordering::Relaxed) {
        return Err(DiskError::Open {
            what: what.to_owned(),
            path: path.to_owned(),
        });
    }
    let mut warned = locked(&WARNED);
    if warned.insert(path.to_owned()) {
        tracing::warn!(
            "{what} {} is readable by others than its owner: {}",
            path.display(),
            close_it(path)
        );
    }
    Ok(())
}

fn close_it(path: &Path) -> String {
    let path = path.display();
    format!("`chmod 600 {path}`; in a pod, `fsGroup` and `defaultMode: 0440`")
}

/// Like [`read_small`], for a file that is no secret: who may read it does not matter.
pub fn read_public(path: &Path, what: &str) -> Result<SecretBytes, DiskError> {
    read(path, what, LIMIT).map(|(bytes, _)| bytes)
}

/// Reads an encrypted document of at most 24 MiB; who may read it does not matter.
pub fn read_document(path: &Path, what: &str) -> Result<SecretBytes, DiskError> {
    read(path, what, DOCUMENT_LIMIT).map(|(bytes, _)| bytes)
}

fn read(path: &Path, what: &str, limit: u64) -> Result<(SecretBytes, Mode), DiskError> {
    // O_NONBLOCK: opening a pipe without a writer would wait; O_NOCTTY: a terminal would become
    // ours.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let failed = |errno: Errno| match errno {
        Errno::NOENT | Errno::NOTDIR => DiskError::Absent {
            what: what.to_owned(),
            path: path.to_owned(),
        },
        errno => DiskError::Failed {
            what: what.to_owned(),
            path: path.to_owned(),
            errno,
        },
    };
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
    let stat = rustix::fs::fstat(&file).map_err(failed)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != FileType::RegularFile {
        return Err(DiskError::NotRegular {
            what: what.to_owned(),
            path: path.to_owned(),
            kind: kind_word(kind),
        });
    }
    let too_large = || DiskError::TooLarge {
        limit,
        what: what.to_owned(),
        path: path.to_owned(),
    };
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if size > limit {
        return Err(too_large());
    }
    let bytes = read_all(&file, size, limit).map_err(failed)?;
    Ok((
        bytes.ok_or_else(too_large)?,
        Mode::from_raw_mode(stat.st_mode),
    ))
}

/// All bytes; `None` when the file grew beyond the limit while it was read.
fn read_all(file: &OwnedFd, size: u64, limit: u64) -> Result<Option<SecretBytes>, Errno> {
    // One byte more than expected, so that the end is seen without a larger buffer.
    let expected = usize::try_from(size).unwrap_or(0);
    let mut bytes = WipedBytes::from(vec![0; expected + 1]);
    let mut filled = 0;
    loop {
        match rustix::io::read(file, &mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        }
        if filled == bytes.len() {
            if filled as u64 > limit {
                return Ok(None);
            }
            bytes.add_zeros(filled);
        }
    }
    bytes.truncate(filled);
    Ok((filled as u64 <= limit).then(|| SecretBytes::from(bytes)))
}

fn kind_word(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const CANARY: &str = "canary-f3a9";

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    fn file(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("mode");
        path
    }

    #[test]
    fn a_file_is_read_whole_and_through_links() {
        let folder = folder();
        let long = CANARY.repeat(9000);
        for text in ["", "\n", CANARY, &long] {
            let path = file(&folder, &format!("f{}", text.len()), text.as_bytes());
            let link = folder.path().join(format!("l{}", text.len()));
            std::os::unix::fs::symlink(&path, &link).expect("link");
            for path in [path, link] {
                let bytes = read_small(&path, "token file").expect("read");
                assert_eq!(bytes.expose(), text.as_bytes());
            }
        }
    }

    #[test]
    fn row_08_what_is_no_small_regular_file_is_refused() {
        let folder = folder();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .expect("fifo");
        let large = file(&folder, "large", &vec![b'x'; (LIMIT + 1) as usize]);
        let limit = file(&folder, "limit", &vec![b'x'; LIMIT as usize]);
        assert_eq!(
            read_small(&limit, "key file").expect("at the cap").len() as u64,
            LIMIT
        );
        let rows: [(&Path, Class, bool, &str); 5] = [
            (folder.path(), Class::Configuration, false, "is a folder"),
            (&fifo, Class::Configuration, false, "is a pipe"),
            (
                Path::new("/dev/zero"),
                Class::Configuration,
                false,
                "is a device",
            ),
            (&large, Class::Configuration, false, "larger than 1 MiB"),
            (
                Path::new("/nowhere/token"),
                Class::Missing,
                true,
                "does not exist",
            ),
        ];
        for (path, class, absent, text) in rows {
            let error = read_small(path, "token file").expect_err("must be refused");
            assert_eq!((error.class(), error.absent()), (class, absent), "{error}");
            let shown = error.to_string();
            assert!(
                shown.starts_with("token file /") && shown.contains(text),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_read_whole_or_refused() {
        let folder = folder();
        for (len, fits) in [(70_000, true), (LIMIT as usize + 1, false)] {
            let path = file(&folder, &format!("g{len}"), &vec![b'x'; len]);
            let open = rustix::fs::open(&path, OFlags::RDONLY, Mode::empty()).expect("open");
            let bytes = read_all(&open, 3, LIMIT).expect("read");
            assert_eq!(bytes.is_some_and(|bytes| bytes.len() == len), fits);
        }
    }
}
