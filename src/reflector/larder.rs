//! Sources that are being copied, for as long as they are: read once for a thousand copies, wiped a moment after the last.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::base::lock::locked;
use crate::kubernetes::copy::Whole;
use crate::reflect::index::Digest;
use crate::reflect::place::{Kind, Place};

/// Nobody asked for it for so long: it is dropped.
const SHELF_LIFE: Duration = Duration::from_secs(3);

/// So many at once; a Secret is at most 1 MiB.
const MOST: usize = 16;

/// A source, and what its copies get beside data.
pub(super) struct Goods {
    /// The object.
    pub(super) whole: Whole,
    /// Labels and annotations that are copied.
    pub(super) words: [BTreeMap<String, String>; 2],
    /// Of all that a copy takes over.
    pub(super) digest: Digest,
}

type Cell = Arc<OnceCell<Option<Arc<Goods>>>>;

/// See the module.
#[derive(Default)]
pub(super) struct Larder(Mutex<HashMap<(Kind, Place), (Cell, Instant)>>);

impl Larder {
    fn shelf(&self) -> MutexGuard<'_, HashMap<(Kind, Place), (Cell, Instant)>> {
        locked(&self.0)
    }

    /// What is there already, or what `read` gives; several who ask at once cause one reading.
    pub(super) async fn get<E>(
        &self,
        kind: Kind,
        place: &Place,
        read: impl Future<Output = Result<Option<Arc<Goods>>, E>>,
    ) -> Result<Option<Arc<Goods>>, E> {
        let cell = {
            let mut shelf = self.shelf();
            make_room(&mut shelf, &(kind, place.clone()));
            let entry = shelf.entry((kind, place.clone()));
            let (cell, used) = entry.or_insert_with(|| (Cell::default(), Instant::now()));
            *used = Instant::now();
            Arc::clone(cell)
        };
        cell.get_or_try_init(|| read).await.cloned()
    }

    /// It was read anew.
    pub(super) fn put(&self, kind: Kind, place: &Place, goods: Option<Arc<Goods>>) {
        let cell = Arc::new(OnceCell::new_with(Some(goods)));
        let mut shelf = self.shelf();
        make_room(&mut shelf, &(kind, place.clone()));
        shelf.insert((kind, place.clone()), (cell, Instant::now()));
    }

    /// Drops what nobody asks for any more.
    pub(super) fn clear(&self) {
        self.shelf()
            .retain(|_, (_, used)| used.elapsed() < SHELF_LIFE);
    }
}

/// The one that was not asked for longest makes room; whoever holds it still has it.
fn make_room(shelf: &mut HashMap<(Kind, Place), (Cell, Instant)>, for_whom: &(Kind, Place)) {
    if shelf.len() < MOST || shelf.contains_key(for_whom) {
        return;
    }
    let oldest = shelf.iter().min_by_key(|(_, (_, used))| *used);
    if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
        shelf.remove(&oldest);
    }
}
