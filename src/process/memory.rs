//! How much secret data we may hold. At its memory limit a process is killed without a message, and
//! its pod again and again, so data that does not fit is refused before.
//!
//! Two things are counted: the secrets that are held, and the content of memory file systems as the
//! kernel reports it. Files that are delivered there stay charged to us, and the kernel cannot free
//! them. Under a small limit fewer deliveries are begun at once.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, getrlimit};

use crate::base::counters;
use crate::base::failure::{Class, Fault};

/// Memory of the program without secrets: the process and its connections.
const OWN: u64 = 5 << 20;

/// The most memory for data that is being read, parsed and written.
const WORK: u64 = 24 << 20;

/// Memory of one delivery in progress, if the limit is small.
const ONE: u64 = 8 << 20;

/// The content of memory file systems is measured again after this many written bytes.
const STEP: u64 = 256 << 10;

/// The memory limit leaves no room for more.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "no room for more secrets: {:.1} MiB are held{}, and the memory limit is {:.1} MiB",
    mebibytes(*held),
    delivered(*kept),
    mebibytes(*limit)
)]
pub struct Full {
    held: u64,
    kept: u64,
    limit: u64,
}

fn delivered(kept: u64) -> String {
    match kept < STEP {
        true => String::new(),
        false => format!(" beside {:.1} MiB of files in memory", mebibytes(kept)),
    }
}

impl Fault for Full {
    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        let most = mebibytes(room(self.limit, self.kept));
        Some(format!(
            "{most:.1} MiB can be held, and what is delivered is held twice: raise the limit, or \
             deliver less at once"
        ))
    }
}

/// Memory that is taken until this is dropped.
#[derive(Debug, Default)]
pub struct TakenMemory(usize);

impl TakenMemory {
    /// Takes more memory; refused if it does not fit.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        counters::HELD.grow(bytes);
        self.0 += bytes;
        check()
    }
}

impl Drop for TakenMemory {
    fn drop(&mut self) {
        counters::HELD.shrink(self.0);
    }
}

/// Takes memory for a value that is about to be made.
pub fn reserve(bytes: usize) -> Result<TakenMemory, Full> {
    let mut taken = TakenMemory::default();
    taken.grow(bytes)?;
    Ok(taken)
}

/// Files were written: they may be in memory.
pub fn wrote(bytes: usize) {
    WRITTEN.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// Whether the held secrets fit; called whenever there are more of them.
pub fn check() -> Result<(), Full> {
    let Some(Bound { limit, stat }) = bound() else {
        return Ok(());
    };
    let (held, limit) = (counters::HELD.now() as u64, *limit);
    let kept = match stat {
        Some(stat) => file_bytes(stat),
        None => 0,
    };
    match held > room(limit, kept) {
        true => Err(Full { held, kept, limit }),
        false => Ok(()),
    }
}

/// How many deliveries may be in progress at once, at most this many.
pub fn at_once(most: usize) -> usize {
    bound().map_or(most, |bound| at_once_within(bound.limit, most))
}

fn at_once_within(limit: u64, most: usize) -> usize {
    let many = limit.saturating_sub(2 * ONE) / ONE;
    usize::try_from(many).unwrap_or(most).clamp(1, most)
}

/// The memory for secrets: half of the rest of a small limit; of a large limit everything but our
/// own work. Each secret is in memory more than once on its way.
fn room(limit: u64, kept: u64) -> u64 {
    let left = limit.saturating_sub(kept).saturating_sub(OWN);
    (left / 2).max(left.saturating_sub(WORK))
}

static WRITTEN: AtomicU64 = AtomicU64::new(STEP);

/// Bytes in memory file systems that are charged to us.
fn file_bytes(stat: &Path) -> u64 {
    static KEPT: AtomicU64 = AtomicU64::new(0);
    if WRITTEN.load(Ordering::Relaxed) >= STEP {
        WRITTEN.store(0, Ordering::Relaxed);
        let text = std::fs::read_to_string(stat).unwrap_or_default();
        KEPT.store(in_files(&text), Ordering::Relaxed);
    }
    KEPT.load(Ordering::Relaxed) + WRITTEN.load(Ordering::Relaxed)
}

/// Reads `memory.stat`: version 1 of the interface has another name for the total.
fn in_files(stat: &str) -> u64 {
    let named = |name: &str| {
        let mut lines = stat.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    };
    named("total_shmem").or_else(|| named("shmem")).unwrap_or(0)
}

/// A memory limit, and where the kernel reports what we use.
#[derive(Debug, PartialEq, Eq)]
struct Bound {
    limit: u64,
    stat: Option<PathBuf>,
}

fn bound() -> Option<&'static Bound> {
    static BOUND: OnceLock<Option<Bound>> = OnceLock::new();
    BOUND.get_or_init(least).as_ref()
}

fn mebibytes(bytes: u64) -> f64 {
    // One decimal is enough, and no machine has 2^53 bytes.
    (bytes / 1024) as f64 / 1024.0
}

/// The smallest limit of this process and its control group.
fn least() -> Option<Bound> {
    let own = [Resource::Data, Resource::As].map(|resource| getrlimit(resource).current);
    let own = own.into_iter().flatten();
    let own = own.map(|limit| Bound { limit, stat: None });
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    own.chain(bounds_of(&groups, &read))
        .min_by_key(|bound| bound.limit)
}

/// The limits of a control group and of those above it, in both versions of the kernel's interface.
/// In a container the group is often the root of the visible tree, whatever its path outside.
fn bounds_of(groups: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<Bound> {
    let mut bounds = Vec::new();
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
            let folder = Path::new(root).join(group);
            let said = read(&folder.join(file));
            let limit = said.and_then(|text| text.trim().parse::<u64>().ok());
            bounds.extend(limit.map(|limit| Bound {
                limit,
                stat: Some(folder.join("memory.stat")),
            }));
        }
    }
    bounds
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
            let bounds = bounds_of(groups, read).into_iter();
            assert_eq!(bounds.map(|bound| bound.limit).min(), want, "{groups}");
        }
    }

    #[test]
    fn row_194_room_is_what_a_limit_leaves_beside_us_and_the_files_in_memory() {
        for (limit, kept, most) in [
            (12, 0, 3),
            (15, 0, 5),
            (15, 4, 3),
            (15, 12, 0),
            (65, 0, 36),
            (512, 0, 483),
        ] {
            assert_eq!(room(limit << 20, kept << 20) >> 20, most, "{limit}, {kept}");
        }
        for (limit, most) in [(12, 1), (16, 1), (32, 2), (64, 6), (4096, 32)] {
            assert_eq!(at_once_within(limit << 20, 32), most, "{limit}");
        }
    }

    #[test]
    fn row_194_files_in_memory_are_what_the_kernel_says() {
        for (stat, want) in [
            ("anon 9\nshmem 4096\nshmem_thp 7\n", 4096),
            ("shmem 1\ntotal_cache 9\ntotal_shmem 8192\n", 8192),
            ("", 0),
        ] {
            assert_eq!(in_files(stat), want, "{stat}");
        }
    }
}
