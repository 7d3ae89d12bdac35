//! Taking a lock whose holder may have panicked: what it left is a count, a mark or an entry more
//! or less, and never half of one.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the lock keeps, whatever became of those that held it before.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
