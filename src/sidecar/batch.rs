//! A batch: deliveries that are made at the same time. Its passes, the waits after them, and its
//! reports.

use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use self::judge::changed;
use self::wait::Wake;
use super::cluster_watch::Followed;
use super::events::EventLog;
use super::file_watch::WatchedFiles;
use super::health::{Health, PassReport, Span};
use super::leases;
use super::reactor::Reactor;
use super::window_hold::WindowHold;
use crate::base::failure::Class;
use crate::base::renewal::backoff;
use crate::config::REFRESH;
use crate::config::window;
use crate::config::{Config, Delivery};
use crate::pass::outcome::Outcome;
use crate::pass::pipeline::{self, Before};
use crate::pass::world::World;
use crate::plan::OwedReaction;
use crate::process::time_limit::chance;

mod judge;
mod wait;

/// Waits after failed passes: the first; the longest before everything was in order once, while a
/// pod waits for us; the longest after that.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST_START: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(300);

/// A batch and what it needs.
pub struct Batch<'a> {
    /// Its deliveries.
    pub group: &'a Config,
    /// The open connections.
    pub world: &'a World,
    /// Gets the result of each pass.
    pub health: &'a Health,
    /// Gets the reactions that are owed.
    pub reactor: &'a Reactor,
    /// Gets the news.
    pub event_log: &'a EventLog,
    /// Changes that wait for their window.
    pub waits: WindowHold,
}

impl Batch<'_> {
    /// Waits for a reason to make the next pass, after this number of failures in a row; leases are
    /// renewed meanwhile. If a server asked for a wait, nothing shortens it.
    pub async fn rest(
        &self,
        errors: u32,
        asked: Option<Duration>,
        files: &mut WatchedFiles,
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
                Wake::Lease if Box::pin(self.leases_moved()).await => return,
                Wake::Lease => {}
            }
        }
        sleep_until(until).await;
    }

    /// Until when a server that asked for a wait gets no request: at most as long as the waits
    /// after errors.
    pub(super) fn left_alone(&self, asked: Option<Duration>) -> Instant {
        Instant::now() + asked.unwrap_or_default().min(self.longest())
    }

    /// Makes one pass in this world. After a failure, gives the longest wait that a server asked
    /// for.
    pub(super) async fn pass(&self, world: World) -> Result<(), Option<Duration>> {
        let begun = Timestamp::now();
        self.waits.begin_pass(self.world);
        let before = Before {
            note: &|owed| self.reactor.expect(owed).boxed_local(),
            waits: &|name| self.holds(name),
        };
        let (applied, owed) =
            pipeline::run_asking(self.group, &world, Timestamp::now(), &before).await;
        Outcome::from_applied(&applied, self.group).log_changes();
        let (mut worst, mut asked): (Option<Class>, _) = (None, None);
        let both = self.group.deliveries.iter().zip(&applied.plan.deliveries);
        for ((delivery, plan), results) in both.zip(&applied.results) {
            let told = self.judge(delivery, plan, results, &world).await;
            worst = worst.into_iter().chain(told.class()).min();
            asked = asked.max(told.asked());
            let mine = owed.iter().filter(|owed| owed.delivery == delivery.name);
            let mine: Vec<OwedReaction> = mine.cloned().collect();
            if told.withdrawn {
                if told.written > 0 {
                    self.reactor.add(self.all_owed(delivery));
                }
            } else if changed(plan, results) {
                self.reactor.add(mine);
            } else {
                self.reactor.cancel(&mine).await;
            }
            self.report(Some(delivery), told);
        }
        let described = applied.plan.deliveries.iter().zip(&applied.results);
        for (plan, results) in described.skip(self.group.deliveries.len()) {
            let told = self.pass_report(plan, results);
            worst = worst.into_iter().chain(told.class()).min();
            asked = asked.max(told.asked());
            self.report(None, told);
        }
        self.health
            .passed(|| Span::ending_now(self.group, begun, worst));
        match worst {
            None => Ok(()),
            Some(_) => Err(asked),
        }
    }

    fn report(&self, delivery: Option<&Delivery>, told: PassReport) {
        let (name, failure) = (told.delivery.clone(), told.failure().cloned());
        let news = self.health.record(told);
        self.event_log
            .announce(&name, delivery, &news, failure.as_ref());
    }

    /// Reports the time of the next pass; nothing while a pass is running.
    pub(super) fn tell_next(&self, at: Option<Instant>) {
        self.health.next(self.group, at);
    }

    /// Whether changes of one delivery, or of a manifest file, have to wait for a window.
    pub fn holds(&self, name: &str) -> bool {
        let mut deliveries = self.group.deliveries.iter();
        let own = deliveries.find(|delivery| delivery.name == name);
        let own = own.map(|delivery| &delivery.staleness.windows);
        let all = &self.group.sidecar.windows;
        let windows = own.filter(|windows| !windows.is_empty()).unwrap_or(all);
        window::opens(windows, Timestamp::now()).is_some_and(|opens| {
            self.health.may_wait(name) && self.waits.hold(name, opens, self.world)
        })
    }

    /// All deliveries of the batch are in place.
    pub fn in_place(&self) {
        let deliveries = &self.group.deliveries;
        deliveries.iter().for_each(|one| self.delivered(one));
    }

    fn delivered(&self, delivery: &Delivery) {
        let reads = leases::reads(std::iter::once(delivery)).into_iter();
        self.waits.delivered(&delivery.name, reads, self.world);
    }

    fn longest(&self) -> Duration {
        let started = |delivery: &Delivery| self.health.was_good(&delivery.name);
        match self.group.deliveries.iter().all(started) {
            true => LONGEST,
            false => LONGEST_START,
        }
    }

    pub(super) fn pause(&self, errors: u32) -> Duration {
        let usual = match errors {
            0 => self.interval(),
            _ => backoff(FIRST, self.longest(), errors, chance()),
        };
        self.waits.left().map_or(usual, |left| usual.min(left))
    }

    pub(super) fn interval(&self) -> Duration {
        let own = self
            .group
            .deliveries
            .iter()
            .filter_map(|delivery| delivery.staleness.refresh);
        let all = self.group.sidecar.refresh.unwrap_or(REFRESH);
        own.min().unwrap_or(all).mul_f64(0.9 + 0.1 * chance())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::delivery_health::Good;
    use super::*;
    use crate::config::load::of_text;

    #[test]
    fn row_26_a_server_is_left_alone_as_long_as_errors_would_make_us_wait_and_no_longer() {
        let text = "deliveries: [{name: app, fields: {a: b}, to: [{file: {path: a.env}}]}]\n";
        let group = &of_text(text);
        let (world, health) = (
            World::staying(group, None, FIRST),
            Arc::new(Health::default()),
        );
        health.use_configuration(group);
        let batch = Batch {
            group,
            world: &world,
            health: &health,
            reactor: &Reactor::new(Arc::clone(&health)),
            event_log: &EventLog::default(),
            waits: WindowHold::default(),
        };
        // Each row: whether everything was in order once, the wait that was asked for, the wait
        // that results.
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
                health.accept("app", good);
            }
            let want = Duration::from_secs(want);
            let before = Instant::now();
            let until = batch.left_alone(asked.map(Duration::from_secs));
            let after = Instant::now();
            assert!(
                until >= before + want && until <= after + want,
                "{was_good} {asked:?}"
            );
        }
    }
}
