//! Keeps the token of a session that stays: it is renewed in time, replaced if necessary, and
//! requested again after a refusal.
//!
//! Invariant: after any failure there is a wait before the next request, and one identity logs in
//! at most once a second.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use vaultrs::api::token::requests::RevokeTokenSelfRequest;

use super::access::{LOGINS, SharedLogin};
use super::endpoint::Own;
use super::error::RequestEnd;
use super::lifetime::seconds_in;
use super::token::{Token, TokenLife};
use super::token_task::{KeeperStep, Task};
use crate::base::counters;
use crate::base::material::Node;
use crate::base::renewal::{RenewalSchedule, RenewalTurn};
use crate::net::Call;
use crate::process::time_limit::chance;

impl SharedLogin {
    /// Does what the token needs, for ever. `leased` says whether delivered data ends with the
    /// token.
    pub(super) async fn tend(&self, leased: impl Fn() -> bool) {
        loop {
            let task = self.state.lock().await.task;
            let stirred = self.stirred.notified();
            match task {
                None
                | Some(Task {
                    step: KeeperStep::Outdated,
                    ..
                }) => stirred.await,
                Some(Task { at, step }) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => self.act(step, leased()).await,
                        () = stirred => {}
                    }
                }
            }
        }
    }

    async fn act(&self, step: KeeperStep, leased: bool) {
        match step {
            KeeperStep::Keep {
                turn: RenewalTurn::Renew,
                schedule,
                errors,
            } => self.renew(schedule, errors).await,
            KeeperStep::Keep {
                turn: RenewalTurn::Replace,
                ..
            } if !leased => {
                let mut state = self.state.lock().await;
                if let Some(task) = &mut state.task {
                    task.step = KeeperStep::Outdated;
                }
            }
            KeeperStep::Keep { .. } | KeeperStep::LogIn => {
                let mut state = self.state.lock().await;
                // This attempt follows the schedule, so the last failure does not block it.
                state.failed = None;
                if let Err(RequestEnd::Login(cause) | RequestEnd::Read(cause)) =
                    self.log_in(&mut state, Instant::now()).await
                {
                    let (failures, identity) = (state.failures, self.identity());
                    match failures {
                        0 | 1 => tracing::warn!("no vault token with {identity}: {cause}"),
                        _ => {
                            tracing::debug!(
                                failures,
                                "still no vault token with {identity}: {cause}"
                            );
                        }
                    }
                }
            }
            KeeperStep::Outdated => {}
        }
    }

    /// Renews the token. The lock is not held meanwhile: reads continue with the present token.
    async fn renew(&self, mut schedule: RenewalSchedule, errors: u32) {
        let Some(token) = self.state.lock().await.token.clone() else {
            return;
        };
        let since = Instant::now();
        let answer = match Call::from_endpoint(&Own::write("auth/token/renew-self", b"{}")) {
            Ok(call) => self.link.once(&call, Some(&token), &[]).await,
            Err(cause) => Err(cause),
        };
        let mut state = self.state.lock().await;
        let current = state.token.as_ref();
        if current.is_none_or(|current| current.generation != token.generation) {
            return;
        }
        let life = match &answer {
            Ok(reply) => life_of(&reply.auth, since),
            Err(_) => None,
        };
        let end = token.life.map_or(since, |life| life.since + life.span);
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        state.task = Some(match (life, answer) {
            (Some(life), _) => {
                counters::VAULT_RENEWALS.count();
                schedule.granted(life.span, chance());
                let (turn, wait) = schedule.next(left(life.since + life.span), life.renewable);
                tracing::debug!(ttl_s = life.span.as_secs(), "vault token renewed");
                state.token = Some(Arc::new(token.prolonged(life)));
                Task::keep(turn, wait, schedule, 0)
            }
            (None, Err(cause)) if cause.is_passing() => {
                let errors = errors + 1;
                match errors {
                    1 => tracing::warn!("vault token not renewed yet: {cause}"),
                    _ => tracing::debug!(errors, "vault token still not renewed: {cause}"),
                }
                let (turn, wait) = schedule.after_error(left(end), errors, chance());
                Task::keep(turn, wait, schedule, errors)
            }
            (None, refused) => {
                let why = refused.err().map(|cause| cause.to_string());
                tracing::info!(why, "vault token cannot be renewed, it will be replaced");
                let (turn, wait) = schedule.next(left(end), false);
                Task::keep(turn, wait, schedule, 0)
            }
        });
    }

    /// A file with our credential changed. If the last login failed, a new attempt follows at once;
    /// a working token is replaced unless data ends with it. A token file is read in any case: its
    /// owner decides which token it is.
    pub(super) async fn credential_changed(&self, leased: bool) {
        let mut state = self.state.lock().await;
        if let Err(cause) = self.who(&mut state).take_up(&self.link).await {
            tracing::debug!("no wrapped secret id was taken up: {cause}");
        }
        let failing = state.failures > 0;
        state.failures = 0;
        state.failed = None;
        let borrowed = state
            .token
            .as_ref()
            .is_some_and(|token| token.life.is_none() && !token.revocable);
        if failing || borrowed || (state.token.is_some() && !leased) {
            let rhythm = state.task;
            let now = Instant::now();
            let alive = |token: &Arc<Token>| !token.is_spent(now);
            let alive = !failing && state.token.as_ref().is_some_and(alive);
            if let Err(RequestEnd::Login(cause) | RequestEnd::Read(cause)) =
                self.log_in(&mut state, now).await
            {
                tracing::warn!("the changed credential gave no vault token: {cause}");
                if alive {
                    // An unusable file must not cost us a working token: the token is kept.
                    (state.task, state.failures) = (rhythm, 0);
                }
            }
            self.stirred.notify_one();
        }
    }

    /// Gives back replaced tokens that are still valid. Warns and never fails.
    pub(super) async fn give_back_replaced(&self) {
        let Ok(revoke) = Call::from_endpoint(&RevokeTokenSelfRequest {}) else {
            return;
        };
        // Each token stays listed until it is given back: if this is interrupted, the end of the
        // session gives back the rest.
        loop {
            let Some(token) = self.state.lock().await.replaced.last().cloned() else {
                return;
            };
            if token.revocable && !token.is_spent(Instant::now()) {
                let limit = Instant::now() + LOGINS.0 * 2;
                let answer = self.link.once_by(limit, &revoke, Some(&token), &[]).await;
                if let Err(cause) = answer {
                    tracing::debug!("replaced vault token ends by itself: {cause}");
                }
            }
            let mut state = self.state.lock().await;
            state
                .replaced
                .retain(|kept| kept.generation != token.generation);
        }
    }
}

/// The lifetime in the answer to a renewal.
fn life_of(auth: &Node, since: Instant) -> Option<TokenLife> {
    let seconds = seconds_in(auth, "lease_duration").filter(|&seconds| seconds > 0)?;
    Some(TokenLife {
        since,
        span: Duration::from_secs(seconds),
        renewable: auth.entry("renewable") == Some(&Node::Bool(true)),
    })
}
