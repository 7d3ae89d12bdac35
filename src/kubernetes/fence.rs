//! A fence keeps a replica that was paused from writing after it lost the Lease.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use crate::base::lock::locked;

/// Until when this replica may write. Asked right before each write is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fence(Arc<Mutex<Option<Instant>>>);

impl Fence {
    /// Allows writes until this time; `None` forbids them.
    pub(crate) fn set(&self, until: Option<Instant>) {
        *locked(&self.0) = until;
    }

    /// Whether writes are allowed now.
    pub(crate) fn is_open(&self) -> bool {
        let until = *locked(&self.0);
        until.is_some_and(|until| Instant::now() < until)
    }
}
