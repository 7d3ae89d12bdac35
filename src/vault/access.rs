//! The login of one identity: it logs in on first use, once for all reads, and finds out what a 403
//! means.
//!
//! Invariant: reads that wait for the same login share its result, good or bad; a refused token is
//! looked up once, and replaced at most once per read. So a broken identity costs the attempts of
//! one login, not of one per read.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RevokeTokenSelfRequest};

use super::auth::{Unwrapped, VaultIdentity, describe};
use super::client::ServerLink;
use super::error::{Cause, RequestEnd};
use super::failure_reasons::{Ban, ServerRefusal, Setup};
use super::github_actions::Runner;
use super::response::Reply;
use super::token::Token;
use super::token_task::{KeeperStep, Task};
use crate::base::counters;
use crate::base::renewal::backoff;
use crate::config::VaultAuth;
use crate::net::Call;
use crate::process::time_limit::chance;

/// How long giving back a token at the end of a session may take. When a node or a namespace ends,
/// many sessions end at once.
const FAREWELL: Duration = Duration::from_secs(2);
const FAREWELL_OF_MANY: Duration = Duration::from_secs(4);

/// One identity logs in at most once in this time.
const ONE_LOGIN: Duration = Duration::from_secs(1);

/// Waits between failed logins: the first, and the longest if the server refuses.
pub(super) const LOGINS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The longest wait if the server may recover at any moment: a waiting pod is then ready within a
/// minute.
const TROUBLE: Duration = Duration::from_secs(40);

/// The login that all reads of one identity share.
pub(super) struct SharedLogin {
    pub(super) link: ServerLink,
    auth: VaultAuth,
    runner: Option<Arc<Runner>>,
    spends_nothing: bool,
    pub(super) state: Mutex<TokenState>,
    /// Numbers of the tokens: everyone who depends on a token is told of the next.
    pub(super) generations: watch::Sender<u64>,
    /// Notified when the token's lifetime changed.
    pub(super) stirred: Notify,
}

/// Known facts of our tokens.
#[derive(Default)]
pub(super) struct TokenState {
    pub(super) token: Option<Arc<Token>>,
    /// Number of tokens so far.
    generation: u64,
    /// When the token was last seen to be valid.
    proved: Option<Instant>,
    /// The failure of the last login, and its time: for reads that waited for the login.
    pub(super) failed: Option<(Instant, Cause)>,
    /// Our policies do not allow `lookup-self`, so a refused lookup proves nothing.
    lookup_forbidden: bool,
    /// Replaced tokens that may still be valid.
    pub(super) replaced: Vec<Arc<Token>>,
    /// The next step for the token, and its time. Only in a session that stays.
    pub(super) task: Option<Task>,
    /// When the last login began.
    asked: Option<Instant>,
    /// How many logins failed in a row.
    pub(super) failures: u32,
    unwrapped: Option<Unwrapped>,
}

impl TokenState {
    /// Whether a token is still valid, but so near its end that the next read gets a new one.
    fn is_outdated(&self, token: &Token) -> bool {
        let outdated = matches!(
            self.task,
            Some(Task {
                step: KeeperStep::Outdated,
                ..
            })
        );
        outdated && token.life.is_some()
    }
}

impl SharedLogin {
    pub(super) fn new(link: ServerLink, auth: VaultAuth) -> Self {
        Self {
            link,
            auth,
            runner: None,
            spends_nothing: false,
            state: Mutex::default(),
            generations: watch::Sender::new(0),
            stirred: Notify::new(),
        }
    }

    /// Where a GitHub Actions job gets its JWT.
    pub(super) fn set_runner(&mut self, runner: Arc<Runner>) {
        self.runner = Some(runner);
    }

    /// From now on credentials that work only once are not used.
    pub(super) fn spend_nothing(&mut self) {
        self.spends_nothing = true;
    }

    /// The identity as messages name it.
    pub(super) fn identity(&self) -> String {
        describe(&self.auth)
    }

    /// The same for a message with this cause; nothing if the cause already names it, such as an
    /// unusable token file.
    pub(super) fn identity_beside(&self, cause: &Cause) -> Option<String> {
        let names_a_file = matches!(
            cause,
            Cause::File(_) | Cause::Setup(Setup::Credential { .. })
        );
        let is_named = names_a_file && matches!(self.auth, VaultAuth::Token { .. });
        (!is_named).then(|| self.identity())
    }

    /// Sends a request with our token. A refusal that is returned is due to policy.
    pub(super) async fn ask(&self, call: &Call) -> Result<Reply, RequestEnd> {
        let token = self.token().await?;
        let answer = self.link.persist(call, &token).await;
        if !needs_another_token(&answer) {
            return Ok(answer?);
        }
        let Some(fresh) = self.successor(&token).await? else {
            return Ok(answer?);
        };
        let answer = self.link.persist(call, &fresh).await;
        if needs_another_token(&answer) {
            self.learn_lookup(&fresh, &token).await;
        }
        Ok(answer?)
    }

    pub(super) async fn token(&self) -> Result<Arc<Token>, RequestEnd> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        match &state.token {
            Some(token) if !token.is_spent(asked) && !state.is_outdated(token) => Ok(token.clone()),
            Some(_) | None => self.log_in(&mut state, asked).await,
        }
    }

    /// A token to replace a refused one; nothing if the refused token is valid.
    async fn successor(&self, refused: &Arc<Token>) -> Result<Option<Arc<Token>>, RequestEnd> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        match &state.token {
            Some(current) if current.generation != refused.generation => {
                return Ok(Some(current.clone()));
            }
            Some(_) | None => (),
        }
        if state.lookup_forbidden || state.proved.is_some_and(|at| at >= asked) {
            return Ok(None);
        }
        let lookup = Call::from_endpoint(&LookupTokenSelfRequest {})?;
        match self.link.persist(&lookup, refused).await {
            Ok(_) => {
                state.proved = Some(Instant::now());
                Ok(None)
            }
            Err(Cause::Refusal(ServerRefusal::Forbidden { .. })) => {
                tracing::info!("vault refused the token: it is wrong or expired");
                let fresh = self.log_in(&mut state, asked).await?;
                if fresh.credential == refused.credential {
                    let cause = Cause::from(ServerRefusal::TokenSpent);
                    state.failed = Some((Instant::now(), cause.clone()));
                    return Err(RequestEnd::Login(cause));
                }
                Ok(Some(fresh))
            }
            Err(cause) => Err(cause.into()),
        }
    }

    /// A new token was refused too: if it may not look itself up, the token before was probably as
    /// good.
    async fn learn_lookup(&self, fresh: &Token, before: &Arc<Token>) {
        let Ok(lookup) = Call::from_endpoint(&LookupTokenSelfRequest {}) else {
            return;
        };
        let looked = self.link.persist(&lookup, fresh).await;
        if matches!(looked, Err(Cause::Refusal(ServerRefusal::Forbidden { .. }))) {
            let mut state = self.state.lock().await;
            state.lookup_forbidden = true;
            state.replaced.push(before.clone());
        }
    }

    pub(super) async fn log_in(
        &self,
        state: &mut TokenState,
        asked: Instant,
    ) -> Result<Arc<Token>, RequestEnd> {
        if let Some((at, cause)) = &state.failed
            && *at >= asked
        {
            return Err(RequestEnd::Login(cause.clone()));
        }
        if self.link.stays() {
            self.take_a_turn(state).await.map_err(RequestEnd::Login)?;
        }
        state.generation += 1;
        let generation = state.generation;
        match self.who(state).token(&self.link, generation).await {
            Ok(fresh) => {
                self.link.logged_in(true);
                Ok(self.store_token(state, fresh))
            }
            Err(cause) => {
                self.link.logged_in(false);
                state.failed = Some((Instant::now(), cause.clone()));
                self.plan_a_login(state, &cause);
                Err(RequestEnd::Login(cause))
            }
        }
    }

    /// A login failed: plans the next attempt, not before the server's requested wait, within our
    /// limit.
    fn plan_a_login(&self, state: &mut TokenState, cause: &Cause) {
        if !self.link.stays() {
            return;
        }
        state.failures += 1;
        let longest = match cause.is_passing() {
            true => TROUBLE,
            false => LOGINS.1,
        };
        let wait = backoff(LOGINS.0, longest, state.failures, chance());
        let least = cause.asked_wait().unwrap_or(LOGINS.0);
        state.task = Some(Task {
            at: Instant::now() + wait.max(least).min(LOGINS.1),
            step: KeeperStep::LogIn,
        });
        self.stirred.notify_one();
    }

    pub(super) fn who<'a>(&'a self, state: &'a mut TokenState) -> VaultIdentity<'a> {
        VaultIdentity {
            auth: &self.auth,
            runner: self.runner.as_deref(),
            spends_nothing: self.spends_nothing,
            unwrapped: &mut state.unwrapped,
        }
    }

    /// Waits until [`ONE_LOGIN`] has passed since the last login. While logins fail, only the
    /// identity's own schedule tries again.
    async fn take_a_turn(&self, state: &mut TokenState) -> Result<(), Cause> {
        let now = Instant::now();
        if let (Some((_, cause)), Some(Task { at, .. })) = (&state.failed, &state.task)
            && state.failures > 0
            && *at > now
        {
            return Err(cause.clone());
        }
        if let Some(asked) = state.asked {
            tokio::time::sleep_until(asked + ONE_LOGIN).await;
        }
        state.asked = Some(Instant::now());
        Ok(())
    }

    fn store_token(&self, state: &mut TokenState, fresh: Token) -> Arc<Token> {
        if let Some(same) = &state.token
            && same.credential == fresh.credential
        {
            // A token file that still holds the same token: what depends on it goes on.
            let same = same.clone();
            (state.failures, state.failed) = (0, None);
            return same;
        }
        let fresh = Arc::new(fresh);
        let before = state.token.replace(fresh.clone());
        let now = Instant::now();
        state.replaced.extend(before.filter(|before| {
            self.link.stays() && before.credential != fresh.credential && !before.is_spent(now)
        }));
        state.failures = 0;
        state.failed = None;
        counters::VAULT_LOGINS.count();
        if self.link.stays() {
            state.task = Task::for_new_token(&fresh);
            self.generations.send_replace(state.generation);
            self.stirred.notify_one();
        }
        fresh
    }

    /// Revokes our tokens, unless delivered data depends on them (`outlive`). Warns and never
    /// fails.
    pub(super) async fn revoke_tokens(self, outlive: bool) {
        let TokenState {
            token, replaced, ..
        } = self.state.into_inner();
        let ours = token
            .iter()
            .chain(&replaced)
            .filter(|token| token.revocable);
        if outlive {
            let life = token.as_ref().and_then(|token| token.life);
            tracing::info!(
                ttl_s = life.map(|life| life.span.as_secs()),
                "vault token left to live: leased data depends on it"
            );
            return;
        }
        let Ok(revoke) = Call::from_endpoint(&RevokeTokenSelfRequest {}) else {
            return;
        };
        let farewell = match self.link.stays() {
            true => FAREWELL_OF_MANY,
            false => FAREWELL,
        };
        let limit = Instant::now() + farewell;
        for token in ours {
            match self.link.once_by(limit, &revoke, Some(token), &[]).await {
                Ok(_) => tracing::debug!("vault token revoked"),
                Err(cause) => tracing::warn!("vault token not revoked, it ends by itself: {cause}"),
            }
        }
    }
}

/// Whether the token may be the cause of this answer. The check before a mount lookup depends only
/// on policy.
fn needs_another_token(answer: &Result<Reply, Cause>) -> bool {
    let Err(Cause::Refusal(ServerRefusal::Forbidden { ban, .. })) = answer else {
        return false;
    };
    *ban != Ban::Preflight
}
