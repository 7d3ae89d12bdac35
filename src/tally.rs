//! What is counted of the whole process: requests, logins, renewals, bytes held. Only numbers, so that anybody may count and read.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A number that only grows.
#[derive(Debug)]
pub struct Tally(AtomicU64);

impl Tally {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much there is now.
#[derive(Debug)]
pub struct Level(AtomicUsize);

impl Level {
    /// So much more.
    pub fn grow(&self, by: usize) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// So much less.
    pub fn shrink(&self, by: usize) {
        self.0.fetch_sub(by, Ordering::Relaxed);
    }

    /// How much.
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes of secrets in memory.
pub static HELD: Level = Level(AtomicUsize::new(0));

/// Requests to Vault, whatever came of them.
pub static VAULT_REQUESTS: Tally = Tally::new();
/// Requests to Vault that got no good answer.
pub static VAULT_ERRORS: Tally = Tally::new();
/// Logins that were granted.
pub static VAULT_LOGINS: Tally = Tally::new();
/// Renewals of tokens and leases that were granted.
pub static VAULT_RENEWALS: Tally = Tally::new();
/// Requests to the API server, whatever came of them.
pub static KUBERNETES_REQUESTS: Tally = Tally::new();
/// Requests to the API server that got no good answer.
pub static KUBERNETES_ERRORS: Tally = Tally::new();
