//! Processes of this machine or pod: those that get a signal, and the one that keyferry ends with.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Location;
use super::check::Checker;
use super::located::{At, Shown};

/// A process of this machine or pod: exactly one of the two. keyferry waits for it to start.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawEndWith {
    /// Name of the program; the last process of that name. In a pod it needs
    /// `shareProcessNamespace`.
    pub process: Option<At<Shown>>,
    /// File with the process id.
    pub pid_file: Option<At<Shown>>,
}

/// Processes, by name or by a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// All processes of a program's name.
    Named(String),
    /// The process whose id is in a file.
    PidFile(PathBuf),
}

impl Checker<'_> {
    pub(super) fn end_with(&mut self, written: At<RawEndWith>) -> Option<Process> {
        let at = self.location(&written);
        let RawEndWith { process, pid_file } = written.value;
        self.process(&at, "`endWith`", process, pid_file)
    }

    pub(super) fn process(
        &mut self,
        at: &Location,
        what: &str,
        name: Option<At<Shown>>,
        pid_file: Option<At<Shown>>,
    ) -> Option<Process> {
        let name = name.map(|name| Some(Process::Named(self.name(&name, "the program's name"))));
        let file = pid_file.map(|file| Some(Process::PidFile(self.path(&file))));
        self.only(at, what, [("process", name), ("pidFile", file)])
    }
}
