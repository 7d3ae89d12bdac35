//! Which of several replicas works: the holder of a Lease, and nobody whose hold may have ended.
//!
//! Time is measured here and never compared with another machine's clock. The hold of another
//! replica ends if its Lease was not renewed for the duration that it asked for, counted from the
//! last change that we saw. Our hold ends for us earlier than for others, and each write asks the
//! [`Fence`] first. A write that is delayed until after the end fails on the version that it names.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::claimant::Claimant;
use super::liveness::Liveness;
use crate::base::artifact::ObjectName;
use crate::copy_rules::lease_orders::Order;
use crate::kubernetes::Kubernetes;
use crate::kubernetes::fence::Fence;
use crate::kubernetes::lease::StoredLease;

/// How long we trust our hold, counted from before the request.
const BELIEF: Duration = Duration::from_secs(10);

const RENEWAL: Duration = Duration::from_secs(3);

/// Wait after a failed renewal: the hold is short.
const RETRY: Duration = Duration::from_millis(300);

const LOOK: Duration = Duration::from_secs(2);

/// A replica that wants the Lease.
pub(super) struct Candidate {
    claimant: Arc<Claimant>,
    liveness: Liveness,
}

impl Candidate {
    pub(super) fn new(cluster: &Kubernetes, at: ObjectName, liveness: &Liveness) -> Self {
        liveness.waits(format!("the Lease {at} was not read yet"), false);
        let claimant = Arc::new(Claimant::new(cluster, at));
        liveness.claimant(&claimant);
        Self {
            claimant,
            liveness: liveness.clone(),
        }
    }

    pub(super) fn fence(&self) -> &Fence {
        &self.claimant.fence
    }

    /// Waits until the Lease is ours, and returns it.
    pub(super) async fn win(&self) -> StoredLease {
        let Claimant {
            at, holder, fence, ..
        } = &*self.claimant;
        let mut seen: Option<(String, Instant)> = None;
        let mut told = String::new();
        loop {
            let asked = Instant::now();
            match self.claimant.attempt(&mut seen).await {
                Ok(Ok(lease)) => {
                    fence.set(Some(asked + BELIEF));
                    self.liveness.leads(true);
                    tracing::info!(lease = %at, holder, "leading");
                    return lease;
                }
                Ok(Err(waits_for)) => {
                    if told != waits_for {
                        tracing::info!(lease = %at, "waiting: {waits_for}");
                    }
                    self.liveness
                        .waits(format!("another replica works: {waits_for}"), true);
                    told = waits_for;
                }
                Err(error) => {
                    let reason = error.to_string();
                    if told != reason {
                        tracing::warn!(lease = %at, reason, "the Lease cannot be had");
                    }
                    self.liveness.waits(reason.clone(), false);
                    told = reason;
                }
            }
            sleep(crate::process::time_limit::retry::jittered(LOOK)).await;
        }
    }

    /// Renews the Lease until it is lost, and passes on the orders that people write on it.
    pub(super) async fn hold(&self, mut lease: StoredLease, orders: mpsc::Sender<Order>) {
        let at = &self.claimant.at;
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
                renewed = self.claimant.renew(&lease) => match renewed {
                    Ok(Some(renewed)) => {
                        lease = renewed;
                        until = asked + BELIEF;
                        self.claimant.fence.set(Some(until));
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(lease = %at, %error, "the Lease was not renewed");
                        pause = RETRY;
                    }
                }
            }
            sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
        }
        self.lose();
        tracing::warn!(lease = %at, "not leading any more");
    }

    async fn pass_on(&self, key: &str, text: &str, orders: &mpsc::Sender<Order>) {
        let at = &self.claimant.at;
        match Order::parse(key, text) {
            Some(order) => {
                tracing::warn!(?order, "a person ordered this");
                // The receiver is gone only at the end of the whole reflector.
                let _ = orders.send(order).await;
            }
            None => {
                tracing::warn!(lease = %at, "{key} is no order, and is taken away: Events name the \
                    commands");
            }
        }
        let taken = self.claimant.cluster().take_note(at, key, text).await;
        if let Err(error) = taken {
            tracing::warn!(lease = %at, %error, "the annotation stays");
        }
    }

    fn lose(&self) {
        self.claimant.fence.set(None);
        self.liveness.leads(false);
    }
}
