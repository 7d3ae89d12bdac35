//! `completions`: a script for a shell.

use clap::Args;

use keyferry::mode::Ended;

use crate::cli::print::print;

/// Print a completion script
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self, mut all: clap::Command) -> Ended {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut all, "keyferry", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
