//! A signal to a process, sent through a handle: a process id that was given to another process meanwhile is never hit.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use crate::config::stay::{Process, SignalName};
use crate::disk::read_public;
use crate::report::{Class, Failure, Fault};

/// Sends a signal. Where nobody runs there is nobody to tell: who starts later reads what is there now.
pub(super) fn send(to: &Process, signal: SignalName) -> Result<(), Failure> {
    let hit = match to {
        Process::Named(name) => named(name, signal)?,
        Process::PidFile(file) => of_file(file, signal)?,
    };
    if hit == 0 {
        tracing::warn!(
            "no process to signal: none runs yet, or this pod lacks shareProcessNamespace"
        );
    }
    Ok(())
}

fn of_file(file: &Path, signal: SignalName) -> Result<usize, Failure> {
    let text = match read_public(file, "pid file") {
        Ok(text) => text,
        Err(error) if error.absent() => return Ok(0),
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
    hit(pid, signal, |_| true)
}

fn named(name: &str, signal: SignalName) -> Result<usize, Failure> {
    let mut count = 0;
    let entries = fs::read_dir("/proc").map_err(|error| {
        Failure::new(Class::Sink, format!("cannot look for processes: {error}")).hint("mount /proc")
    })?;
    for entry in entries.flatten() {
        let pid = entry.file_name().to_str().and_then(|pid| pid.parse().ok());
        let Some(pid) = pid.and_then(Pid::from_raw).filter(|pid| *pid != getpid()) else {
            continue;
        };
        if is_called(pid, name) {
            count += hit(pid, signal, |pid| is_called(pid, name))?;
        }
    }
    Ok(count)
}

/// By its program's file, which it cannot change, or by its own name, which a script's interpreter does not have.
fn is_called(pid: Pid, name: &str) -> bool {
    let pid = pid.as_raw_nonzero();
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let first = read("cmdline");
    let first = first.split(|byte| *byte == 0).next().unwrap_or_default();
    let program = first
        .rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or_default();
    program == name.as_bytes() || read("comm").trim_ascii_end() == name.as_bytes()
}

/// Opens the handle first and looks again through it: then it is the process that was meant.
fn hit(pid: Pid, signal: SignalName, still: impl Fn(Pid) -> bool) -> Result<usize, Failure> {
    use rustix::io::Errno;
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return Ok(0),
        Err(errno) => return Err(refused(pid, errno)),
    };
    if !still(pid) {
        return Ok(0);
    }
    match pidfd_send_signal(&handle, number(signal)) {
        Ok(()) => Ok(1),
        Err(Errno::SRCH) => Ok(0),
        Err(errno) => Err(refused(pid, errno)),
    }
}

fn refused(pid: Pid, errno: rustix::io::Errno) -> Failure {
    Failure::new(
        Class::Refused,
        format!("cannot signal process {}: {errno}", pid.as_raw_nonzero()),
    )
    .hint("run as the same user as the process")
}

/// A signal's number.
pub fn number(signal: SignalName) -> Signal {
    match signal {
        SignalName::Hup => Signal::HUP,
        SignalName::Int => Signal::INT,
        SignalName::Quit => Signal::QUIT,
        SignalName::Usr1 => Signal::USR1,
        SignalName::Usr2 => Signal::USR2,
        SignalName::Term => Signal::TERM,
        SignalName::Winch => Signal::WINCH,
    }
}
