//! Counters of the whole process: requests, logins, renewals, bytes held. They hold only numbers,
//! so any module may count and read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::base::lock::locked;

/// A number that only grows.
#[derive(Debug)]
pub struct Tally(AtomicU64);

impl Tally {
    /// A counter at zero. It is declared where it counts, or here where several modules count.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds one.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that grows and shrinks.
#[derive(Debug)]
pub struct Level(AtomicUsize);

impl Level {
    /// Adds to the number.
    pub fn grow(&self, by: usize) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// Subtracts from the number.
    pub fn shrink(&self, by: usize) {
        self.0.fetch_sub(by, Ordering::Relaxed);
    }

    /// The current number.
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A yes or no for each name.
#[derive(Debug)]
pub struct Marks(Mutex<BTreeMap<String, bool>>);

impl Marks {
    fn marks(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        locked(&self.0)
    }

    /// Sets the mark of a name.
    pub fn set(&self, name: &str, yes: bool) {
        let mut marks = self.marks();
        match marks.get_mut(name) {
            Some(mark) => *mark = yes,
            None => drop(marks.insert(name.to_owned(), yes)),
        }
    }

    /// Removes the mark of a name.
    pub fn remove(&self, name: &str) {
        self.marks().remove(name);
    }

    /// Names and their marks.
    pub fn list(&self) -> Vec<(String, bool)> {
        let marks = self.marks();
        marks
            .iter()
            .map(|(name, yes)| (name.clone(), *yes))
            .collect()
    }
}

/// Bytes of secrets in memory.
pub static HELD: Level = Level(AtomicUsize::new(0));

/// Requests by verb and by code of the answer.
#[derive(Debug)]
pub struct Requests(Mutex<BTreeMap<(&'static str, u16), u64>>);

impl Requests {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<(&'static str, u16), u64>> {
        locked(&self.0)
    }

    fn count(&self, verb: &'static str, code: u16) {
        *self.counts().entry((verb, code)).or_default() += 1;
    }

    /// Verb, code and how many; a request without an answer has code 0.
    pub fn list(&self) -> Vec<(&'static str, u16, u64)> {
        let counts = self.counts();
        let counts = counts.iter();
        counts
            .map(|((verb, code), count)| (*verb, *code, *count))
            .collect()
    }
}

/// One request to the API server that is under way. It is counted when it ends in any way, also
/// when nobody waits for it any more.
#[derive(Debug)]
pub struct ApiRequest {
    verb: &'static str,
    code: AtomicU16,
    well: bool,
}

impl ApiRequest {
    /// A request that is sent now.
    pub fn new(verb: &'static str) -> Self {
        Self {
            verb,
            code: AtomicU16::new(0),
            well: false,
        }
    }

    /// Notes the code of the answer.
    pub fn answered(&self, code: u16) {
        self.code.store(code, Ordering::Relaxed);
    }

    /// Ends the request; `well` says whether the answer is good.
    pub fn ended(mut self, well: bool) {
        self.well = well;
    }
}

impl Drop for ApiRequest {
    fn drop(&mut self) {
        KUBERNETES_REQUESTS.count(self.verb, self.code.load(Ordering::Relaxed));
        if !self.well {
            KUBERNETES_ERRORS.count();
        }
    }
}

/// Requests to Vault, with any result.
pub static VAULT_REQUESTS: Tally = Tally::new();
/// Whether the last request found a working server, by the server's name in the configuration.
pub static VAULT_UP: Marks = Marks(Mutex::new(BTreeMap::new()));
/// Whether the last login was granted, by the server's name.
pub static VAULT_LOGGED_IN: Marks = Marks(Mutex::new(BTreeMap::new()));
/// Requests to Vault that got no good answer.
pub static VAULT_ERRORS: Tally = Tally::new();
/// Logins that were granted.
pub static VAULT_LOGINS: Tally = Tally::new();
/// Renewals of tokens and leases that were granted.
pub static VAULT_RENEWALS: Tally = Tally::new();
/// Requests to the API server, with any result.
pub static KUBERNETES_REQUESTS: Requests = Requests::new();
/// Requests to the API server that got no good answer.
pub static KUBERNETES_ERRORS: Tally = Tally::new();

#[cfg(test)]
mod tests {
    use super::*;

    /// Uses a verb that no other test counts.
    #[test]
    fn a_request_is_counted_once_with_its_code_also_when_it_is_given_up() {
        let request = ApiRequest::new("test");
        request.answered(201);
        request.ended(true);
        let errors = KUBERNETES_ERRORS.total();
        drop(ApiRequest::new("test"));
        let refused = ApiRequest::new("test");
        refused.answered(403);
        refused.ended(false);
        let counts = KUBERNETES_REQUESTS.list().into_iter();
        let counts: Vec<_> = counts.filter(|(verb, ..)| *verb == "test").collect();
        assert_eq!(counts, [("test", 0, 1), ("test", 201, 1), ("test", 403, 1)]);
        assert!(KUBERNETES_ERRORS.total() >= errors + 2);
    }
}
