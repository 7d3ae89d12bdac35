//! The only task that owns the index: it takes in events and the results of jobs, and gives out the
//! next jobs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::events::EventQueue;
use super::leader::Candidate;
use super::liveness::Liveness;
use super::mark_keys;
use super::status::NamedObjects;
use super::watch::{Follow, KindView, Versioned};
use super::worker::{JobResult, Worker, WriteTrouble};
use crate::base::artifact::ObjectName;
use crate::config::{Reflector, resolve};
use crate::copy_rules::index::{CopyJob, Event, Index, Next};
use crate::copy_rules::lease_orders::Order;
use crate::copy_rules::marks::RESERVED;
use crate::copy_rules::metadata::{Metadata, NamespaceMetadata};
use crate::copy_rules::place::{CopiedKind, ObjectPlace};
use crate::copy_rules::reason::CopyRefusal;
use crate::copy_rules::signature::Keys;
use crate::kubernetes::{self, Kubernetes};

/// Capacity for parts of lists and single changes; each is small, and a full channel only slows the
/// watches.
const CHANNEL: usize = 64;

/// How often one copy is compared with its source, even if its metadata did not change.
const ROTATION: Duration = Duration::from_secs(2);

/// How often the numbers are counted and unused values dropped.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How long sending one Event may take; it is sent again when the same happens again.
const LETTER: Duration = Duration::from_secs(5);

/// Keeps copies up to date until `shutdown`, while this replica holds the Lease.
pub async fn run(
    config: &Reflector,
    cluster: &Kubernetes,
    liveness: &Liveness,
    shutdown: impl Future<Output = ()>,
) {
    // After a change of the configuration, the former candidate still exists.
    liveness.resign().await;
    let lease = resolve(&config.lease, &cluster.namespace);
    let candidate = Candidate::new(cluster, lease, liveness);
    let cluster = cluster.fenced(candidate.fence());
    let work = async {
        loop {
            let lease = candidate.win().await;
            let (orders, given) = mpsc::channel(1);
            let reserved = lease.annotation(RESERVED).unwrap_or_default().to_owned();
            tokio::select! {
                () = candidate.hold(lease, orders) => {}
                () = lead(config, &cluster, liveness, (given, reserved)) => {}
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = shutdown => {}
    }
    liveness.resign().await;
}

/// Works with these keys. When the keys change it ends, and begins again with the annotations that
/// the Lease has then.
async fn lead(
    config: &Reflector,
    cluster: &Kubernetes,
    liveness: &Liveness,
    orders: (mpsc::Receiver<Order>, String),
) {
    let at = resolve(&config.mark_key, &cluster.namespace);
    let keys = Arc::new(mark_keys::obtain(cluster, &at, liveness).await);
    tokio::select! {
        () = mark_keys::changed(cluster, &at, &keys) => {}
        () = drive(config, cluster, liveness, &keys, orders) => {}
    }
}

/// Follows the cluster and does the index's jobs until it is dropped.
async fn drive(
    config: &Reflector,
    cluster: &Kubernetes,
    liveness: &Liveness,
    keys: &Arc<Keys>,
    (mut orders, reserved): (mpsc::Receiver<Order>, String),
) {
    let (sender, mut signals) = mpsc::channel(CHANNEL);
    // The watches end when this set is dropped.
    let _watches = follow(config, cluster, liveness, &sender);
    drop(sender);
    let worker = Worker::new(cluster.until(Instant::now()), config, Arc::clone(keys));
    let lease = resolve(&config.lease, &cluster.namespace);
    let mut desk = ControllerState::new(config, liveness.clone(), lease, keys);
    desk.index.recall(&reserved);
    let mut letters = FuturesUnordered::new();
    let mut jobs = FuturesUnordered::new();
    let mut rotation = interval(ROTATION);
    rotation.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut housekeeping = interval(HOUSEKEEPING);
    housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (mut due, mut busy) = (None, false);
        while jobs.len() < config.parallel {
            match desk.index.next(desk.now()) {
                Next::Job(job) => jobs.push(worker.perform(job)),
                Next::Busy => {
                    busy = true;
                    break;
                }
                Next::Idle(until) => {
                    due = until;
                    break;
                }
            }
        }
        desk.pass_on_notices();
        let wake = desk.start + due.unwrap_or(Duration::from_secs(3600));
        tokio::select! {
            Some(done) = jobs.next(), if !jobs.is_empty() => desk.finish_job(done),
            Some(()) = letters.next(), if !letters.is_empty() => {}
            Some(signal) = signals.recv() => desk.see(signal),
            Some(order) = orders.recv() => desk.obey(&order),
            () = tokio::task::yield_now(), if busy => {}
            () = sleep_until(wake), if !busy => {}
            _ = rotation.tick(), if config.rules.repair => {
                if jobs.len() < config.parallel
                    && let Some((kind, place, source)) = desk.index.rotate()
                {
                    jobs.push(worker.perform(CopyJob::Compare { kind, place, source }));
                }
            }
            _ = housekeeping.tick() => {
                worker.tidy();
                desk.count();
                if letters.is_empty() {
                    let due = desk.teller.letters(Instant::now()).into_iter();
                    letters.extend(due.map(|letter| {
                        let end = Instant::now() + LETTER;
                        letter.send(cluster.until(end))
                    }));
                }
            }
        }
    }
}

/// Starts all watches.
fn follow(
    config: &Reflector,
    cluster: &Kubernetes,
    liveness: &Liveness,
    signals: &mpsc::Sender<Signal>,
) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    if config.rules.namespaces.is_none() {
        let follow = Follow::new(cluster, kubernetes::ObjectKind::Namespace, None, None);
        let follow = follow.sharing(liveness, &Arc::default(), config.silence);
        watches.spawn(forward(follow, Signal::Namespaces, signals.clone()));
    }
    for kind in CopiedKind::ALL {
        let lists = Arc::new(Mutex::new(()));
        for scope in scopes(config) {
            let follow = Follow::new(cluster, kind.into(), scope.as_deref(), None);
            let follow = follow.sharing(liveness, &lists, config.silence);
            let signal = move |seen| Signal::Objects(kind, scope.clone(), seen);
            watches.spawn(forward(follow, signal, signals.clone()));
        }
    }
    watches
}

/// Sends the events of one watch into the common channel.
async fn forward<T: DeserializeOwned + Versioned>(
    follow: Follow<T>,
    signal: impl Fn(KindView<T>) -> Signal,
    signals: mpsc::Sender<Signal>,
) {
    let (sender, mut seen) = mpsc::channel(1);
    let forward = async {
        while let Some(seen) = seen.recv().await {
            if signals.send(signal(seen)).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(follow.run(sender), forward);
}

/// An event of a watch.
enum Signal {
    /// Event of namespaces.
    Namespaces(KindView<NamespaceMetadata>),
    /// Event of Secrets or ConfigMaps, in one namespace or in all.
    Objects(CopiedKind, Option<Arc<str>>, KindView<Metadata>),
}

/// The namespaces that are watched one by one; a single `None` means all at once.
pub(super) fn scopes(config: &Reflector) -> Vec<Option<Arc<str>>> {
    match &config.rules.namespaces {
        None => vec![None],
        Some(names) => names
            .iter()
            .map(|name| Some(name.as_str().into()))
            .collect(),
    }
}

/// The index and the tools around it.
struct ControllerState {
    index: Index,
    start: Instant,
    /// Lists that were not complete yet.
    missing: BTreeSet<(CopiedKind, Option<Arc<str>>)>,
    liveness: Liveness,
    wishes: Option<u64>,
    teller: EventQueue,
    lease: ObjectName,
}

impl ControllerState {
    fn new(config: &Reflector, liveness: Liveness, lease: ObjectName, keys: &Arc<Keys>) -> Self {
        let scopes = scopes(config);
        let each = |kind: CopiedKind| scopes.iter().map(move |scope| (kind, scope.clone()));
        Self {
            index: Index::new(config.rules.clone(), Arc::clone(keys)),
            start: Instant::now(),
            missing: CopiedKind::ALL.into_iter().flat_map(each).collect(),
            liveness,
            wishes: None,
            teller: EventQueue::default(),
            lease,
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn obey(&mut self, order: &Order) {
        let now = self.now();
        self.index.obey(order, now);
    }

    fn see(&mut self, signal: Signal) {
        let index = &mut self.index;
        match signal {
            Signal::Namespaces(KindView::Begins) => index.namespaces_begin(),
            Signal::Namespaces(KindView::Ends) => index.namespaces_end(),
            Signal::Namespaces(KindView::Part(part)) => {
                for namespace in part {
                    index.apply(Event::Namespace(namespace));
                }
            }
            Signal::Namespaces(KindView::Is(namespace)) => index.apply(Event::Namespace(namespace)),
            Signal::Namespaces(KindView::Gone(namespace)) => {
                index.apply(Event::NamespaceGone(namespace.name));
            }
            Signal::Objects(kind, _, KindView::Begins) => index.list_begins(kind),
            Signal::Objects(kind, _, KindView::Part(part)) => {
                for object in part {
                    index.listed(kind, object);
                }
            }
            Signal::Objects(kind, scope, KindView::Ends) => {
                self.missing.remove(&(kind, scope.clone()));
                let all = !self.missing.iter().any(|(other, _)| *other == kind);
                let within =
                    |name: &str| scope.as_ref().is_none_or(|namespace| **namespace == *name);
                index.list_ends(kind, &within, all);
            }
            Signal::Objects(kind, _, KindView::Is(object)) => {
                index.apply(Event::Object(kind, object))
            }
            Signal::Objects(kind, _, KindView::Gone(object)) => {
                index.apply(Event::Gone(kind, place(&object)));
            }
        }
    }

    fn finish_job(&mut self, done: JobResult) {
        let now = self.now();
        let index = &mut self.index;
        let (job, how) = match done {
            JobResult::Read(kind, place, Ok(Some((metadata, content)))) => {
                index.apply(Event::Object(kind, metadata));
                index.read(kind, &place, content);
                ("read", "ok")
            }
            JobResult::Read(kind, place, Ok(None)) => {
                index.unread(kind, &place, "it is not there any more", now);
                ("read", "absent")
            }
            JobResult::Read(kind, place, Err(why)) => {
                index.unread(kind, &place, &why, now);
                ("read", "failed")
            }
            JobResult::Compared(kind, place, Ok(Some((metadata, version, digest)))) => {
                index.apply(Event::Object(kind, metadata));
                index.compared(kind, &place, version, digest, now);
                ("compare", "ok")
            }
            JobResult::Compared(kind, place, Ok(None)) => {
                index.raced(kind, &place, now);
                ("compare", "absent")
            }
            JobResult::Compared(kind, place, Err(why)) => {
                index.failed(kind, &place, Some(why), now);
                ("compare", "failed")
            }
            JobResult::Wrote(write, Ok(written)) => {
                tracing::info!(
                    kind = %write.kind, copy = %write.place, source = %write.source,
                    reason = %write.reason, "written",
                );
                index.wrote(&write, &written, now);
                ("write", "ok")
            }
            JobResult::Wrote(write, Err(trouble)) => (
                "write",
                unwritten(index, write.kind, &write.place, trouble, now),
            ),
            JobResult::Remembered(change, Ok(())) => {
                index.remembered(change, true, now);
                ("remember", "ok")
            }
            JobResult::Remembered(change, Err(why)) => {
                tracing::warn!(lease = %self.lease, why, "reserved places are not written down: \
                    nothing is deleted");
                index.remembered(change, false, now);
                ("remember", "failed")
            }
            JobResult::Deleted(kind, place, Ok(())) => {
                tracing::info!(%kind, copy = %place, "deleted");
                index.deleted(kind, &place);
                ("delete", "ok")
            }
            JobResult::Deleted(kind, place, Err(trouble)) => {
                ("delete", unwritten(index, kind, &place, trouble, now))
            }
        };
        self.liveness.done(job, how);
    }

    /// Passes on the messages for people.
    fn pass_on_notices(&mut self) {
        for told in self.index.news() {
            self.teller.add_notice(told, &self.lease, Instant::now());
        }
    }

    fn count(&mut self) {
        let index = &mut self.index;
        index.forget_old(self.start.elapsed());
        let wishes = index.wishes();
        if self.wishes.replace(wishes) != Some(wishes) {
            self.liveness.count(|counts| counts.wanted = index.wanted());
        }
        self.liveness.count(|counts| {
            counts.copies = index.copies();
            counts.queue = index.queued();
            counts.held = index.held();
        });
        self.liveness.refusals(index.refusals());
        self.liveness.named(NamedObjects::from_index(index));
        self.liveness
            .ready(CopiedKind::ALL.into_iter().all(|kind| index.knows(kind)));
    }
}

fn unwritten(
    index: &mut Index,
    kind: CopiedKind,
    place: &ObjectPlace,
    trouble: WriteTrouble,
    now: Duration,
) -> &'static str {
    match trouble {
        WriteTrouble::Foreign => {
            index.refused(kind, place, CopyRefusal::Foreign);
            "foreign"
        }
        WriteTrouble::Known(metadata) => {
            index.apply(Event::Object(kind, *metadata));
            index.raced(kind, place, now);
            "raced"
        }
        WriteTrouble::Gone(source) => {
            index.apply(Event::Gone(kind, source));
            index.raced(kind, place, now);
            "raced"
        }
        WriteTrouble::Raced => {
            index.raced(kind, place, now);
            "raced"
        }
        WriteTrouble::Later(why) => {
            index.failed(kind, place, Some(why), now);
            "failed"
        }
    }
}

fn place(object: &Metadata) -> ObjectPlace {
    ObjectPlace::new(object.namespace.as_str(), object.name.as_str())
}
