//! The brake on deletions: one mistake (a wrong annotation, a list that came back short, a label removed from every
//! namespace) must not take every copy in the cluster with it.
//!
//! Deletions wait until no more are added for a moment, and are then judged together with those of the last minute. Too many
//! are held, all of them, until a person releases exactly so many, or until the reason for them is gone.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::place::{Kind, Place};
use crate::plan::brake::Limits;

/// They are judged together with those that were done before, within this time.
const WINDOW: Duration = Duration::from_secs(60);

/// A steady stream of them is judged all the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// Deletions that wait to be judged.
#[derive(Debug)]
pub struct Brake {
    limits: Limits,
    settle: Duration,
    waiting: BTreeSet<(Kind, Place)>,
    first: Duration,
    last: Duration,
    done: VecDeque<Duration>,
    held: bool,
    released: usize,
}

/// What came of judging.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// Nothing yet, or nothing new.
    Nothing,
    /// These may go.
    Go(Vec<(Kind, Place)>),
    /// So many do not, and at most so many would.
    Held {
        /// How many wait.
        held: usize,
        /// How many would be done without asking.
        most: usize,
    },
}

impl Brake {
    /// With nothing waiting; deletions are judged when it was quiet for so long.
    pub fn new(limits: Limits, settle: Duration) -> Self {
        Self {
            limits,
            settle,
            waiting: BTreeSet::new(),
            first: Duration::ZERO,
            last: Duration::ZERO,
            done: VecDeque::new(),
            held: false,
            released: 0,
        }
    }

    /// One more deletion that seems to be due.
    pub fn add(&mut self, kind: Kind, place: Place, now: Duration) {
        if self.waiting.is_empty() {
            self.first = now;
        }
        if self.waiting.insert((kind, place)) {
            self.last = now;
            // More than what a person looked at was not released.
            self.held = false;
        }
    }

    /// It is not due any more.
    pub fn cancel(&mut self, kind: Kind, place: &Place) {
        if self.waiting.remove(&(kind, place.clone())) {
            self.held = false;
        }
    }

    /// Those that wait.
    pub fn places(&self) -> Vec<(Kind, Place)> {
        self.waiting.iter().cloned().collect()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many wait for a person.
    pub fn held(&self) -> usize {
        if self.held { self.waiting.len() } else { 0 }
    }

    /// A person releases so many: enough for all that wait, or the release is of something else than what is held now.
    pub fn release(&mut self, count: usize) {
        if self.held && count >= self.waiting.len() {
            self.released = count;
            self.held = false;
        }
    }

    /// When it is worth judging.
    pub fn due(&self) -> Option<Duration> {
        let waits = !self.waiting.is_empty() && !self.held;
        waits.then(|| (self.last + self.settle).min(self.first + PATIENCE))
    }

    /// Judges what waits; `copies` is how many there are now.
    pub fn judge(&mut self, copies: usize, now: Duration) -> Judged {
        if self.due().is_none_or(|due| due > now) {
            return Judged::Nothing;
        }
        while self.done.front().is_some_and(|&at| at + WINDOW <= now) {
            self.done.pop_front();
        }
        let before = self.done.len();
        let most = self.limits.most(copies + before);
        let held = self.waiting.len();
        let released = std::mem::take(&mut self.released);
        if before + held > most && released < held {
            self.held = true;
            return Judged::Held { held, most };
        }
        self.done.extend(std::iter::repeat_n(now, held));
        let going = std::mem::take(&mut self.waiting);
        if released > 0 {
            // What a person released does not count against the next.
            self.done.clear();
        }
        Judged::Go(going.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brake() -> Brake {
        Brake::new(Limits::default(), Duration::from_secs(1))
    }

    fn place(number: usize) -> Place {
        Place::new(format!("n{number}"), "x")
    }

    fn add(brake: &mut Brake, numbers: std::ops::Range<usize>, now: u64) {
        for number in numbers {
            brake.add(Kind::Secret, place(number), Duration::from_secs(now));
        }
    }

    fn judged(brake: &mut Brake, copies: usize, now: u64) -> String {
        match brake.judge(copies, Duration::from_secs(now)) {
            Judged::Nothing => "nothing".to_owned(),
            Judged::Go(places) => format!("{} go", places.len()),
            Judged::Held { held, most } => format!("{held} held, at most {most}"),
        }
    }

    #[test]
    fn row_75_few_go_and_many_are_held() {
        for (copies, deletions, expected) in [
            (3, 3, "3 go"),
            (5, 4, "4 held, at most 3"),
            (100, 20, "20 go"),
            (100, 21, "21 held, at most 20"),
            (1000, 1000, "1000 held, at most 200"),
        ] {
            let mut brake = brake();
            add(&mut brake, 0..deletions, 0);
            assert_eq!(
                judged(&mut brake, copies, 0),
                "nothing",
                "it is not quiet yet"
            );
            assert_eq!(judged(&mut brake, copies, 1), expected);
        }
    }

    #[test]
    fn a_trickle_adds_up_within_a_minute() {
        let mut brake = brake();
        for (now, expected) in [
            (0, "1 go"),
            (2, "1 go"),
            (4, "1 go"),
            (6, "1 held, at most 3"),
        ] {
            add(&mut brake, now..now + 1, now as u64);
            assert_eq!(judged(&mut brake, 10, now as u64 + 1), expected, "{now}");
        }
        assert_eq!(
            judged(&mut brake, 10, 200),
            "nothing",
            "time alone releases nothing"
        );
        brake.cancel(Kind::Secret, &place(6));
        add(&mut brake, 7..8, 200);
        assert_eq!(judged(&mut brake, 10, 201), "1 go");
    }

    #[test]
    fn a_person_releases_what_was_looked_at_and_no_more() {
        let mut brake = brake();
        add(&mut brake, 0..5, 0);
        assert_eq!(judged(&mut brake, 5, 1), "5 held, at most 3");
        brake.release(4);
        assert_eq!(judged(&mut brake, 5, 2), "nothing");
        add(&mut brake, 5..9, 3);
        assert_eq!(judged(&mut brake, 9, 4), "9 held, at most 3");
        brake.release(9);
        assert_eq!(judged(&mut brake, 9, 5), "9 go");
    }

    #[test]
    fn what_is_no_longer_due_is_not_held() {
        let mut brake = brake();
        add(&mut brake, 0..5, 0);
        assert_eq!(judged(&mut brake, 5, 1), "5 held, at most 3");
        assert_eq!(brake.held(), 5);
        for number in 0..3 {
            brake.cancel(Kind::Secret, &place(number));
        }
        assert_eq!(judged(&mut brake, 5, 2), "2 go");
    }
}
