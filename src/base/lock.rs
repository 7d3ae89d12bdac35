//! Taking a lock whose holder may have panicked: the data then has a count, a mark or an entry more
//! or less, but is never half written.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The data of the lock, even if an earlier holder panicked.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
