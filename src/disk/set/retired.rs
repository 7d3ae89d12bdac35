//! Old generations, kept for a moment: a reader that followed `..data` right before the switch
//! still finds its files. Without this, a name can be missing for an instant, as kubelet's readers
//! see.

use std::sync::Mutex;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::write::remove;
use crate::base::lock::locked;
use crate::disk::CallTurn;
use crate::disk::folder::Folder;

/// A running reader needs less time between two of its steps.
const GRACE: Duration = Duration::from_millis(50);
/// A disk that works needs less time to remove them.
const PATIENCE: Duration = Duration::from_secs(20);

/// Old generations that are about to go.
#[derive(Default)]
pub struct Retired(Mutex<JoinSet<()>>);

impl Retired {
    /// Removes generations that no link leads to any more, after a moment. Until then nobody else
    /// looks at their folder.
    pub fn keep(&self, turn: CallTurn, folder: Folder, generations: Vec<String>) {
        let mut going = locked(&self.0);
        while going.try_join_next().is_some() {}
        if generations.is_empty() {
            return;
        }
        going.spawn(async move {
            sleep(GRACE).await;
            let removed = turn.call(Instant::now() + PATIENCE, move |_| {
                for generation in generations {
                    if let Err(error) = remove(&folder, &generation) {
                        // The set itself is delivered; the next pass finds the old files as damage
                        // and tries again.
                        tracing::warn!(%error, "old files were not removed");
                    }
                }
            });
            drop(removed.await);
        });
    }

    /// Waits until all of them are gone.
    pub async fn wait_until_gone(&self) {
        let mut going = std::mem::take(&mut *locked(&self.0));
        while going.join_next().await.is_some() {}
    }
}
