//! Keeps one group: its batches make their passes independently, each at its own time, and leases
//! and tokens are renewed meanwhile.
//!
//! Invariant: a batch that fails or hangs changes nothing for the others, whatever they share.
//! Batches that pass at the same time read shared sources once.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{FutureExt, LocalBoxFuture};
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::batch::Batch;
use super::cluster_watch::Followed;
use super::earlier_targets;
use super::file_watch::WatchedFiles;
use super::grouping::files;
use super::leases::{self, Tokens};
use super::window_hold::WindowHold;
use crate::config::{Delivery, VaultRead};
use crate::pass::world::World;

/// The batches of one group, at least one.
pub struct Group<'a> {
    /// Each is made at one time.
    pub batches: Vec<Batch<'a>>,
}

/// When a batch makes its next pass, and how its last passes ended.
struct Timetable {
    /// Time of the next pass; nothing while a pass is running.
    next: Option<Instant>,
    /// A change does not make it pass before this time.
    earliest: Instant,
    /// Something changed during the running pass.
    again: bool,
    /// How many passes failed in a row; nothing before the first pass.
    errors: Option<u32>,
}

/// A task that ended.
enum EndedTask<'a> {
    Pass(usize, Result<(), Option<Duration>>),
    Renewal(&'a VaultRead, bool),
    Settled,
}

type UnderWay<'f, 'a> = FuturesUnordered<LocalBoxFuture<'f, EndedTask<'a>>>;

impl Timetable {
    fn new(now: Instant) -> Self {
        Self {
            next: Some(now),
            earliest: now,
            again: false,
            errors: None,
        }
    }

    fn is_well(&self) -> bool {
        self.errors == Some(0)
    }

    fn waits_after_a_failure(&self) -> bool {
        self.next.is_some() && self.errors.is_some_and(|errors| errors > 0)
    }

    /// Something changed: the next pass comes as early as allowed.
    fn hurry(&mut self) {
        match &mut self.next {
            Some(next) => *next = (*next).min(Instant::now().max(self.earliest)),
            None => self.again = true,
        }
    }

    /// A pass ended.
    fn passed(&mut self, result: Result<(), Option<Duration>>, batch: &Batch<'_>) {
        let errors = match result {
            Ok(()) => 0,
            Err(_) => self.errors.unwrap_or_default() + 1,
        };
        self.errors = Some(errors);
        self.earliest = batch.left_alone(result.err().flatten());
        self.next = Some(self.earliest.max(Instant::now() + batch.pause(errors)));
        if std::mem::take(&mut self.again) {
            self.hurry();
        }
    }

    /// Whether its pass moves forward to join that of another batch: shared sources are then read
    /// once.
    fn goes_along(&self, now: Instant, interval: Duration) -> bool {
        let soon = now + interval / 10;
        self.next
            .is_some_and(|next| next <= now || (self.is_well() && next <= soon))
    }
}

impl<'a> Group<'a> {
    /// Keeps the group, for ever.
    pub async fn keep(&self) {
        let Some(Batch { world, health, .. }) = self.batches.first() else {
            return;
        };
        let world: &World = world;
        for batch in &self.batches {
            earlier_targets::accept(batch.group, health).await;
        }
        let mut files = WatchedFiles::new(self.files()).await;
        let followed = Followed::start(self.deliveries(), world).await;
        let reads = leases::reads(self.deliveries());
        let mut tokens = Tokens::present(&reads, world);
        let mut times: Vec<Timetable> = self
            .batches
            .iter()
            .map(|_| Timetable::new(Instant::now()))
            .collect();
        let mut under_way = UnderWay::new();
        let mut renewing: BTreeSet<&VaultRead> = BTreeSet::new();
        let mut settling = false;
        let mut changed = pin!(followed.change());
        loop {
            self.begin_passes(&mut times, &mut files, world, &under_way)
                .await;
            let lease = self.begin_renewals(&reads, &mut renewing, world, &under_way);
            let pass = times.iter().filter_map(|times| times.next).min();
            let next = pass.into_iter().chain(lease).min();
            tokio::select! {
                Some(done) = under_way.next() => match done {
                    EndedTask::Pass(number, result) => {
                        times[number].passed(result, &self.batches[number]);
                        self.batches[number].tell_next(times[number].next);
                        if !std::mem::replace(&mut settling, true) {
                            let returned = return_tokens(world, &self.batches[0].waits);
                            under_way.push(returned.boxed_local());
                        }
                    }
                    EndedTask::Renewal(read, moved) => {
                        renewing.remove(read);
                        if moved {
                            self.hurry(&mut times, |batch, _| {
                                batch.vault_reads().contains(read)
                            });
                        }
                    }
                    EndedTask::Settled => settling = false,
                },
                () = wait_until(next) => {}
                () = files.change() => self.hurry(&mut times, |_, _| true),
                () = &mut changed => {
                    changed.set(followed.change());
                    self.hurry(&mut times, |_, _| true);
                }
                () = tokens.change(world) => {
                    tokens = Tokens::present(&reads, world);
                    // A failed read may succeed with another token; leases are renewed at their own
                    // time.
                    self.hurry(&mut times, |_, times| times.waits_after_a_failure());
                }
            }
        }
    }

    fn deliveries(&self) -> impl Iterator<Item = &'a Delivery> + Clone {
        self.batches
            .iter()
            .flat_map(|batch| &batch.group.deliveries)
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let mut all: Vec<_> = self
            .batches
            .iter()
            .flat_map(|batch| files(batch.group))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    fn hurry(&self, times: &mut [Timetable], whom: impl Fn(&Batch<'_>, &Timetable) -> bool) {
        let both = self.batches.iter().zip(times);
        for (batch, times) in both.filter(|(batch, times)| whom(batch, times)) {
            times.hurry();
            batch.tell_next(times.next);
        }
    }

    /// Begins the passes that are due, together with those of batches that would pass soon.
    async fn begin_passes<'f>(
        &'f self,
        times: &mut [Timetable],
        files: &mut WatchedFiles,
        world: &World,
        under_way: &UnderWay<'f, 'a>,
    ) {
        let now = Instant::now();
        if !times
            .iter()
            .any(|times| times.next.is_some_and(|next| next <= now))
        {
            return;
        }
        // Files are looked at before the pass: a change during the pass is noticed after it.
        if files.changed().await {
            times.iter_mut().for_each(Timetable::hurry);
        }
        let pass = world.for_a_pass();
        for (number, (batch, times)) in self.batches.iter().zip(times).enumerate() {
            if times.goes_along(now, batch.interval()) {
                times.next = None;
                batch.tell_next(None);
                let pass = pass.for_another_part();
                let passed = async move { EndedTask::Pass(number, batch.pass(pass).await) };
                under_way.push(passed.boxed_local());
            }
        }
    }

    /// Begins the renewals that are due; gives the time of the next one.
    fn begin_renewals<'f>(
        &'f self,
        reads: &BTreeSet<&'a VaultRead>,
        renewing: &mut BTreeSet<&'a VaultRead>,
        world: &'f World,
        under_way: &UnderWay<'f, 'a>,
    ) -> Option<Instant> {
        let now = Instant::now();
        let mut next = None;
        for read in reads {
            let Some(at) = leases::due(read, world, now).filter(|_| !renewing.contains(read))
            else {
                continue;
            };
            if at > now {
                next = next.into_iter().chain([at]).min();
                continue;
            }
            renewing.insert(read);
            let (read, waits) = (*read, &self.batches[0].waits);
            let renewed =
                async move { EndedTask::Renewal(read, leases::renew(read, world, waits).await) };
            under_way.push(renewed.boxed_local());
        }
        next
    }
}

/// Gives back replaced tokens once no delivered data depends on them.
async fn return_tokens<'a>(world: &World, waits: &WindowHold) -> EndedTask<'a> {
    for (name, session) in world.vaults() {
        let token = session.generation();
        let kept = world
            .lease_cache
            .as_ref()
            .is_some_and(|lease_cache| lease_cache.depends_on(name, token));
        if !kept && !waits.depends_on(name, token) {
            session.give_back_replaced().await;
        }
    }
    EndedTask::Settled
}

async fn wait_until(next: Option<Instant>) {
    match next {
        Some(next) => sleep_until(next).await,
        None => std::future::pending().await,
    }
}
