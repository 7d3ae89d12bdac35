//! Processes of this machine or pod, held by kernel handles: a signal never reaches a process that
//! got the id of an earlier one.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep};

use crate::base::failure::{Class, Failure, Fault};
use crate::config::Process;
use crate::disk::{DiskError, call_at, read_public};

/// Time between two looks for a process that was not seen yet: one with a shorter life may be
/// missed.
const LOOK: Duration = Duration::from_millis(100);

/// How long one look may take.
const PROMPT: Duration = Duration::from_secs(2);

const PROCESSES: &str = "/proc";

/// After this time without a process a message is logged.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that was alive when it was opened.
pub(super) struct Handle {
    pub(super) pid: Pid,
    pub(super) file: OwnedFd,
}

/// All matching processes that are alive.
pub(super) async fn living(whom: &Process) -> Result<Vec<Handle>, Failure> {
    let place = match whom {
        Process::Named(_) => Path::new(PROCESSES),
        Process::PidFile(file) => file,
    };
    let whom = whom.clone();
    let looked = call_at(place, Instant::now() + PROMPT, move |_| match &whom {
        Process::Named(name) => named(name),
        Process::PidFile(file) => Ok(of_file(file)?.into_iter().collect()),
    });
    looked.await.map_err(DiskError::from)?
}

/// Waits until the process was seen, and then until it is gone. `seen` is a process that was seen
/// before.
pub async fn departed(whom: &Process, seen: &mut Option<Process>) {
    let mut told = false;
    let mut end = Some(Instant::now() + PATIENCE);
    loop {
        match living(whom).await.map(|found| found.into_iter().next()) {
            Ok(Some(process)) => {
                if seen.as_ref() != Some(whom) {
                    tracing::info!(pid = process.pid.as_raw_nonzero(), "ends with this process");
                    *seen = Some(whom.clone());
                }
                end = None;
                ended(process.file).await;
            }
            Ok(None) if seen.as_ref() == Some(whom) => return,
            Ok(None) => sleep(LOOK).await,
            // It is not known whether the process is gone.
            Err(failure) => {
                if !told {
                    tracing::warn!(reason = %failure.what, "cannot look for the process to end \
                        with");
                }
                told = true;
                sleep(LOOK).await;
            }
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            tracing::warn!(
                "no process to end with: none runs yet, it was too short, or this pod lacks \
                 shareProcessNamespace"
            );
            end = None;
        }
    }
}

/// Waits for the end of one process.
#[expect(
    deprecated,
    reason = "its successor is `unsafe` for those who hand over what is no handle; ours owns one"
)]
async fn ended(file: OwnedFd) {
    // If the kernel does not offer the notice, repeated looks are enough.
    match AsyncFd::with_interest(file, Interest::READABLE) {
        Ok(handle) => drop(handle.readable().await),
        Err(_) => sleep(LOOK).await,
    }
}

fn of_file(file: &Path) -> Result<Option<Handle>, Failure> {
    let text = match read_public(file, "pid file") {
        Ok(text) => text,
        Err(error) if error.absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let pid = text
        .expose_str()
        .and_then(|text| text.trim().parse().ok())
        .filter(|pid| *pid > 1)
        .and_then(Pid::from_raw)
        .ok_or_else(|| {
            Failure::new(
                Class::Refused,
                format!("{} holds no process id above 1", file.display()),
            )
            .hint("name the program with `process` instead")
        })?;
    open(pid, |_| true)
}

fn named(name: &str) -> Result<Vec<Handle>, Failure> {
    let entries = fs::read_dir(PROCESSES).map_err(|error| {
        Failure::new(Class::Sink, format!("cannot look for processes: {error}")).hint("mount /proc")
    })?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let pid = entry.file_name().to_str().and_then(|pid| pid.parse().ok());
        let Some(pid) = pid.and_then(Pid::from_raw).filter(|pid| *pid != getpid()) else {
            continue;
        };
        if is_called(pid, name) {
            found.extend(open(pid, |pid| is_called(pid, name))?);
        }
    }
    Ok(found)
}

/// Matches the file of the program, which a process cannot change, or its name, which a script's
/// interpreter does not have.
fn is_called(pid: Pid, name: &str) -> bool {
    let pid = pid.as_raw_nonzero();
    let read = |file: &str| fs::read(format!("{PROCESSES}/{pid}/{file}")).unwrap_or_default();
    let first = read("cmdline");
    let first = first.split(|byte| *byte == 0).next().unwrap_or_default();
    let program = first
        .rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or_default();
    program == name.as_bytes() || read("comm").trim_ascii_end() == name.as_bytes()
}

/// Opens the handle first, and then looks again through it: so it is the right process. A dead
/// process that its parent has not waited for counts as dead.
fn open(pid: Pid, still: impl Fn(Pid) -> bool) -> Result<Option<Handle>, Failure> {
    let file = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(file) => file,
        Err(Errno::SRCH) => return Ok(None),
        Err(errno) => return Err(refused(pid, errno)),
    };
    let mut ended = [PollFd::new(&file, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let dead = poll(&mut ended, Some(&now)).is_ok_and(|ready| ready > 0);
    Ok((!dead && still(pid)).then_some(Handle { pid, file }))
}

pub(super) fn refused(pid: Pid, errno: Errno) -> Failure {
    Failure::new(
        Class::Refused,
        format!("cannot signal process {}: {errno}", pid.as_raw_nonzero()),
    )
    .hint("run as the same user as the process")
}
