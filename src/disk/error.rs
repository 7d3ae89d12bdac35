//! Why a target file or folder cannot be looked at or written.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use super::NoAnswer;
use crate::base::failure::{Class, Fault};

/// What went wrong at a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The folder is not there, and creating it was not asked for.
    #[error("folder {0} does not exist")]
    NoFolder(PathBuf),
    /// Something that is not ours stands there or on the way.
    #[error("{path} is not ours to change: {what}")]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The target must be in memory, and this folder is on a disk.
    #[error("{0} is not on a memory file system")]
    NotInMemory(PathBuf),
    /// The file is a mount point, or lies on another file system than its folder.
    #[error("{0} cannot be replaced: it is mounted by itself")]
    Mounted(PathBuf),
    /// A name from data that could leave the folder.
    #[error("unsafe target path {0:?}")]
    UnsafeName(String),
    /// A path of the configuration that names no file, or leaves the root folder.
    #[error("unsafe target path {path:?}: {why}")]
    UnsafePath {
        /// As it is configured.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file is too large to be edited.
    #[error("{0} is larger than 16 MiB")]
    TooLarge(PathBuf),
    /// A change of one line of its text could change other lines.
    #[error("{path} cannot be edited: {what}")]
    Unfit {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Somebody else who may write there made a change at the same moment.
    #[error("{0} was replaced by somebody else while it was written")]
    Replaced(PathBuf),
    /// Another run holds the folder.
    #[error("folder {0} is being written by another run")]
    Busy(PathBuf),
    /// The file system does not answer.
    #[error("{0} does not answer")]
    NoAnswer(PathBuf),
    /// The system refused or failed.
    #[error("cannot {step} {path}: {}", io::Error::from(*errno))]
    System {
        /// The step that failed.
        step: &'static str,
        /// Where.
        path: PathBuf,
        /// The error of the system.
        errno: Errno,
    },
}

impl From<NoAnswer> for SinkError {
    fn from(NoAnswer(place): NoAnswer) -> Self {
        Self::NoAnswer(place)
    }
}

impl Fault for SinkError {
    fn class(&self) -> Class {
        match self {
            Self::Foreign { .. }
            | Self::NotInMemory(_)
            | Self::UnsafeName(_)
            | Self::UnsafePath { .. }
            | Self::TooLarge(_)
            | Self::Unfit { .. }
            | Self::Replaced(_) => Class::Refused,
            Self::Mounted(_) => Class::Configuration,
            Self::System { errno, .. } if *errno == Errno::NAMETOOLONG => Class::Configuration,
            Self::NoFolder(_) | Self::Busy(_) | Self::NoAnswer(_) | Self::System { .. } => {
                Class::Sink
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoFolder(_) => "create it, or say `createDirs: true` on this target",
            Self::Foreign { .. } => "move it away, or give this target another place",
            Self::NotInMemory(_) => {
                "mount a memory volume there (emptyDir with medium: Memory), or leave \
                 `requireTmpfs` out"
            }
            Self::Mounted(_) => {
                "mount the folder instead of the file, or say `inPlace: true` and accept that \
                 readers may see half of it"
            }
            Self::UnsafeName(_) => {
                "rename the field; a file name has at most 255 bytes, no `/` and does not begin \
                 with `..`"
            }
            Self::UnsafePath { .. } => {
                "name a file beneath --root, spelt as the root is spelt, or run without --root"
            }
            Self::TooLarge(_) => "edit a smaller file",
            Self::Unfit { .. } => "mend the file by hand first",
            Self::Replaced(_) => {
                "let nobody else write to that folder, or give this target another place"
            }
            Self::Busy(_) => "wait for the other run, or look which process holds it",
            Self::NoAnswer(_) => "look after the volume there; what was there before is untouched",
            Self::System { errno, .. } => match *errno {
                Errno::NOSPC | Errno::DQUOT => "make room; what was there before is untouched",
                Errno::ROFS => "mount it writable",
                Errno::NAMETOOLONG => "a file name has at most 255 bytes, a path 4095",
                Errno::ACCESS | Errno::PERM => {
                    "check the folder's owner and mode, and the user this runs as"
                }
                _ => "check the volume; what was there before is untouched",
            },
        };
        Some(hint.to_owned())
    }
}
