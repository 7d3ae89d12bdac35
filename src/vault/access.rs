//! One identity's way in: logs in on first use, once for all reads, and finds out what a 403 means.
//!
//! Invariant: readers that wait for the same login share its end, good or bad; a token that is
//! refused is looked at once and replaced at most once per read. So a broken identity costs one
//! login's tries, not one per read.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RevokeTokenSelfRequest};

use super::actions::Runner;
use super::auth::{Unwrapped, VaultIdentity, describe};
use super::client::ServerLink;
use super::envelope::Reply;
use super::error::{Cause, RequestEnd};
use super::reasons::{Ban, ServerRefusal, Setup};
use super::token::Token;
use super::token_keeper::Task;
use crate::base::counters;
use crate::config::VaultAuth;
use crate::net::Call;

/// How long the end of a session may take; one that stayed ends with many others, when a node or a
/// namespace goes.
const FAREWELL: Duration = Duration::from_secs(2);
const FAREWELL_OF_MANY: Duration = Duration::from_secs(4);

/// One identity logs in at most once in this time, whoever asks.
const ONE_LOGIN: Duration = Duration::from_secs(1);

/// The way in.
pub(super) struct SharedLogin {
    pub(super) link: ServerLink,
    auth: VaultAuth,
    runner: Option<Arc<Runner>>,
    spends_nothing: bool,
    pub(super) state: Mutex<TokenState>,
    /// Counts the tokens: who depends on one hears of the next.
    pub(super) generations: watch::Sender<u64>,
    /// Something about the token's life changed.
    pub(super) stirred: Notify,
}

/// What is known of our tokens.
#[derive(Default)]
pub(super) struct TokenState {
    pub(super) token: Option<Arc<Token>>,
    /// How many tokens there were.
    generation: u64,
    /// When the token was last seen to be valid.
    proved: Option<Instant>,
    /// How the last login failed, and when: for those who waited for it.
    pub(super) failed: Option<(Instant, Cause)>,
    /// Our policies do not allow `lookup-self`, so its refusal says nothing.
    lookup_forbidden: bool,
    /// Tokens that were replaced although they may be valid.
    pub(super) replaced: Vec<Arc<Token>>,
    /// What is to be done about the token by itself, and when. Only of a session that stays.
    pub(super) task: Option<Task>,
    /// When the last login began.
    asked: Option<Instant>,
    /// How many logins failed in a row.
    pub(super) failures: u32,
    unwrapped: Option<Unwrapped>,
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

    /// From now on what works only once is left as it is.
    pub(super) fn spend_nothing(&mut self) {
        self.spends_nothing = true;
    }

    /// How messages name the identity.
    pub(super) fn identity(&self) -> String {
        describe(&self.auth)
    }

    /// The same beside the reason why it cannot log in: nothing where that names it, as a token
    /// file that is no good.
    pub(super) fn identity_beside(&self, cause: &Cause) -> Option<String> {
        let names_a_file = matches!(
            cause,
            Cause::File(_) | Cause::Setup(Setup::Credential { .. })
        );
        let is_named = names_a_file && matches!(self.auth, VaultAuth::Token { .. });
        (!is_named).then(|| self.identity())
    }

    /// Asks with our token. A refusal that comes back is one of policy.
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

    /// A token to use instead of one that was refused; nothing if that one is valid.
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
        let lookup = Call::of(&LookupTokenSelfRequest {})?;
        match self.link.persist(&lookup, refused).await {
            Ok(_) => {
                state.proved = Some(Instant::now());
                Ok(None)
            }
            Err(Cause::Refusal(ServerRefusal::Forbidden { .. })) => {
                tracing::info!("vault refused the token: it is wrong or expired");
                let fresh = self.log_in(&mut state, asked).await?;
                if fresh.credential == refused.credential {
                    return Err(RequestEnd::Login(ServerRefusal::TokenSpent.into()));
                }
                Ok(Some(fresh))
            }
            Err(cause) => Err(cause.into()),
        }
    }

    /// A fresh token was refused too: if it may not look at itself, the one before was probably as
    /// good.
    async fn learn_lookup(&self, fresh: &Token, before: &Arc<Token>) {
        let Ok(lookup) = Call::of(&LookupTokenSelfRequest {}) else {
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
                Ok(self.take(state, fresh))
            }
            Err(cause) => {
                self.link.logged_in(false);
                state.failed = Some((Instant::now(), cause.clone()));
                self.plan_a_login(state, &cause);
                Err(RequestEnd::Login(cause))
            }
        }
    }

    pub(super) fn who<'a>(&'a self, state: &'a mut TokenState) -> VaultIdentity<'a> {
        VaultIdentity {
            auth: &self.auth,
            runner: self.runner.as_deref(),
            spends_nothing: self.spends_nothing,
            unwrapped: &mut state.unwrapped,
        }
    }

    /// Waits until the second of the last login is over. While an identity fails, only its own
    /// timetable asks again.
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

    fn take(&self, state: &mut TokenState, fresh: Token) -> Arc<Token> {
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
            state.task = Task::of(&fresh);
            self.generations.send_replace(state.generation);
            self.stirred.notify_one();
        }
        fresh
    }

    /// Revokes what is ours, unless it must `outlive` us. Warns and never fails.
    pub(super) async fn end(self, outlive: bool) {
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
        let Ok(revoke) = Call::of(&RevokeTokenSelfRequest {}) else {
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

/// Whether an answer may be due to the token. The check before a mount lookup is one of policy
/// alone.
fn needs_another_token(answer: &Result<Reply, Cause>) -> bool {
    let Err(Cause::Refusal(ServerRefusal::Forbidden { ban, .. })) = answer else {
        return false;
    };
    *ban != Ban::Preflight
}
