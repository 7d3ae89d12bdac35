//! `install`: copies this program into a folder where another container finds it.

use std::path::PathBuf;

use clap::Args;

use keyferry::mode::{Ended, install};

/// Copy this program into a folder, as DIR/keyferry
///
/// For an init container with a volume that it shares with a container of any image: that one
/// then starts with `DIR/keyferry exec -- CMD` and has its environment, without a shell and
/// without a change of its image. A copy that is there is replaced in one step. Mode 0755.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// The folder: a volume that the containers share
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Install {
    pub(super) fn run(self) -> Ended {
        install::run(&self.folder)
    }
}
