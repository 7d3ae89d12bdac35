//! Sources that are being copied: each is read once for a thousand copies, and wiped a moment after
//! the last copy.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::base::lock::locked;
use crate::copy_rules::index::Digest;
use crate::copy_rules::place::{CopiedKind, ObjectPlace};
use crate::kubernetes::copy::WholeObject;

/// A source that nobody used for this long is dropped.
const SHELF_LIFE: Duration = Duration::from_secs(3);

/// The most sources at once; a Secret is at most 1 MiB.
const MOST: usize = 16;

/// A source, and the metadata that its copies get.
pub(super) struct CachedSource {
    /// The object.
    pub(super) whole: WholeObject,
    /// Labels and annotations that are copied.
    pub(super) words: [BTreeMap<String, String>; 2],
    /// Digest of everything that a copy takes over.
    pub(super) digest: Digest,
}

type Cell = Arc<OnceCell<Option<Arc<CachedSource>>>>;

/// The cache; see the module.
#[derive(Default)]
pub(super) struct SourceCache(Mutex<HashMap<(CopiedKind, ObjectPlace), (Cell, Instant)>>);

impl SourceCache {
    fn lease_cache(&self) -> MutexGuard<'_, HashMap<(CopiedKind, ObjectPlace), (Cell, Instant)>> {
        locked(&self.0)
    }

    /// The cached source, or the result of `read`; several callers at once share one read.
    pub(super) async fn get<E>(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
        read: impl Future<Output = Result<Option<Arc<CachedSource>>, E>>,
    ) -> Result<Option<Arc<CachedSource>>, E> {
        let cell = {
            let mut lease_cache = self.lease_cache();
            make_room(&mut lease_cache, &(kind, place.clone()));
            let entry = lease_cache.entry((kind, place.clone()));
            let (cell, used) = entry.or_insert_with(|| (Cell::default(), Instant::now()));
            *used = Instant::now();
            Arc::clone(cell)
        };
        cell.get_or_try_init(|| read).await.cloned()
    }

    /// Replaces a source that was read again.
    pub(super) fn replace(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
        cached: Option<Arc<CachedSource>>,
    ) {
        let cell = Arc::new(OnceCell::new_with(Some(cached)));
        let mut lease_cache = self.lease_cache();
        make_room(&mut lease_cache, &(kind, place.clone()));
        lease_cache.insert((kind, place.clone()), (cell, Instant::now()));
    }

    /// Drops sources that nobody uses any more.
    pub(super) fn clear(&self) {
        self.lease_cache()
            .retain(|_, (_, used)| used.elapsed() < SHELF_LIFE);
    }
}

/// Removes the source that was unused for longest; a caller that has it can keep using it.
fn make_room(
    lease_cache: &mut HashMap<(CopiedKind, ObjectPlace), (Cell, Instant)>,
    for_whom: &(CopiedKind, ObjectPlace),
) {
    if lease_cache.len() < MOST || lease_cache.contains_key(for_whom) {
        return;
    }
    let oldest = lease_cache.iter().min_by_key(|(_, (_, used))| *used);
    if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
        lease_cache.remove(&oldest);
    }
}
