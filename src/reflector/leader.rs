//! Which of several replicas works: the holder of a Lease, and nobody whose hold may have ended.
//!
//! Time is measured here and never compared with another machine's clock. The hold of another
//! replica ends if its Lease was not renewed for the duration that it asked for, counted from the
//! last change that we saw. Our hold ends for us earlier than for others, and each write asks the
//! [`Fence`] first. A write that is delayed until after the end fails on the version that it names.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::liveness::Liveness;
use crate::base::artifact::ObjectName;
use crate::copy_rules::lease_orders::Order;
use crate::kubernetes::lease::{Fence, LeaseClaim, StoredLease};
use crate::kubernetes::pod::host_name;
use crate::kubernetes::{Error, Kubernetes};

/// How long others wait for our next renewal.
const HOLD: Duration = Duration::from_secs(15);

/// How long we trust our hold, counted from before the request.
const BELIEF: Duration = Duration::from_secs(10);

const RENEWAL: Duration = Duration::from_secs(3);

/// Wait after a failed renewal: the hold is short.
const RETRY: Duration = Duration::from_millis(300);

const LOOK: Duration = Duration::from_secs(2);

/// Time limit of one attempt.
const PATIENCE: Duration = Duration::from_secs(3);

/// A replica that wants the Lease.
pub(super) struct Candidate {
    cluster: Kubernetes,
    at: ObjectName,
    holder: String,
    fence: Fence,
    liveness: Liveness,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, holder, .. } = self;
        f.debug_struct("Candidate")
            .field("at", at)
            .field("holder", holder)
            .finish_non_exhaustive()
    }
}

impl Candidate {
    pub(super) fn new(cluster: &Kubernetes, at: ObjectName, liveness: &Liveness) -> Self {
        liveness.waits(format!("the Lease {at} was not read yet"), false);
        Self {
            cluster: cluster.until(Instant::now()),
            at,
            holder: identity(),
            fence: Fence::default(),
            liveness: liveness.clone(),
        }
    }

    pub(super) fn fence(&self) -> &Fence {
        &self.fence
    }

    fn cluster(&self) -> Kubernetes {
        self.cluster.until(Instant::now() + PATIENCE)
    }

    fn claim(&self) -> LeaseClaim<'_> {
        LeaseClaim {
            at: &self.at,
            holder: &self.holder,
            seconds: HOLD.as_secs(),
        }
    }

    /// Waits until the Lease is ours, and returns it.
    pub(super) async fn win(&self) -> StoredLease {
        let mut seen: Option<(String, Instant)> = None;
        let mut told = String::new();
        loop {
            let asked = Instant::now();
            match self.attempt(&mut seen).await {
                Ok(Ok(lease)) => {
                    self.fence.set(Some(asked + BELIEF));
                    self.liveness.leads(true);
                    tracing::info!(lease = %self.at, holder = self.holder, "leading");
                    return lease;
                }
                Ok(Err(waits_for)) => {
                    if told != waits_for {
                        tracing::info!(lease = %self.at, "waiting: {waits_for}");
                    }
                    self.liveness
                        .waits(format!("another replica works: {waits_for}"), true);
                    told = waits_for;
                }
                Err(error) => {
                    let reason = error.to_string();
                    if told != reason {
                        tracing::warn!(lease = %self.at, reason, "the Lease cannot be had");
                    }
                    self.liveness.waits(reason.clone(), false);
                    told = reason;
                }
            }
            sleep(crate::process::time_limit::retry::jittered(LOOK)).await;
        }
    }

    /// The Lease, or the name of its present holder.
    async fn attempt(
        &self,
        seen: &mut Option<(String, Instant)>,
    ) -> Result<Result<StoredLease, String>, Error> {
        let cluster = self.cluster();
        let found = cluster.lease(&self.at).await?;
        if let Some(lease) = &found
            && let Some(holder) = lease.holder()
            && holder != self.holder
        {
            let since = match seen {
                Some((version, since)) if version == lease.version() => *since,
                _ => {
                    *seen = Some((lease.version().to_owned(), Instant::now()));
                    Instant::now()
                }
            };
            let hold = lease.seconds().map_or(HOLD, Duration::from_secs);
            if since.elapsed() < hold {
                return Ok(Err(format!("{holder} holds it")));
            }
        }
        match cluster.claim(&self.claim(), found.as_ref()).await {
            Ok(lease) => Ok(Ok(lease)),
            Err(Error::Raced(_)) => Ok(Err("somebody else was quicker".to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Renews the Lease until it is lost, and passes on the orders that people write on it.
    pub(super) async fn hold(&self, mut lease: StoredLease, orders: mpsc::Sender<Order>) {
        let mut until = Instant::now() + BELIEF;
        loop {
            let mut pause = RENEWAL;
            for key in Order::KEYS {
                if let Some(text) = lease.annotation(key) {
                    self.pass_on(key, text, &orders).await;
                }
            }
            let asked = Instant::now();
            tokio::select! {
                () = sleep_until(until) => break,
                renewed = self.renew(&lease) => match renewed {
                    Ok(Some(renewed)) => {
                        lease = renewed;
                        until = asked + BELIEF;
                        self.fence.set(Some(until));
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(lease = %self.at, %error, "the Lease was not renewed");
                        pause = RETRY;
                    }
                }
            }
            sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
        }
        self.lose();
        tracing::warn!(lease = %self.at, "not leading any more");
    }

    /// Nothing if somebody else holds the Lease.
    async fn renew(&self, lease: &StoredLease) -> Result<Option<StoredLease>, Error> {
        let cluster = self.cluster();
        match cluster.claim(&self.claim(), Some(lease)).await {
            Ok(lease) => Ok(Some(lease)),
            Err(Error::Raced(_)) => {
                // A person's annotation causes the same conflict, and then the Lease is not lost.
                let found = cluster.lease(&self.at).await?;
                let still = found.filter(|found| found.holder() == Some(&self.holder));
                match still {
                    Some(found) => cluster.claim(&self.claim(), Some(&found)).await.map(Some),
                    None => Ok(None),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn pass_on(&self, key: &str, text: &str, orders: &mpsc::Sender<Order>) {
        match Order::parse(key, text) {
            Some(order) => {
                tracing::warn!(?order, "a person ordered this");
                // The receiver is gone only at the end of the whole reflector.
                let _ = orders.send(order).await;
            }
            None => {
                tracing::warn!(lease = %self.at, "{key} is no order, and is taken away: Events \
                    name the commands");
            }
        }
        let taken = self.cluster().take_note(&self.at, key, text).await;
        if let Err(error) = taken {
            tracing::warn!(lease = %self.at, %error, "the annotation stays");
        }
    }

    fn lose(&self) {
        self.fence.set(None);
        self.liveness.leads(false);
    }

    /// Gives the Lease back, so that the next holder need not wait.
    pub(super) async fn resign(&self) {
        if !self.fence.is_open() {
            return;
        }
        self.lose();
        let cluster = self.cluster.until(Instant::now() + Duration::from_secs(1));
        let Ok(Some(lease)) = cluster.lease(&self.at).await else {
            return;
        };
        if lease.holder() == Some(&self.holder) {
            let claim = LeaseClaim {
                holder: "",
                seconds: 1,
                ..self.claim()
            };
            drop(cluster.claim(&claim, Some(&lease)).await);
        }
    }
}

/// The machine's name, which in a pod is the pod's name, and a number that no other process has.
fn identity() -> String {
    let name = host_name().unwrap_or_default();
    let number = RandomState::new().build_hasher().finish();
    format!("{name}_{number:016x}")
}
