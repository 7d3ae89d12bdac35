//! Keeping one group: a pass, then waiting for what comes first of a changed file, a lease, a new token and the next look.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::Instant;

use super::board::{Board, Span, Told};
use super::cluster::Followed;
use super::groups::files;
use super::herald::Herald;
use super::reactor::Reactor;
use super::standing::Good;
use super::watch::Watched;
use crate::apply::Applied;
use crate::apply::withdraw::withdraw;
use crate::cadence::backoff;
use crate::config::stay::REFRESH;
use crate::config::{Config, Delivery, FileFormat, OnFailure, Source, Target, VaultRead};
use crate::cycle;
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
            let well = self.pass().await;
            errors = if well { 0 } else { errors + 1 };
            tokio::select! {
                () = self.rest(errors, &mut files) => {}
                () = followed.change() => {}
            }
        }
    }

    /// Waits for what makes another pass worth while, after that many failures in a row; leases are renewed meanwhile.
    pub async fn rest(&self, errors: u32, files: &mut Watched) {
        let next = Instant::now() + self.pause(errors);
        while let Wake::Lease = self.wait(next, files, errors == 0).await {
            if self.leases_moved().await {
                return;
            }
        }
    }

    async fn pass(&self) -> bool {
        let begun = Timestamp::now();
        let world = self.world.for_a_pass();
        let (applied, owed) = cycle::run_noting(self.group, &world, Timestamp::now(), |owed| {
            self.reactor.note(owed)
        })
        .await;
        // Only for what it logs.
        drop(Outcome::changes(&applied));
        let mut worst: Option<Class> = None;
        let both = self.group.deliveries.iter().zip(&applied.plan.deliveries);
        for ((delivery, plan), results) in both.zip(&applied.results) {
            let told = self.judge(delivery, plan, results, &world).await;
            worst = worst.into_iter().chain(told.class()).min();
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
            let told = told(plan, results);
            worst = worst.into_iter().chain(told.class()).min();
            self.tell(None, told);
        }
        self.board.passed(|| self.span(begun, worst));
        self.settle_tokens(&applied).await;
        worst.is_none()
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
        let mut told = told(plan, results);
        let ends = self.vault_reads_of(delivery);
        let ends = ends.filter_map(|read| self.world.shelf.as_ref()?.end(read));
        told.lease_end = ends.min();
        let gone = plan.steps.as_ref().is_err_and(|failure| failure.absent);
        if gone && delivery.staleness.on_missing == OnFailure::Delete {
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
        if applied.results.iter().flatten().any(Result::is_err) {
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

    fn pause(&self, errors: u32) -> Duration {
        if errors > 0 {
            let started = |delivery: &Delivery| self.board.was_good(&delivery.name);
            let longest = match self.group.deliveries.iter().all(started) {
                true => LONGEST,
                false => LONGEST_START,
            };
            return backoff(FIRST, longest, errors, chance());
        }
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
            () = tokio::time::sleep_until(lease.unwrap_or(next)) => match lease {
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
        delivery.from.iter().filter_map(|from| match &from.source {
            Source::Vault(read) => Some(read),
            Source::Age { .. }
            | Source::Sops { .. }
            | Source::Sealed { .. }
            | Source::SealedObject(_)
            | Source::SealedManifests { .. }
            | Source::Secret(_) => None,
        })
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

/// What the steps of one plan came to.
fn told(plan: &DeliveryPlan, results: &[Result<(), Failure>]) -> Told {
    let mut told = Told {
        delivery: plan.delivery.clone(),
        written: 0,
        failures: Vec::new(),
        withdrawn: false,
        lease_end: None,
    };
    let failed = |failure: &Failure| Failed::of(&plan.delivery, failure.clone());
    told.failures.extend(plan.steps.as_ref().err().map(failed));
    for (step, result) in plan.steps.iter().flatten().zip(results) {
        match result {
            Ok(()) => told.written += u64::from(step.action.is_change()),
            Err(failure) => told.failures.push(Failed {
                target: Some(step.artifact.to_string()),
                ..failed(failure)
            }),
        }
    }
    told
}

/// Whether something that somebody may be using was changed in fact.
fn changed(plan: &DeliveryPlan, results: &[Result<(), Failure>]) -> bool {
    let mut steps = plan.steps.iter().flatten().zip(results);
    steps.any(|(step, result)| match step.action {
        Action::Update(_) | Action::Recreate { .. } => result.is_ok(),
        Action::Keep | Action::Create | Action::Delete | Action::Refuse(_) => false,
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
