//! The brake on `onMissing: delete`: an empty mount or a renamed path must not remove every
//! delivery. Pure: the clock is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::deletion_brake::Limits;
use crate::base::failure::{Class, Failure};

/// Removals within this time are counted together. It is longer than two usual refreshes, in which
/// every delivery is read once.
const WINDOW: Duration = Duration::from_secs(600);

/// Deliveries that were removed because their sources are gone, and deliveries that are held.
#[derive(Debug, Default)]
pub struct Removals {
    removed: BTreeMap<String, Instant>,
    held: BTreeSet<String>,
}

impl Removals {
    /// Whether a delivery may be removed. `of`: how many have `onMissing: delete`; `allowed`: the
    /// number that a person released. Held deliveries count too, so they also block later ones.
    pub fn ask(
        &mut self,
        delivery: &str,
        of: usize,
        allowed: usize,
        now: Instant,
    ) -> Result<(), Failure> {
        if self.removed.contains_key(delivery) {
            return Ok(());
        }
        let since = |at: &Instant| now.saturating_duration_since(*at) < WINDOW;
        let recent = self.removed.values().filter(|at| since(at)).count();
        let most = Limits::default().most(of).max(allowed);
        let mut others = self.held.clone();
        others.remove(delivery);
        let all = recent + others.len() + 1;
        if all <= most {
            self.held.remove(delivery);
            self.removed.insert(delivery.to_owned(), now);
            return Ok(());
        }
        self.held.insert(delivery.to_owned());
        Err(held(&self.held, recent, most, all))
    }

    /// The delivery has its source again, does not exist any more, or had no target to remove.
    pub fn forget(&mut self, delivery: &str) {
        self.removed.remove(delivery);
        self.held.remove(delivery);
    }

    /// Keeps only these deliveries.
    pub fn retain(&mut self, is_left: impl Fn(&str) -> bool) {
        self.removed.retain(|name, _| is_left(name));
        self.held.retain(|name| is_left(name));
    }
}

fn held(held: &BTreeSet<String>, recent: usize, most: usize, all: usize) -> Failure {
    let names: Vec<&str> = held.iter().map(String::as_str).collect();
    let what = format!(
        "not removed although its source is gone: {recent} deliveries were removed within 10 \
         minutes, {} more wait \
         ({}), and at most {most} go without a person",
        names.len(),
        names.join(", ")
    );
    Failure::new(Class::Refused, what).hint(format!(
        "bring the sources back, or, if all of these are to go, restart the sidecar once with \
         `--allow-deletes {all}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these deliveries may be removed, asked one after another at these seconds.
    fn gone(removals: &mut Removals, asked: &[(&str, u64)], of: usize, allowed: usize) -> String {
        let start = Instant::now();
        let gone = asked.iter().filter(|(name, at)| {
            let now = start + Duration::from_secs(*at);
            removals.ask(name, of, allowed, now).is_ok()
        });
        gone.map(|(name, _)| *name).collect()
    }

    #[test]
    fn row_114_more_than_a_few_removals_wait_for_a_person() {
        for (asked, of, allowed, want) in [
            (&[("a", 0), ("b", 0), ("c", 0), ("d", 0)][..], 5, 0, "abc"),
            (&[("a", 0), ("b", 0), ("c", 0), ("d", 0)], 20, 0, "abcd"),
            (&[("a", 0), ("b", 0), ("c", 0), ("d", 0)], 5, 4, "abcd"),
            // A delivery that was removed already is not counted twice.
            (
                &[("a", 0), ("b", 0), ("a", 1), ("a", 2), ("c", 3)],
                5,
                0,
                "abaac",
            ),
            // Each of them long after the previous one.
            (
                &[("a", 0), ("b", 700), ("c", 1400), ("d", 2100)],
                5,
                0,
                "abcd",
            ),
            // One is held, and three more come later: four that wait are too many, even if the
            // first removals were long ago.
            (
                &[
                    ("a", 0),
                    ("b", 0),
                    ("c", 0),
                    ("d", 0),
                    ("e", 1),
                    ("f", 2),
                    ("g", 3),
                    ("d", 900),
                ],
                5,
                0,
                "abc",
            ),
        ] {
            let gone = gone(&mut Removals::default(), asked, of, allowed);
            assert_eq!(gone, want, "{asked:?} of {of}");
        }
    }

    #[test]
    fn row_114_what_is_held_is_named_and_a_source_that_came_back_is_no_removal() {
        let mut removals = Removals::default();
        assert_eq!(
            gone(
                &mut removals,
                &[("a", 0), ("b", 0), ("c", 0), ("d", 0)],
                4,
                0
            ),
            "abc"
        );
        let why = removals.ask("e", 4, 0, Instant::now()).expect_err("held");
        assert!(
            why.what
                .contains("3 deliveries were removed within 10 minutes, 2 more wait (d, e)")
        );
        assert!(
            why.hint
                .is_some_and(|hint| hint.contains("--allow-deletes 5"))
        );
        removals.forget("a");
        removals.retain(|name| name != "e");
        assert_eq!(gone(&mut removals, &[("d", 1)], 4, 0), "d");
    }
}
