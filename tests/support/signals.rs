//! What a process does with the signals that ask for its end.

use std::sync::Once;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// SIGHUP, SIGINT, SIGQUIT and SIGTERM: a shell starts what runs behind `nohup` or `&` with some of
/// them ignored.
const ENDS: [i32; 4] = [1, 2, 3, 15];

/// Lets what this process starts have the default signals, however it was started itself. A handler
/// does that: the kernel makes a default of it when a program is started.
pub(crate) fn start_with_default_signals() {
    static ONCE: Once = Once::new();
    // A thread of its own: the caller may be in a runtime already.
    ONCE.call_once(|| std::thread::spawn(take_ignored).join().expect("handlers"));
}

fn take_ignored() {
    let ignored = mask("self", "SigIgn:").expect("the kernel tells our own signals");
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let _guard = runtime.enter();
    for number in ENDS.into_iter().filter(|number| holds(ignored, *number)) {
        drop(signal(SignalKind::from_raw(number)).expect("a handler"));
    }
}

/// Whether a process hears SIGTERM and SIGINT: before that the kernel ends it.
pub(crate) fn hears_signals(pid: u32) -> bool {
    let caught = mask(&pid.to_string(), "SigCgt:");
    caught.is_some_and(|caught| holds(caught, 2) && holds(caught, 15))
}

fn mask(process: &str, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

fn holds(mask: u64, signal: i32) -> bool {
    mask & (1 << (signal - 1)) != 0
}
