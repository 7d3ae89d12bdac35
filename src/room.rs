//! How much secret data we may hold. A memory limit ends a process without a word, and its pod again and again: what does not
//! fit is refused before.

use std::path::Path;
use std::sync::OnceLock;

use rustix::process::{Resource, getrlimit};

use crate::report::{Class, Fault};
use crate::tally;

/// What the program needs beside the secrets that it holds, most of it for what is being read, parsed and written.
const OWN: u64 = 16 << 20;

/// More is held than the memory limit leaves room for.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "no room for more secrets: {:.1} MiB are held, and the memory limit is {:.1} MiB",
    mebibytes(*held),
    mebibytes(*limit)
)]
pub struct Full {
    held: u64,
    limit: u64,
}

impl Fault for Full {
    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        let most = mebibytes(room(self.limit));
        Some(format!(
            "{most:.1} MiB can be held, and what is delivered is held twice: raise the limit, or deliver less at once"
        ))
    }
}

/// Whether what is held fits; asked whenever more has come.
pub fn check() -> Result<(), Full> {
    static LIMIT: OnceLock<Option<u64>> = OnceLock::new();
    let held = tally::HELD.now() as u64;
    match *LIMIT.get_or_init(limit) {
        Some(limit) if held > room(limit) => Err(Full { held, limit }),
        Some(_) | None => Ok(()),
    }
}

/// Half of a small limit, and all but what we need ourselves of a large one.
fn room(limit: u64) -> u64 {
    (limit / 2).max(limit.saturating_sub(OWN))
}

fn mebibytes(bytes: u64) -> f64 {
    // Tenths are enough, and 2^53 bytes are not had.
    (bytes / 1024) as f64 / 1024.0
}

/// The least of what the kernel grants this process and its control group.
fn limit() -> Option<u64> {
    let own = [Resource::Data, Resource::As].map(|resource| getrlimit(resource).current);
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    own.into_iter()
        .flatten()
        .chain(limits_of(&groups, &read))
        .min()
}

/// The limits of a control group and of those above it, as both versions of the kernel's interface show them. In a container
/// the group is often the root of what can be seen, whatever its path is outside.
fn limits_of(groups: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<u64> {
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            v1 if v1.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        for group in Path::new(group).ancestors() {
            let group = group.strip_prefix("/").unwrap_or(group);
            let said = read(&Path::new(root).join(group).join(file));
            limits.extend(said.and_then(|text| text.trim().parse::<u64>().ok()));
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_64_the_least_limit_of_a_group_and_those_above_counts() {
        let files = |files: &'static [(&str, &str)]| {
            move |path: &Path| {
                let found = files.iter().find(|(name, _)| Path::new(name) == path)?;
                Some(found.1.to_owned())
            }
        };
        let v2 = files(&[
            ("/sys/fs/cgroup/memory.max", "max\n"),
            ("/sys/fs/cgroup/pod/memory.max", "33554432\n"),
            ("/sys/fs/cgroup/pod/app/memory.max", "67108864\n"),
        ]);
        let v1 = files(&[
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n"),
            (
                "/sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ]);
        let none = files(&[]);
        type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;
        let rows: [(&str, Read<'_>, Option<u64>); 5] = [
            ("0::/pod/app\n", &v2, Some(32 << 20)),
            ("0::/\n", &v2, None),
            ("12:cpu,cpuacct:/x\n5:memory:/x\n", &v1, Some(1 << 20)),
            (
                "5:memory:/kubepods/not-seen-here\n0::/\n",
                &v1,
                Some(1 << 20),
            ),
            ("nonsense\n", &none, None),
        ];
        for (groups, read, want) in rows {
            assert_eq!(limits_of(groups, read).into_iter().min(), want, "{groups}");
        }
    }

    #[test]
    fn row_64_small_limits_leave_half_and_large_ones_all_but_our_own() {
        for (limit, most) in [(16, 8), (32, 16), (64, 48), (512, 496)] {
            assert_eq!(room(limit << 20), most << 20);
        }
    }
}
