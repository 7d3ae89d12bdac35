//! Health: the state of every delivery, for probes, metrics and `keyferry status`. Names, times and
//! reasons; never a value.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::time::Instant;

use super::delivery_health::{DeliveryHealth, Good, Waiting};
use super::failure_log::FailureLog;
use super::made_secrets::MadeSecrets;
use super::removals::Removals;
use super::status::{DeliveryStatus, FailureStatus, Route, RouteEnd, Status, VaultStatus};
use crate::base::counters;
use crate::base::failure::{Class, Failure};
use crate::base::lock::locked;
use crate::base::printable;
use crate::config::{Config, OnFailure, Reaction, Source, Staleness};
use crate::pass::outcome::Failed;
use crate::plan::DeliveryPlan;
use crate::process::time_limit::any_number;
use crate::reflector::Liveness;

/// The state of everything, shared.
#[derive(Debug, Default)]
pub struct Health(Mutex<SidecarHealth>);

/// The state of everything.
#[derive(Debug, Default)]
pub struct SidecarHealth {
    /// Deliveries by name.
    pub deliveries: BTreeMap<String, DeliveryHealth>,
    /// What the process does: see [`Status::mode`].
    mode: &'static str,
    /// The pod, or else the machine.
    pub instance: Option<String>,
    /// Whether there is a page for people.
    pub has_page: bool,
    /// Why the configuration on disk is not in use.
    pub stale: Option<String>,
    /// Number of configurations that were taken, the first included.
    pub loads: u64,
    /// Passes so far.
    pub passes: u64,
    /// Reactions by kind, and whether they succeeded.
    pub reactions: BTreeMap<(&'static str, bool), u64>,
    /// State of copies by annotation.
    pub reflector: Liveness,
    /// The brake on `onMissing: delete`.
    removals: Removals,
    /// Passes that were not sent to a collector yet; nothing if no collector is configured.
    spans: Option<Vec<Span>>,
}

/// Manifests are listed beside deliveries, one entry per file.
fn described(config: &Config) -> impl Iterator<Item = (String, &Source)> {
    let sets = config.manifests.iter();
    sets.flat_map(|set| set.files.iter().map(|file| (set.label(file), file)))
}

/// What a process does with this configuration.
fn mode(config: &Config) -> &'static str {
    let delivers = !config.deliveries.is_empty() || !config.manifests.is_empty();
    match (delivers, config.reflector.is_some()) {
        (true, true) => "sidecar and reflector",
        (false, true) => "reflector",
        (_, false) => "sidecar",
    }
}

/// One pass, for traces.
#[derive(Debug, Clone)]
pub struct Span {
    /// Two numbers for the trace id, one for the span id.
    pub ids: [u64; 3],
    /// Names of the deliveries, joined.
    pub deliveries: String,
    /// When it began.
    pub begun: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Class of the deciding failure, if there was one.
    pub class: Option<Class>,
}

impl Span {
    /// A pass over these deliveries that ends now.
    pub fn ending_now(config: &Config, begun: Timestamp, class: Option<Class>) -> Self {
        let names = config.deliveries.iter();
        let names = names.map(|delivery| delivery.name.as_str());
        Self {
            ids: std::array::from_fn(|_| any_number()),
            deliveries: names.collect::<Vec<_>>().join(","),
            begun,
            ended: Timestamp::now(),
            class,
        }
    }
}

/// The most passes that wait for a collector.
const MOST_SPANS: usize = 256;

/// The result of a pass for one delivery.
#[derive(Debug)]
pub struct PassReport {
    /// Its name.
    pub delivery: String,
    /// How many targets were written, even if others failed.
    pub written: u64,
    /// The failures, the deciding one first.
    pub failures: Vec<Failed>,
    /// Whether it was removed because its source is gone.
    pub withdrawn: bool,
    /// Its Secrets and their sources.
    pub made: Option<MadeSecrets>,
    /// When the first of its leases ends.
    pub lease_end: Option<Instant>,
    /// Number of targets whose change waits, and until when.
    pub waiting: Option<(usize, Timestamp)>,
    /// The state that it is held at, in words.
    pub held: Option<String>,
}

impl PassReport {
    /// The results of the steps of one plan.
    pub fn from_results(plan: &DeliveryPlan, results: &[Result<(), Failure>]) -> Self {
        let name = &plan.delivery;
        let failed = |failure: &Failure| Failed::in_delivery(name, failure.clone());
        let mut told = Self {
            delivery: name.clone(),
            written: 0,
            failures: plan.steps.as_ref().err().map(failed).into_iter().collect(),
            withdrawn: false,
            made: MadeSecrets::in_plan(plan),
            lease_end: None,
            waiting: None,
            held: plan.held.clone(),
        };
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

    /// The failure that decides the state.
    pub fn failure(&self) -> Option<&Failure> {
        self.failures.first().map(|failed| &failed.failure)
    }

    /// The longest wait that a server asked for.
    pub fn asked(&self) -> Option<std::time::Duration> {
        let failures = self.failures.iter();
        failures.filter_map(|failed| failed.failure.asked()).max()
    }

    /// Class of the failure that decides the state.
    pub fn class(&self) -> Option<Class> {
        self.failure().map(|failure| failure.class)
    }
}

impl Health {
    /// Takes a configuration: the state of a delivery that still exists is kept.
    pub fn use_configuration(&self, config: &Config) {
        let mut state = self.state();
        let mut before = std::mem::take(&mut state.deliveries);
        let deliveries = config.deliveries.iter().map(|delivery| {
            let route = Route::from_delivery(delivery);
            (delivery.name.clone(), delivery.staleness.clone(), route)
        });
        let manifests = described(config).map(|(name, file)| {
            let sources = vec![RouteEnd::of_source(file)];
            let targets = Vec::new();
            (name, Staleness::default(), Route { sources, targets })
        });
        state.deliveries = deliveries
            .chain(manifests)
            .map(|(name, rules, route)| {
                let known = before.remove(&name).unwrap_or_default();
                let health = DeliveryHealth {
                    rules,
                    route,
                    ..known
                };
                (name, health)
            })
            .collect();
        state.mode = mode(config);
        state.has_page = config.sidecar.status_page;
        let SidecarHealth {
            deliveries,
            removals,
            ..
        } = &mut *state;
        removals.retain(|name| deliveries.contains_key(name));
        state.stale = None;
        state.loads += 1;
    }

    /// The configuration on disk cannot be used, for this reason.
    pub fn refuse(&self, why: String) {
        self.state().stale = Some(why);
    }

    /// Takes in the result of a pass; gives the news in it.
    pub fn record(&self, told: PassReport) -> FailureLog {
        let failure = told.failure().cloned();
        let mut state = self.state();
        let Some(standing) = state.deliveries.get_mut(&told.delivery) else {
            return FailureLog::default();
        };
        standing.changes += told.written;
        standing.lease_end = told.lease_end;
        standing.withdrawn = told.withdrawn;
        standing.held = told.held;
        if told.made.is_some() {
            standing.made = told.made;
        }
        let (at, now) = (Timestamp::now(), Instant::now());
        let before = standing.waiting.take();
        standing.waiting = told.waiting.map(|(targets, opens)| Waiting {
            targets,
            since: before.map_or(at, |before| before.since),
            opens,
        });
        match &failure {
            Some(failure) => *standing.failures.entry(failure.class).or_default() += 1,
            // Changes wait for their window, so the delivered data does not become younger by this
            // pass.
            None if told.waiting.is_some() => {}
            None => {
                standing.good = Some(Good {
                    at: Timestamp::now(),
                    since: Instant::now(),
                    cached: false,
                });
            }
        }
        standing.failure = failure.clone();
        let fresh = told.waiting.filter(|_| before.is_none());
        let news = FailureLog {
            waits: fresh.map(|(_, opens)| opens),
            ..standing.trouble.add_pass(told.failures, at, now)
        };
        if failure.is_none() {
            state.removals.forget(&told.delivery);
        }
        news
    }

    /// Whether a delivery may be removed because its source is gone; `allowed` is the number that a
    /// person released.
    pub fn may_remove(&self, delivery: &str, allowed: usize) -> Result<(), Failure> {
        let mut state = self.state();
        let deletes = |standing: &&DeliveryHealth| standing.rules.on_missing == OnFailure::Delete;
        let of = state.deliveries.values().filter(deletes).count();
        state.removals.ask(delivery, of, allowed, Instant::now())
    }

    /// The targets of an earlier process count as delivered.
    pub fn accept(&self, delivery: &str, good: Good) {
        if let Some(standing) = self.state().deliveries.get_mut(delivery) {
            standing.good.get_or_insert(good);
        }
    }

    /// From now on passes are kept for a collector.
    pub fn record_spans(&self) {
        self.state().spans.get_or_insert_default();
    }

    /// Takes the passes for a collector.
    pub fn take_spans(&self) -> Vec<Span> {
        let mut state = self.state();
        state.spans.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Counts a pass.
    pub fn passed(&self, span: impl FnOnce() -> Span) {
        let mut state = self.state();
        state.passes += 1;
        if let Some(spans) = state
            .spans
            .as_mut()
            .filter(|spans| spans.len() < MOST_SPANS)
        {
            spans.push(span());
        }
    }

    /// A reaction ended.
    pub fn reacted(&self, kind: &'static str, well: bool) {
        debug_assert!(Reaction::WORDS.contains(&kind), "{kind}");
        *self.state().reactions.entry((kind, well)).or_default() += 1;
    }

    /// Whether this delivery was ever in order.
    pub fn was_good(&self, delivery: &str) -> bool {
        let state = self.state();
        let known = state.deliveries.get(delivery);
        known.is_some_and(|standing| standing.good.is_some())
    }

    /// Whether changes of it may wait for a window: not if this process has not delivered it yet,
    /// or has removed it.
    pub fn may_wait(&self, delivery: &str) -> bool {
        let state = self.state();
        let known = state.deliveries.get(delivery);
        known.is_none_or(|standing| {
            !standing.withdrawn && standing.good.is_some_and(|good| !good.cached)
        })
    }

    /// One line per delivery, and whether all are ready.
    pub fn readiness(&self) -> (bool, String) {
        let now = Instant::now();
        let state = self.state();
        let mut all = true;
        let mut text = String::new();
        for (name, standing) in &state.deliveries {
            let line = match standing.ready(now) {
                Ok(()) => {
                    let age = standing.age(now).unwrap_or_default().as_secs();
                    let cached = standing.good.is_some_and(|good| good.cached);
                    let what = if cached {
                        "ok, from an earlier run"
                    } else {
                        "ok"
                    };
                    let failure = standing.failure.as_ref();
                    let failure = failure.map(|why| format!("; {}: {why}", why.class));
                    let waiting = standing.waiting.map(|waiting| format!("; {waiting}"));
                    let held = standing.held.as_ref().map(|held| format!("; {held}"));
                    let more = [failure, waiting, held]
                        .map(Option::unwrap_or_default)
                        .concat();
                    format!("{name}: {what}, {age} s old{more}")
                }
                Err(why) => {
                    all = false;
                    format!("{name}: not ready: {why}")
                }
            };
            text.push_str(&printable::line(&line));
            text.push('\n');
        }
        if let Some((ready, line)) = state.reflector.readiness() {
            all &= ready;
            text.push_str(&printable::line(line.trim_end()));
            text.push('\n');
        }
        if let Some(why) = &state.stale {
            let line = format!("configuration: the old one is in use: {why}");
            text.push_str(&printable::line(&line));
            text.push('\n');
        }
        (all, text)
    }

    /// Whether everything that should be running still is.
    pub fn is_alive(&self) -> bool {
        self.state().reflector.is_alive()
    }

    /// The next pass of this configuration begins at this time; nothing while a pass is running.
    pub fn next(&self, config: &Config, at: Option<Instant>) {
        let mut state = self.state();
        let mut next = |name: &str| {
            if let Some(standing) = state.deliveries.get_mut(name) {
                standing.next = at;
            }
        };
        let deliveries = config.deliveries.iter();
        deliveries.for_each(|delivery| next(&delivery.name));
        described(config).for_each(|(name, _)| next(&name));
    }

    /// The whole status, for people.
    pub fn status(&self) -> Status {
        let now = Instant::now();
        let state = self.state();
        let deliveries = state.deliveries.iter();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mode: state.mode.to_owned(),
            instance: state.instance.clone(),
            configuration: state.stale.clone(),
            vaults: vaults(),
            reflector: state.reflector.status(),
            deliveries: deliveries
                .map(|(name, standing)| delivery(name, standing, now))
                .collect(),
        }
    }

    /// Whether there is a page for people.
    pub fn has_page(&self) -> bool {
        self.state().has_page
    }

    /// The whole state, for metrics.
    pub fn state(&self) -> MutexGuard<'_, SidecarHealth> {
        locked(&self.0)
    }
}

fn delivery(name: &str, standing: &DeliveryHealth, now: Instant) -> DeliveryStatus {
    let ready = standing.ready(now);
    let left = |at: Instant| at.saturating_duration_since(now).as_secs();
    DeliveryStatus {
        name: name.to_owned(),
        sources: standing.route.sources.clone(),
        targets: standing.route.targets.clone(),
        ready: ready.is_ok(),
        reason: ready.err(),
        last_success: standing.good.map(|good| good.at.to_string()),
        cached: standing.good.is_some_and(|good| good.cached),
        age_seconds: standing.age(now).map(|age| age.as_secs()),
        next_attempt_seconds: standing.next.map(left),
        lease_seconds: standing.lease_end.map(left),
        waiting: standing.waiting.map(Waiting::status),
        held: standing.held.clone(),
        secrets: standing.made.as_ref().map(MadeSecrets::status),
        changes: standing.changes,
        failures: standing.failures.values().sum(),
        failure: standing.failure.as_ref().map(|failure| FailureStatus {
            class: failure.class.word().to_owned(),
            what: failure.what.clone(),
            hint: failure.hint.clone(),
        }),
    }
}

fn vaults() -> Vec<VaultStatus> {
    let logins: BTreeMap<String, bool> = counters::VAULT_LOGGED_IN.list().into_iter().collect();
    let servers = counters::VAULT_UP.list().into_iter();
    let status = |(server, up): (String, bool)| VaultStatus {
        logged_in: logins.get(&server).copied(),
        server,
        up,
    };
    servers.map(status).collect()
}
