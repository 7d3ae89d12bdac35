//! Requests to Vault: the transport with our headers, the meaning of answers, and the only retry
//! loop.

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::error::Cause;
use super::response::{self, Reply};
use super::retry::Pace;
use super::token::Token;
use crate::base::counters;
use crate::config::VaultServer;
use crate::net::{Call, NetError, Transport, Trust};
use crate::process::time_limit::TimeLimit;

const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");

/// Agents and proxies of Vault may require it: a browser that was tricked into a request cannot
/// send it.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// The connection to one server and namespace until a deadline.
pub(super) struct ServerLink {
    server: String,
    transport: Transport,
    headers: HeaderMap,
    time_limit: TimeLimit,
    /// Whether to wait for things that others must still correct.
    waits: bool,
}

impl ServerLink {
    /// Opens nothing yet; reports what in the configuration cannot be used.
    pub(super) fn new(server: &VaultServer, time_limit: TimeLimit) -> Result<Self, Cause> {
        let trust = Trust {
            ca_file: server.ca_file.clone(),
            server_name: server.server_name.clone(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST, HeaderValue::from_static("true"));
        if let Some(namespace) = &server.namespace {
            let value = HeaderValue::from_str(namespace).map_err(|_| NetError::Address {
                address: server.address.clone(),
                why: "its namespace holds a sign that no header has",
            })?;
            headers.insert(NAMESPACE, value);
        }
        Ok(Self {
            server: server.name.clone(),
            transport: Transport::new(&server.address, trust, server.allow_plaintext)?,
            headers,
            time_limit,
            waits: false,
        })
    }

    pub(super) fn deadline(&self) -> Instant {
        self.time_limit.deadline()
    }

    /// From now on others may still have to correct something: a credential's file, a certificate.
    pub(super) fn wait_for_others(&mut self) {
        self.waits = true;
    }

    /// Whether to wait for things that others must still correct.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// Whether there will be another attempt later.
    pub(super) fn stays(&self) -> bool {
        self.time_limit.stays()
    }

    /// Counts the attempts of one request.
    pub(super) fn pace(&self) -> Pace {
        Pace::new(&self.server, self.time_limit, self.waits)
    }

    /// Counts a login, granted or refused.
    pub(super) fn logged_in(&self, well: bool) {
        counters::VAULT_LOGGED_IN.set(&self.server, well);
    }

    /// Sends a request once. `secrets` are those in the body: a server may echo them.
    pub(super) async fn once(
        &self,
        call: &Call,
        token: Option<&Token>,
        secrets: &[&str],
    ) -> Result<Reply, Cause> {
        self.once_by(self.deadline(), call, token, secrets).await
    }

    /// Sends a request once, with another deadline.
    pub(super) async fn once_by(
        &self,
        limit: Instant,
        call: &Call,
        token: Option<&Token>,
        secrets: &[&str],
    ) -> Result<Reply, Cause> {
        let mut headers = self.headers.clone();
        let mut secrets = secrets.to_vec();
        if let Some(token) = token {
            headers.insert(TOKEN, token.credential.header());
            secrets.push(token.credential.expose_str());
        }
        counters::VAULT_REQUESTS.count();
        let reply = self.send(call, &headers, &secrets, limit).await;
        if reply.is_err() {
            counters::VAULT_ERRORS.count();
        }
        // A server that refuses is working.
        let down = reply.as_ref().is_err_and(Cause::is_passing);
        counters::VAULT_UP.set(&self.server, !down);
        for warning in reply.iter().flat_map(|reply| &reply.warnings) {
            tracing::warn!(path = call.target.path(), "vault warned: {warning}");
        }
        reply
    }

    async fn send(
        &self,
        call: &Call,
        headers: &HeaderMap,
        secrets: &[&str],
        limit: Instant,
    ) -> Result<Reply, Cause> {
        let path = call.target.path();
        let begun = Instant::now();
        tracing::trace!(
            method = %call.method, path, with_token = headers.contains_key(TOKEN), "asking vault",
        );
        let answer = self.transport.send(call, headers, limit).await;
        let answer = answer.map_err(Cause::from);
        let took_ms = begun.elapsed().as_millis();
        match answer {
            Ok(answer) => {
                let status = answer.status.as_u16();
                tracing::debug!(method = %call.method, path, status, took_ms, "vault answered");
                response::interpret(&answer, secrets)
            }
            Err(cause) => {
                tracing::debug!(
                    method = %call.method, path, took_ms, %cause, "vault did not answer",
                );
                Err(cause)
            }
        }
    }

    /// Repeats a request until the answer will not change by waiting.
    pub(super) async fn persist(&self, call: &Call, token: &Token) -> Result<Reply, Cause> {
        let mut pace = self.pace();
        loop {
            match self.once(call, Some(token), &[]).await {
                Err(cause) if cause.is_passing() => pace.pause(cause).await?,
                settled => return settled,
            }
        }
    }
}

impl Drop for ServerLink {
    fn drop(&mut self) {
        counters::VAULT_UP.remove(&self.server);
        counters::VAULT_LOGGED_IN.remove(&self.server);
    }
}
