//! A control group of the test's own, with a memory limit as a container has it.

use std::fs;
use std::path::{Path, PathBuf};

use super::process;

/// A group, until it is dropped.
pub(crate) struct Group {
    folder: PathBuf,
    /// Where the kernel counts those that it ended for memory.
    events: PathBuf,
}

impl Group {
    /// A group with so many MiB; nothing where this machine lets us make none.
    pub(crate) fn of(mebibytes: usize) -> Option<Self> {
        let name = process::name("keyferry-memory");
        let kinds = [
            (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.oom_control",
            ),
            ("/sys/fs/cgroup", "memory.max", "memory.events"),
        ];
        kinds.into_iter().find_map(|(root, limit, events)| {
            let folder = Path::new(root).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Self {
                events: folder.join(events),
                folder,
            };
            let bytes = (mebibytes << 20).to_string();
            fs::write(group.folder.join(limit), bytes).ok()?;
            Some(group)
        })
    }

    /// Where a process writes its id to join.
    pub(crate) fn door(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// How many the kernel ended.
    pub(crate) fn killed(&self) -> u64 {
        let events = fs::read_to_string(&self.events).expect("the kernel tells it");
        let line = events
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.parse().ok()).expect("a number")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group whose processes are still ending stays: it is empty soon, and no later one has
        // its name.
        let limit = std::time::Duration::from_secs(5);
        let _ = process::poll(limit, || fs::remove_dir(&self.folder).ok());
    }
}
