//! Running a command: without a shell, in a process group of its own that is killed as a whole, with no secret in its environment.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use std::os::unix::process::{CommandExt, ExitStatusExt};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, wait};
use tokio::time::{Instant, sleep};

use crate::lock::locked;
use crate::material::SECRET_VARIABLES;
use crate::plan::News;
use crate::report::{Class, Failure};

const GLANCE: Duration = Duration::from_millis(20);

/// Processes that we started and wait for, and their ends where the reaper saw them first.
static OURS: Mutex<BTreeMap<i32, Option<ExitStatus>>> = Mutex::new(BTreeMap::new());

/// Runs it to its end, or until its time is over.
pub(super) async fn run(command: &[String], timeout: Duration, news: &News) -> Result<(), Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new(Class::Usage, "no command to run"));
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
    let mut running = Running::start(command, Scope::Group).map_err(|error| {
        Failure::new(Class::Sink, format!("cannot run {program}: {error}"))
            .hint("give the path of a program, or one that PATH finds")
    })?;
    let end = Instant::now() + timeout;
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

/// What ends with a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// It alone.
    Itself,
    /// All that it started in its group.
    Group,
}

/// A program under way. When this is dropped, it is killed.
pub struct Running {
    child: Child,
    scope: Scope,
}

impl Running {
    /// Starts it, known to [`reap()`].
    pub fn start(mut command: Command, scope: Scope) -> std::io::Result<Self> {
        // Held until the child is known, so that no reaper takes its end away.
        let mut ours = ours();
        let child = command.spawn()?;
        ours.insert(child.id().cast_signed(), None);
        Ok(Self { child, scope })
    }

    /// Its process id.
    pub fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        match self.child.try_wait() {
            Ok(status) => status,
            // The reaper was quicker.
            Err(_) => ours().get(&self.child.id().cast_signed()).copied()?,
        }
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none()
            && let Some(pid) = self.pid()
        {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.ended().is_some();
        match (self.scope, self.pid()) {
            // What it left running has no purpose any more; of a group that is empty nothing is hit.
            (Scope::Group, Some(group)) => drop(kill_process_group(group, Signal::KILL)),
            (Scope::Itself, _) if !ended => drop(self.child.kill()),
            (Scope::Group | Scope::Itself, _) => {}
        }
        if !ended {
            let _ = self.child.wait();
        }
        ours().remove(&self.child.id().cast_signed());
    }
}

fn ours() -> MutexGuard<'static, BTreeMap<i32, Option<ExitStatus>>> {
    locked(&OURS)
}

/// Buries what was left to us as the first process of a container. The ends of our own are kept for who waits for them.
pub fn reap() {
    let mut ours = ours();
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if let Some(end) = ours.get_mut(&pid.as_raw_nonzero().get()) {
            *end = Some(ExitStatus::from_raw(status.as_raw()));
        }
    }
}
