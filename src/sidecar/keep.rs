//! Keeping one group: a pass, then waiting for what comes first of a changed file, a lease, a new token and the next look.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::board::{Board, Span, Told};
use super::cluster::Followed;
use super::groups::files;
use super::herald::Herald;
use super::reactor::Reactor;
use super::standing::Good;
use super::waits::Waits;
use super::watch::Watched;
use crate::apply::Applied;
use crate::apply::withdraw::withdraw;
use crate::cadence::backoff;
use crate::config::stay::REFRESH;
use crate::config::window;
use crate::config::{Config, Delivery, FileFormat, OnFailure, Target, VaultRead};
use crate::cycle::{self, Before};
use crate::outcome::{Failed, Outcome};
use crate::patience::{any_number, chance};
use crate::plan::{Action, DeliveryPlan, Owed};
use crate::report::{Class, Failure};
use crate::world::World;

/// Waits after failed passes: the first; the longest before all was ever in order, when a pod waits for us; the longest after.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST_START: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(300);

/// One group and what it needs.
pub struct Keeper<'a> {
    /// Its deliveries.
    pub group: &'a Config,
    /// What is connected.
    pub world: &'a World,
    /// Where it tells how it stands.
    pub board: &'a Board,
    /// Where it tells what it owes.
    pub reactor: &'a Reactor,
    /// Where it tells what is news.
    pub herald: &'a Herald,
    /// What waits for its window.
    pub waits: Waits,
}

/// What ended a wait.
enum Wake {
    /// Something is to be looked at.
    Pass,
    /// A lease may be renewed or replaced.
    Lease,
}

impl Keeper<'_> {
    /// Keeps the group, for ever.
    pub async fn keep(&self) {
        self.accept_cached();
        let mut files = Watched::new(files(self.group));
        let followed = Followed::of(self.group, self.world).await;
        let mut errors = 0;
        loop {
            // Looked at before the pass: what changes during it is seen after it.
            let _ = files.changed();
            let passed = self.pass().await;
            errors = if passed.is_ok() { 0 } else { errors + 1 };
            let asked = passed.err().flatten();
            self.rest(errors, asked, &mut files, &followed).await;
        }
    }

    /// Waits for what makes another pass worth while, after that many failures in a row; leases are renewed meanwhile. A server
    /// that wants to be left alone is, whatever changes meanwhile.
    pub async fn rest(
        &self,
        errors: u32,
        asked: Option<Duration>,
        files: &mut Watched,
        followed: &Followed,
    ) {
        let until = self.left_alone(asked);
        let next = Instant::now() + self.pause(errors);
        loop {
            let wake = tokio::select! {
                wake = self.wait(next, files, errors == 0) => wake,
                () = followed.change() => Wake::Pass,
            };
            match wake {
                Wake::Pass => break,
                Wake::Lease if self.leases_moved().await => return,
                Wake::Lease => {}
            }
        }
        sleep_until(until).await;
    }

    /// Until when a server that wants that is left alone: at most as long as errors make us wait.
    fn left_alone(&self, asked: Option<Duration>) -> Instant {
        Instant::now() + asked.unwrap_or_default().min(self.longest())
    }

    /// Makes one pass. Where it failed, the longest wait that a server asked for.
    async fn pass(&self) -> Result<(), Option<Duration>> {
        let begun = Timestamp::now();
        let world = self.world.for_a_pass();
        self.waits.begin(self.world);
        let before = Before {
            note: &|owed| self.reactor.note(owed),
            waits: &|name| self.holds(name),
        };
        let (applied, owed) =
            cycle::run_asking(self.group, &world, Timestamp::now(), &before).await;
        // Only for what it logs.
        drop(Outcome::changes(&applied));
        let (mut worst, mut asked): (Option<Class>, _) = (None, None);
        let both = self.group.deliveries.iter().zip(&applied.plan.deliveries);
        for ((delivery, plan), results) in both.zip(&applied.results) {
            let told = self.judge(delivery, plan, results, &world).await;
            worst = worst.into_iter().chain(told.class()).min();
            asked = asked.max(told.asked());
            let mine = owed.iter().filter(|owed| owed.delivery == delivery.name);
            let mine: Vec<Owed> = mine.cloned().collect();
            if told.withdrawn {
                if told.written > 0 {
                    self.reactor.owe(self.all_owed(delivery));
                }
            } else if changed(plan, results) {
                self.reactor.owe(mine);
            } else {
                self.reactor.forget(&mine);
            }
            self.tell(Some(delivery), told);
        }
        let described = applied.plan.deliveries.iter().zip(&applied.results);
        for (plan, results) in described.skip(self.group.deliveries.len()) {
            let told = self.told(plan, results);
            worst = worst.into_iter().chain(told.class()).min();
            asked = asked.max(told.asked());
            self.tell(None, told);
        }
        self.board.passed(|| self.span(begun, worst));
        self.settle_tokens(&applied).await;
        match worst {
            None => Ok(()),
            Some(_) => Err(asked),
        }
    }

    fn tell(&self, delivery: Option<&Delivery>, told: Told) {
        let (name, failure) = (told.delivery.clone(), told.failure().cloned());
        let news = self.board.tell(told);
        self.herald
            .announce(&name, delivery, &news, failure.as_ref());
    }

    fn span(&self, begun: Timestamp, class: Option<Class>) -> Span {
        let names = self
            .group
            .deliveries
            .iter()
            .map(|delivery| delivery.name.as_str());
        Span {
            ids: std::array::from_fn(|_| any_number()),
            deliveries: names.collect::<Vec<_>>().join(","),
            begun,
            ended: Timestamp::now(),
            class,
        }
    }

    /// What a pass did to one delivery; removes it if its source is gone and the delivery says so.
    async fn judge(
        &self,
        delivery: &Delivery,
        plan: &DeliveryPlan,
        results: &[Result<(), Failure>],
        world: &World,
    ) -> Told {
        let mut told = self.told(plan, results);
        if told.failures.is_empty() && told.waiting.is_none() {
            self.delivered(delivery);
        }
        told.lease_end = self.waits.end(&delivery.name);
        let gone = plan.steps.as_ref().is_err_and(|failure| failure.absent);
        let removes = gone && delivery.staleness.on_missing == OnFailure::Delete;
        if removes && self.holds(&delivery.name) {
            let opens = self.waits.opens(&delivery.name);
            told.waiting = opens.map(|opens| (delivery.to.len(), opens));
        } else if removes {
            told.withdrawn = true;
            for target in &delivery.to {
                match withdraw(target, world).await {
                    Ok(true) => {
                        tracing::warn!(delivery = delivery.name, %target, "removed: its source is gone");
                        told.written += 1;
                    }
                    Ok(false) => {}
                    Err(failure) => told.failures.push(Failed {
                        target: Some(target.to_string()),
                        ..Failed::of(&delivery.name, failure)
                    }),
                }
            }
        }
        told
    }

    /// What the steps of one plan came to.
    fn told(&self, plan: &DeliveryPlan, results: &[Result<(), Failure>]) -> Told {
        let name = &plan.delivery;
        let failed = |failure: &Failure| Failed::of(name, failure.clone());
        let mut told = Told {
            delivery: name.clone(),
            written: 0,
            failures: plan.steps.as_ref().err().map(failed).into_iter().collect(),
            withdrawn: false,
            lease_end: None,
            waiting: None,
        };
        let mut waiting = 0;
        for (step, result) in plan.steps.iter().flatten().zip(results) {
            waiting += usize::from(step.action == Action::Wait);
            match result {
                Ok(()) => told.written += u64::from(step.action.is_change()),
                Err(failure) => told.failures.push(Failed {
                    target: Some(step.artifact.to_string()),
                    ..failed(failure)
                }),
            }
        }
        let opens = self.waits.opens(name).filter(|_| waiting > 0);
        told.waiting = opens.map(|opens| (waiting, opens));
        told
    }

    /// Whether changes of one delivery, or of what manifests describe, have to wait for a window.
    pub fn holds(&self, name: &str) -> bool {
        let mut deliveries = self.group.deliveries.iter();
        let own = deliveries.find(|delivery| delivery.name == name);
        let own = own.map(|delivery| &delivery.staleness.windows);
        let all = &self.group.sidecar.windows;
        let windows = own.filter(|windows| !windows.is_empty()).unwrap_or(all);
        window::opens(windows, Timestamp::now()).is_some_and(|opens| {
            self.board.may_wait(name) && self.waits.hold(name, opens, self.world)
        })
    }

    /// All that the group delivers is in place.
    pub fn in_place(&self) {
        let deliveries = &self.group.deliveries;
        deliveries.iter().for_each(|one| self.delivered(one));
    }

    fn delivered(&self, delivery: &Delivery) {
        let reads = self.vault_reads_of(delivery);
        self.waits.delivered(&delivery.name, reads, self.world);
    }

    fn all_owed(&self, delivery: &Delivery) -> Vec<Owed> {
        let owed = delivery.on_change.iter().map(|reaction| Owed {
            delivery: delivery.name.clone(),
            reaction: reaction.clone(),
            targets: delivery.to.iter().map(Target::to_string).collect(),
            keys: Vec::new(),
            versions: Vec::new(),
        });
        owed.collect()
    }

    /// Tokens that were replaced are given back once nothing that was delivered depends on them.
    async fn settle_tokens(&self, applied: &Applied) {
        // Of what waits, the one before is in use.
        if applied.results.iter().flatten().any(Result::is_err) || self.waits.left().is_some() {
            return;
        }
        for (name, session) in self.world.vaults() {
            let depends =
                |shelf: &crate::shelf::Shelf| shelf.depends_on(name, session.generation());
            if !self.world.shelf.as_deref().is_some_and(depends) {
                session.give_back_replaced().await;
            }
        }
    }

    fn longest(&self) -> Duration {
        let started = |delivery: &Delivery| self.board.was_good(&delivery.name);
        match self.group.deliveries.iter().all(started) {
            true => LONGEST,
            false => LONGEST_START,
        }
    }

    fn pause(&self, errors: u32) -> Duration {
        let usual = match errors {
            0 => self.interval(),
            _ => backoff(FIRST, self.longest(), errors, chance()),
        };
        self.waits.left().map_or(usual, |left| usual.min(left))
    }

    fn interval(&self) -> Duration {
        let own = self
            .group
            .deliveries
            .iter()
            .filter_map(|delivery| delivery.staleness.refresh);
        let all = self.group.sidecar.refresh.unwrap_or(REFRESH);
        own.min().unwrap_or(all).mul_f64(0.9 + 0.1 * chance())
    }

    async fn wait(&self, next: Instant, files: &mut Watched, well: bool) -> Wake {
        let generations = self.generations();
        let lease = self.next_lease().filter(|lease| *lease < next && well);
        tokio::select! {
            () = sleep_until(lease.unwrap_or(next)) => match lease {
                Some(_) => Wake::Lease,
                None => Wake::Pass,
            },
            () = files.change() => Wake::Pass,
            // What failed may do with another token; what is leased may end with the old one.
            () = self.new_token(&generations) => if well { Wake::Lease } else { Wake::Pass },
        }
    }

    /// Renews or replaces the leases whose time has come; says whether that gave other data.
    async fn leases_moved(&self) -> bool {
        let Some(shelf) = &self.world.shelf else {
            return true;
        };
        self.waits.renewed(self.world);
        let now = Instant::now();
        let mut moved = false;
        for read in self.vault_reads() {
            let Ok(session) = self.world.vault(&read.server) else {
                continue;
            };
            if shelf.next(session, read, now).is_none_or(|at| at > now) {
                continue;
            }
            let before = shelf.version_of(read);
            // A failure is met again, and told, by the pass that follows.
            let after = shelf.fetch(session, read).await;
            moved |= after.is_err() || shelf.version_of(read) != before;
        }
        moved
    }

    fn next_lease(&self) -> Option<Instant> {
        let shelf = self.world.shelf.as_ref()?;
        let now = Instant::now();
        let next = self.vault_reads().filter_map(|read| {
            let session = self.world.vault(&read.server).ok()?;
            shelf.next(session, read, now)
        });
        next.min()
    }

    fn generations(&self) -> Vec<(String, u64)> {
        let mut servers: Vec<&String> = self.vault_reads().map(|read| &read.server).collect();
        servers.sort();
        servers.dedup();
        let generation = |server: &String| {
            let session = self.world.vault(server).ok()?;
            Some((server.clone(), session.generation()))
        };
        servers.into_iter().filter_map(generation).collect()
    }

    async fn new_token(&self, generations: &[(String, u64)]) {
        let waits = generations.iter().filter_map(|(server, generation)| {
            let session = self.world.vault(server).ok()?;
            Some(Box::pin(session.next_generation(*generation)))
        });
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(waits).await;
    }

    fn vault_reads(&self) -> impl Iterator<Item = &VaultRead> {
        let all = self.group.deliveries.iter();
        all.flat_map(|delivery| self.vault_reads_of(delivery))
    }

    fn vault_reads_of<'d>(
        &self,
        delivery: &'d Delivery,
    ) -> impl Iterator<Item = &'d VaultRead> + use<'d> {
        let sources = delivery.from.iter();
        sources.filter_map(|from| from.source.vault())
    }

    /// What an earlier run left counts, where the delivery says so and all of its targets are there.
    fn accept_cached(&self) {
        for delivery in self
            .group
            .deliveries
            .iter()
            .filter(|delivery| delivery.staleness.accept_cached)
        {
            let written: Option<Vec<SystemTime>> = delivery.to.iter().map(written).collect();
            let Some(oldest) = written.into_iter().flatten().min() else {
                continue;
            };
            let age = oldest.elapsed().unwrap_or_default();
            if let (Ok(at), Some(since)) =
                (Timestamp::try_from(oldest), Instant::now().checked_sub(age))
            {
                let good = Good {
                    at,
                    since,
                    cached: true,
                };
                self.board.accept(&delivery.name, good);
                tracing::info!(
                    delivery = delivery.name,
                    age_s = age.as_secs(),
                    "accepted as an earlier run left it"
                );
            }
        }
    }
}

/// Whether something that somebody may be using was changed in fact.
fn changed(plan: &DeliveryPlan, results: &[Result<(), Failure>]) -> bool {
    let mut steps = plan.steps.iter().flatten().zip(results);
    steps.any(|(step, result)| match step.action {
        Action::Update(_) | Action::Recreate { .. } => result.is_ok(),
        Action::Keep | Action::Create | Action::Delete | Action::Refuse(_) | Action::Wait => false,
    })
}

/// When a target was written, if it is there whole.
fn written(target: &Target) -> Option<SystemTime> {
    let of = |path: PathBuf| std::fs::metadata(path).ok();
    match target {
        Target::File(file) if file.format == (FileFormat::Dotenv { edit: true }) => None,
        Target::File(file) => of(file.path.clone())
            .filter(|seen| seen.len() > 0)?
            .modified()
            .ok(),
        Target::Files(files) => of(files.dir.join("..data"))?.modified().ok(),
        Target::Secret(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::load::of_text;

    #[test]
    fn row_26_a_server_is_left_alone_as_long_as_errors_would_make_us_wait_and_no_longer() {
        let text = "deliveries: [{name: app, fields: {a: b}, to: [{file: {path: a.env}}]}]\n";
        let group = &of_text(text);
        let (world, board) = (
            World::staying(group, None, FIRST),
            Arc::new(Board::default()),
        );
        board.take(group);
        let keeper = Keeper {
            group,
            world: &world,
            board: &board,
            reactor: &Reactor::new(Arc::clone(&board)),
            herald: &Herald::default(),
            waits: Waits::default(),
        };
        // Whether it was ever in order, what is asked, how long it is left alone.
        let rows = [
            (false, None, 0),
            (false, Some(4), 4),
            (false, Some(86_400), 30),
            (true, Some(90), 90),
            (true, Some(86_400), 300),
        ];
        for (was_good, asked, want) in rows {
            if was_good {
                let good = Good {
                    at: Timestamp::UNIX_EPOCH,
                    since: Instant::now(),
                    cached: false,
                };
                board.accept("app", good);
            }
            let want = Duration::from_secs(want);
            let before = Instant::now();
            let until = keeper.left_alone(asked.map(Duration::from_secs));
            let after = Instant::now();
            assert!(
                until >= before + want && until <= after + want,
                "{was_good} {asked:?}"
            );
        }
    }
}
