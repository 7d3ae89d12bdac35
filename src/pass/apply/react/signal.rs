//! Sends a signal to a process through a handle.

use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};

use super::process::{living, refused};
use crate::base::failure::Failure;
use crate::config::{Process, SignalName};

/// Sends a signal. If no process runs, nobody needs it: a process that starts later reads the new
/// files.
pub(super) async fn send(to: &Process, signal: SignalName) -> Result<(), Failure> {
    let mut hit = 0;
    for process in living(to).await? {
        match pidfd_send_signal(&process.file, number(signal)) {
            Ok(()) => hit += 1,
            Err(Errno::SRCH) => {}
            Err(errno) => return Err(refused(process.pid, errno)),
        }
    }
    if hit == 0 {
        tracing::warn!(
            "no process to signal: none runs yet, or this pod lacks shareProcessNamespace"
        );
    }
    Ok(())
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
