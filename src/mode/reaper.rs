//! Removes dead orphans: the first process of a container becomes the parent of all orphans.
//!
//! The part of this program that started a process, or a library, waits for its end and needs its
//! exit code. So a process is removed only after several looks have found it dead: this leaves time
//! to read the exit code first.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, getpid, waitpid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

const LOOK: Duration = Duration::from_secs(2);

/// After this many looks that find a process dead, it is removed.
const LOOKS: u32 = 3;

/// How often dead processes are looked for when no signal reported one.
const SELDOM: Duration = Duration::from_secs(60);

/// Removes dead orphans for ever, if we are the first process.
pub(super) async fn bury() {
    let first = getpid() == Pid::INIT;
    let Some(mut children) = first.then(|| signal(SignalKind::child()).ok()).flatten() else {
        return std::future::pending().await;
    };
    let mut seen = BTreeMap::new();
    loop {
        match seen.is_empty() {
            true => drop(timeout(SELDOM, children.recv()).await),
            false => sleep(LOOK).await,
        }
        seen = looked(&seen, &dead());
        for (pid, looks) in &seen {
            if *looks >= LOOKS
                && let Some(pid) = Pid::from_raw(*pid)
            {
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        seen.retain(|_, looks| *looks < LOOKS);
    }
}

/// For each dead process, how many looks in a row have found it.
fn looked(before: &BTreeMap<i32, u32>, dead: &[i32]) -> BTreeMap<i32, u32> {
    let counted = |pid: &i32| (*pid, before.get(pid).copied().unwrap_or_default() + 1);
    dead.iter().map(counted).collect()
}

/// Our dead children.
fn dead() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        is_dead_child(&stat)
    })
    .collect()
}

/// Whether a line of `/proc/PID/stat` belongs to a dead child of process 1. The name in it may
/// contain anything, also brackets.
fn is_dead_child(stat: &str) -> bool {
    let Some((_, rest)) = stat.rsplit_once(')') else {
        return false;
    };
    let mut words = rest.split_whitespace();
    (words.next(), words.next()) == (Some("Z"), Some("1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_134_only_who_stays_dead_is_counted() {
        let first = looked(&BTreeMap::new(), &[7, 8]);
        let second = looked(&first, &[8, 9]);
        assert_eq!(second, [(8, 2), (9, 1)].into());
        assert_eq!(looked(&second, &[]), BTreeMap::new());
    }

    #[test]
    fn dead_children_are_known() {
        for (stat, want) in [
            ("7 (sh) Z 1 7 7 0 -1 4", true),
            ("7 (a) Z 1) S 1 7 7 0", false),
            ("7 (a) b) Z 1 7 7 0", true),
            ("7 (sh) S 1 7 7 0", false),
            ("7 (sh) Z 4 7 7 0", false),
            ("", false),
        ] {
            assert_eq!(is_dead_child(stat), want, "{stat}");
        }
    }
}
