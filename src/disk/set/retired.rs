//! Old generations, kept for a moment: a reader that had followed `..data` when it was switched still finds what it was
//! led to. Without this a stable name can be missing for an instant, which is what kubelet's readers see.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::write::remove;
use crate::disk::folder::Folder;
use crate::lock::locked;

/// Longer than a running reader is between two of its steps.
const GRACE: Duration = Duration::from_millis(50);

/// Old generations of one pass. They are removed when they are old enough, and at the latest when this is dropped:
/// one wait for all of them, at the end of the pass.
#[derive(Default)]
pub struct Retired {
    waiting: Mutex<Vec<Old>>,
}

struct Old {
    folder: Folder,
    generations: Vec<String>,
    since: Instant,
}

impl Retired {
    /// Takes over what nothing leads to any more.
    pub fn keep(&self, folder: Folder, generations: Vec<String>) {
        self.remove(|old| old.since.elapsed() >= GRACE);
        if !generations.is_empty() {
            let since = Instant::now();
            self.waiting().push(Old {
                folder,
                generations,
                since,
            });
        }
    }

    /// Waits until all of them are old enough and removes them.
    pub fn settle(&self) {
        let last = self.waiting().iter().map(|old| old.since).max();
        if let Some(last) = last {
            std::thread::sleep(GRACE.saturating_sub(last.elapsed()));
        }
        self.remove(|_| true);
    }

    fn remove(&self, due: impl Fn(&Old) -> bool) {
        let mut waiting = self.waiting();
        let (due, young) = std::mem::take(&mut *waiting).into_iter().partition(due);
        *waiting = young;
        drop(waiting);
        for Old {
            folder,
            generations,
            since: _,
        } in due
        {
            for error in generations
                .iter()
                .filter_map(|generation| remove(&folder, generation).err())
            {
                // The set itself is delivered; the next pass finds this as damage and tries again.
                tracing::warn!(%error, "old files were not removed");
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Old>> {
        locked(&self.waiting)
    }
}

impl Drop for Retired {
    fn drop(&mut self) {
        self.settle();
    }
}
