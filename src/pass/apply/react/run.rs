//! Runs a command: without a shell, in its own process group, which is killed as a whole, and with
//! no secret in its environment.

use std::collections::BTreeSet;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpid};
use tokio::time::{Instant, sleep};

use crate::base::failure::{Class, Failure};
use crate::base::material::SECRET_VARIABLES;
use crate::disk::{DiskError, call_at};
use crate::plan::ReactionNotice;

const GLANCE: Duration = Duration::from_millis(20);

/// Runs the command to its end, or until its time is over.
pub(super) async fn run(
    command: &[String],
    timeout: Duration,
    news: &ReactionNotice,
) -> Result<(), Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new(Class::Configuration, "no command to run"));
    };
    let list = |names: &BTreeSet<String>| {
        names
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("KEYFERRY_DELIVERY", list(&news.deliveries))
        .env("KEYFERRY_TARGETS", list(&news.targets))
        .env("KEYFERRY_KEYS", list(&news.keys))
        .stdin(Stdio::null());
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    command.process_group(0);
    let end = Instant::now() + timeout;
    // The program's file is read before we continue.
    let begun = call_at(Path::new(program), end, move |_| started(command)).await;
    let mut running = begun.map_err(DiskError::from)?.map_err(|error| {
        Failure::new(Class::Sink, format!("cannot run {program}: {error}"))
            .hint("give the path of a program, or one that PATH finds")
    })?;
    let status = loop {
        match running.ended() {
            Some(status) => break status,
            None if Instant::now() >= end => {
                let seconds = timeout.as_secs();
                return Err(Failure::new(
                    Class::Sink,
                    format!("{program} did not end within {seconds} s and was killed"),
                )
                .hint("give it longer with `timeout`"));
            }
            None => sleep(GLANCE).await,
        }
    };
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(
        Class::Sink,
        format!("{program} failed: {status}"),
    ))
}

/// The processes that are killed when a program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillScope {
    /// Only the program.
    Itself,
    /// All processes of its group.
    Group,
}

/// A program that we started and wait for. Dropping this kills the program.
pub struct RunningProgram {
    pid: Pid,
    scope: KillScope,
    status: Option<ExitStatus>,
}

fn started(mut command: Command) -> std::io::Result<RunningProgram> {
    let id = command.spawn()?.id();
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| std::io::Error::other("it has no process id"))?;
    Ok(RunningProgram::from_child(pid, KillScope::Group))
}

impl RunningProgram {
    /// A child of ours.
    pub fn from_child(pid: Pid, scope: KillScope) -> Self {
        Self {
            pid,
            scope,
            status: None,
        }
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.wait(WaitOptions::NOHANG)
    }

    fn wait(&mut self, how: WaitOptions) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = match waitpid(Some(self.pid), how) {
                Ok(ended) => ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw())),
                // The status is lost; an unknown end counts as a failure.
                Err(_) => Some(ExitStatus::from_raw(1 << 8)),
            };
        }
        self.status
    }

    /// Sends a signal, unless the program has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        let ended = self.ended().is_some();
        match self.scope {
            // Its children that still run have no purpose any more; an empty group is not hit.
            KillScope::Group => drop(kill_process_group(self.pid, Signal::KILL)),
            KillScope::Itself if !ended => drop(kill_process(self.pid, Signal::KILL)),
            KillScope::Itself => {}
        }
        if !ended {
            self.wait(WaitOptions::empty());
        }
    }
}
