//! When reactions happen: after a moment without changes, once for all deliveries that changed,
//! with a minimum distance, and again after a failure.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::health::Health;
use super::pending_reactions::PendingReactions;
use crate::base::failure::Failure;
use crate::base::lock::locked;
use crate::base::renewal::backoff;
use crate::config::{Config, Reaction};
use crate::pass::apply::react::react;
use crate::pass::world::World;
use crate::plan::{OwedReaction, ReactionNotice};
use crate::process::time_limit::{any_number, chance};

/// Changes in quick succession are reported together.
const QUIET: Duration = Duration::from_millis(150);
const LONGEST_QUIET: Duration = Duration::from_millis(800);

/// Minimum time between two starts of a reaction.
const SPACING: Duration = Duration::from_secs(10);

/// A failed reaction is tried this many times.
const TRIES: u32 = 5;
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// All reactions that are owed, and when each one was last started.
#[derive(Debug)]
pub struct Reactor {
    health: Arc<Health>,
    pending: PendingReactions,
    queue: Mutex<BTreeMap<Reaction, Entry>>,
    stirred: Notify,
}

#[derive(Debug, Default)]
struct Entry {
    due: Option<DueReaction>,
    begun: Option<Instant>,
    running: bool,
}

#[derive(Debug, Clone)]
struct DueReaction {
    /// Identifies one call through all its attempts; a call with more news gets another id.
    id: String,
    news: ReactionNotice,
    first: Instant,
    at: Instant,
    tries: u32,
}

impl Entry {
    fn add(&mut self, owed: OwedReaction, now: Instant) {
        let begun = self.begun;
        let due = self.due.get_or_insert_with(|| DueReaction {
            id: String::new(),
            news: ReactionNotice::default(),
            first: now,
            at: now,
            tries: 0,
        });
        due.news.add(owed);
        due.id = format!("{:016x}{:016x}", any_number(), any_number());
        due.tries = 0;
        let quiet = (now + QUIET).min(due.first + LONGEST_QUIET);
        due.at = begun.map_or(quiet, |begun| quiet.max(begun + SPACING));
    }

    /// Puts a failed reaction back into the queue, together with newer news; false if it is given
    /// up.
    fn again(&mut self, mut due: DueReaction, now: Instant) -> bool {
        due.tries += 1;
        if let Some(later) = &mut self.due {
            later.news.deliveries.append(&mut due.news.deliveries);
            later.news.targets.append(&mut due.news.targets);
            later.news.secrets.append(&mut due.news.secrets);
            later.news.keys.append(&mut due.news.keys);
            later.news.versions.append(&mut due.news.versions);
            return true;
        }
        if due.tries >= TRIES {
            return false;
        }
        due.at = now + backoff(AGAIN.0, AGAIN.1, due.tries, chance());
        self.due = Some(due);
        true
    }
}

impl Reactor {
    /// An empty queue.
    pub fn new(health: Arc<Health>) -> Self {
        Self {
            health,
            pending: PendingReactions::default(),
            queue: Mutex::default(),
            stirred: Notify::new(),
        }
    }

    /// Takes a configuration, and the reactions that an earlier process owed.
    pub async fn load(&self, config: &Config, root: Option<&Path>) {
        let found = self.pending.load(config, root).await;
        for owed in &found {
            tracing::info!(
                delivery = owed.delivery, reaction = %owed.reaction, "still owed from before",
            );
        }
        let known = |reaction: &Reaction| {
            let all = config
                .deliveries
                .iter()
                .flat_map(|delivery| &delivery.on_change);
            all.into_iter().any(|configured| configured == reaction)
        };
        self.queue().retain(|reaction, _| known(reaction));
        self.add(found);
    }

    /// Call this before a change: if the process ends between the change and its reaction, the next
    /// process knows the reaction.
    pub async fn expect(&self, owed: Vec<OwedReaction>) {
        self.pending.store(&owed).await;
    }

    /// Call this after a change.
    pub fn add(&self, owed: Vec<OwedReaction>) {
        let now = Instant::now();
        for one in owed {
            let mut queue = self.queue();
            queue.entry(one.reaction.clone()).or_default().add(one, now);
        }
        self.stirred.notify_one();
    }

    /// A planned change was not made.
    pub async fn cancel(&self, owed: &[OwedReaction]) {
        for one in owed {
            let busy = self.queue().get(&one.reaction).is_some_and(|entry| {
                entry
                    .due
                    .as_ref()
                    .is_some_and(|due| due.news.deliveries.contains(&one.delivery))
            });
            if !busy {
                self.pending
                    .remove(&[one.delivery.clone()].into(), &one.reaction)
                    .await;
            }
        }
    }

    /// Does reactions when they are due, for ever. A reaction that hangs delays no other.
    pub async fn run(&self, world: &World) {
        // Reactions that were running when the configuration was replaced are started again.
        for entry in self.queue().values_mut() {
            entry.running = false;
        }
        let mut under_way = FuturesUnordered::new();
        loop {
            for (reaction, due) in self.start_due() {
                under_way.push(async move {
                    let done = react(&reaction, &due.news, &due.id, world).await;
                    (reaction, due, done)
                });
            }
            let next = self.next();
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.stirred.notified() => {}
                Some((reaction, due, done)) = under_way.next() => {
                    self.finish(&reaction, due, done).await;
                }
            }
        }
    }

    fn start_due(&self) -> Vec<(Reaction, DueReaction)> {
        let now = Instant::now();
        let mut ready = Vec::new();
        for (reaction, entry) in self.queue().iter_mut() {
            if !entry.running && entry.due.as_ref().is_some_and(|due| due.at <= now) {
                entry.running = true;
                entry.begun = Some(now);
                ready.extend(entry.due.take().map(|due| (reaction.clone(), due)));
            }
        }
        ready
    }

    fn next(&self) -> Option<Instant> {
        let queue = self.queue();
        let waiting = queue.values().filter(|entry| !entry.running);
        waiting
            .filter_map(|entry| Some(entry.due.as_ref()?.at))
            .min()
    }

    async fn finish(&self, reaction: &Reaction, due: DueReaction, done: Result<(), Failure>) {
        let deliveries = due.news.deliveries.clone();
        self.health.reacted(reaction.word(), done.is_ok());
        if self.record_end(reaction, due, done) {
            self.pending.remove(&deliveries, reaction).await;
        }
    }

    /// Takes in the end of a reaction; says whether nothing of it is owed any more.
    fn record_end(&self, reaction: &Reaction, due: DueReaction, done: Result<(), Failure>) -> bool {
        let mut queue = self.queue();
        let entry = queue.entry(reaction.clone()).or_default();
        entry.running = false;
        match done {
            Ok(()) => {
                tracing::info!(%reaction, deliveries = ?due.news.deliveries, "done");
                entry.due.is_none()
            }
            Err(failure) => {
                let again = entry.again(due, Instant::now());
                tracing::error!(
                    %reaction, class = %failure.class, reason = %failure.what, hint = failure.hint,
                    again, "reaction failed",
                );
                !again
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, BTreeMap<Reaction, Entry>> {
        locked(&self.queue)
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(delivery: &str) -> OwedReaction {
        OwedReaction {
            delivery: delivery.to_owned(),
            reaction: Reaction::Run {
                command: vec!["true".to_owned()],
                timeout: Duration::from_secs(1),
            },
            targets: Vec::new(),
            secrets: Vec::new(),
            keys: Vec::new(),
            versions: Vec::new(),
        }
    }

    #[test]
    fn changes_are_told_together_after_a_moment_and_not_too_often() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut entry = Entry::default();
        entry.add(owed("a"), start);
        entry.add(owed("b"), after(100));
        let due = entry.due.clone().expect("owed");
        assert_eq!((due.at, due.news.deliveries.len()), (after(250), 2));
        for ms in (200..3000).step_by(100) {
            entry.add(owed("c"), after(ms));
        }
        assert_eq!(
            entry.due.clone().expect("owed").at,
            after(800),
            "not put off for ever"
        );

        entry.due = None;
        entry.begun = Some(after(800));
        entry.add(owed("a"), after(900));
        assert_eq!(entry.due.clone().expect("owed").at, after(10_800), "spaced");
        entry.due = None;
        entry.add(owed("a"), after(20_000));
        assert_eq!(
            entry.due.clone().expect("owed").at,
            after(20_150),
            "long ago"
        );
    }

    #[test]
    fn row_62_what_fails_is_tried_again_and_given_up_in_the_end() {
        let now = Instant::now();
        let mut entry = Entry::default();
        entry.add(owed("a"), now);
        let mut tries = 0;
        while let Some(due) = entry.due.take() {
            tries += 1;
            if entry.again(due, now) {
                assert!(entry.due.as_ref().expect("again").at >= now + Duration::from_millis(500));
            }
        }
        assert_eq!(tries, TRIES);

        entry.add(owed("a"), now);
        let failed = entry.due.take().expect("owed");
        entry.add(owed("b"), now);
        assert!(entry.again(failed, now));
        let due = entry.due.expect("owed");
        assert_eq!(
            (due.news.deliveries.len(), due.tries),
            (2, 0),
            "the next change is served"
        );
    }
}
