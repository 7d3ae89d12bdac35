//! A client for Vault and OpenBao: our own envelope and errors over `net`, with the endpoint types
//! of `vaultrs`.
//!
//! ```text
//! Session ─► kv (meaning of path) ─► access (one token) ─► client (retries) ─► net
//!               └► mounts                └► auth, wrapping, actions   └► document
//! ```
//!
//! Architecture invariant: no redirect leaves the configured host, no body or token is in an error,
//! and one identity has one token.

mod access;
pub mod admin;
mod auth;
mod ca_files;
pub mod cache;
mod client;
mod endpoint;
mod error;
mod failure_reasons;
mod github_actions;
mod json;
mod kv;
mod lease;
mod lifetime;
mod mounts;
mod path;
mod response;
mod retry;
pub mod rights;
mod token;
mod token_keeper;
mod token_task;
mod version;
mod wrapping;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use ca_files::check_roots;
pub use github_actions::Runner;
pub use lease::Renewal;
pub use lifetime::LONGEST;
pub use version::{KnownVersion, NewestVersion, VersionState};

use self::access::SharedLogin;
use self::client::ServerLink;
use self::error::{Cause, RequestEnd, VaultError};
use self::failure_reasons::{OverLimit, ServerRefusal, Setup};
use self::kv::Question;
use self::mounts::Mounts;
use self::path::DataPath;
use self::version::Refused;
use crate::base::coding::base64;
use crate::base::failure::{Class, Failure};
use crate::base::material::{Material, Node, SecretBytes};
use crate::config::{Location, VaultAuth, VaultRead, VaultServer};
use crate::process::memory;
use crate::process::time_limit::TimeLimit;

/// One server, one identity, at most one token. Logs in on first use.
pub struct Session {
    server: String,
    spec: VaultServer,
    /// Where the configuration sets the address and the identity.
    places: [Location; 2],
    access: Result<SharedLogin, Cause>,
    mounts: Mounts,
    refused: Refused,
    /// Number of deliveries that hold leased data of this session.
    leases: AtomicUsize,
}

impl Session {
    /// A session that has not connected yet.
    pub fn new(server: VaultServer, time_limit: impl Into<TimeLimit>) -> Self {
        let link = auth::check_mount(&server.auth)
            .map_err(Cause::from)
            .and_then(|()| ServerLink::new(&server, time_limit.into()));
        Self {
            server: server.name.clone(),
            spec: server.anywhere(),
            places: [server.address_at.clone(), server.auth_at.clone()],
            access: link.map(|link| SharedLogin::new(link, server.auth)),
            mounts: Mounts::default(),
            refused: Refused::default(),
            leases: AtomicUsize::new(0),
        }
    }

    /// The same session in a GitHub Actions job.
    #[must_use]
    pub fn with_runner(mut self, runner: Arc<Runner>) -> Self {
        self.set_runner(runner);
        self
    }

    /// Where a GitHub Actions job gets its JWT.
    pub fn set_runner(&mut self, runner: Arc<Runner>) {
        if let Ok(access) = &mut self.access {
            access.set_runner(runner);
        }
    }

    /// The identity that we use there.
    pub fn auth(&self) -> &VaultAuth {
        &self.spec.auth
    }

    /// Whether another session has the same settings, wherever they were written.
    pub fn is_like(&self, other: &Self) -> bool {
        self.spec == other.spec
    }

    /// The same session, which waits for its credentials' files until the deadline.
    #[must_use]
    pub fn waiting_for_files(mut self) -> Self {
        self.wait_for_files();
        self
    }

    /// Lets credentials' files and a trusted certificate come late.
    pub fn wait_for_files(&mut self) {
        if let Ok(access) = &mut self.access {
            access.link.wait_for_others();
        }
    }

    /// Leaves a wrapped secret id unused: a mode that only looks must not use it up.
    pub fn spend_nothing(&mut self) {
        if let Ok(access) = &mut self.access {
            access.spend_nothing();
        }
    }

    /// The same read with the one name for all spellings of its path.
    pub async fn resolve(&self, read: &VaultRead) -> Result<VaultRead, Failure> {
        if read.write.is_some() || read.exact {
            return Ok(read.clone());
        }
        let asked = async {
            let path = DataPath::parse(&read.path).map_err(Setup::Path)?;
            let access = self.access.as_ref().map_err(Cause::clone)?;
            kv::data_path(access, &self.mounts, &path).await
        };
        let path = asked.await.map_err(|stop| self.failure(stop, read))?;
        Ok(VaultRead {
            path: path.unwrap_or_else(|| read.path.clone()),
            ..read.clone()
        })
    }

    /// Reads one path (or, with `write`, writes to it) and gives its data.
    pub async fn read(&self, read: &VaultRead) -> Result<Material, Failure> {
        let material = self
            .fetch(read)
            .await
            .map_err(|stop| self.failure(stop, read))?;
        if let Some(lease) = &material.lease {
            tracing::info!(
                path = read.path,
                lease_s = lease.seconds,
                renewable = lease.renewable,
                "leased data read"
            );
        }
        Ok(material)
    }

    /// Lets a transit engine decrypt, and gives the plain bytes.
    pub async fn decrypt(&self, request: &VaultRead) -> Result<SecretBytes, Failure> {
        let answer = self.fetch(request).await.map_err(|stop| {
            let is_no = matches!(
                &stop,
                RequestEnd::Read(Cause::Refusal(ServerRefusal::Rejected { .. }))
            );
            let failure = self.failure(stop, request);
            match is_no {
                // The server does not have this key, or has another one of this name.
                true => Failure {
                    class: Class::Undecryptable,
                    ..failure
                },
                false => failure,
            }
        })?;
        let text = answer
            .documents
            .first()
            .and_then(|data| data.entry("plaintext"));
        let bytes = text
            .and_then(Node::leaf)
            .and_then(|text| base64::decode(text.expose()));
        let unclear = || RequestEnd::from(Cause::not_vault("transit without plaintext"));
        match bytes {
            Some(bytes) => Ok(SecretBytes::from(bytes)),
            None => Err(self.failure(unclear(), request)),
        }
    }

    async fn fetch(&self, read: &VaultRead) -> Result<Material, RequestEnd> {
        let VaultRead {
            server: _,
            path,
            exact,
            version,
            write,
        } = read;
        let path = &DataPath::parse(path).map_err(Setup::Path)?;
        let access = self.access.as_ref().map_err(Cause::clone)?;
        let question = Question {
            path,
            exact: *exact,
            version: *version,
        };
        let material = match write {
            Some(body) => kv::write(access, path, body).await,
            None => kv::read(access, &self.mounts, question).await,
        }?;
        // Refused here, so that the data is not kept.
        memory::check().map_err(|full| Cause::from(OverLimit::from(full)))?;
        Ok(material)
    }

    /// The failure of a read; its hint names the place in the configuration that must be checked.
    fn failure(&self, stop: RequestEnd, read: &VaultRead) -> Failure {
        let login = matches!(stop, RequestEnd::Login(_));
        let (RequestEnd::Login(cause) | RequestEnd::Read(cause)) = &stop;
        let of_the_server = cause.is_of_the_server();
        let refused = login && cause.is_refused_login();
        let mut failure = Failure::from(self.name(stop, read));
        if refused && let VaultAuth::AppRole { mount, .. } = &self.spec.auth {
            failure.hint = Some(format!(
                "write a new secret id into the file, it may have ended or been used up (`vault \
                 write -f auth/{mount}/role/ROLE/secret-id`), and check that the role id is that \
                 of the role (`vault read auth/{mount}/role/ROLE/role-id`)"
            ));
        }
        let [address_at, auth_at] = &self.places;
        let place = match (of_the_server, login) {
            // The address may contain a password, so only its place is shown.
            (true, _) => Some(format!("`address` is at {address_at}")),
            (false, true) => Some(format!("`auth` is at {auth_at}")),
            (false, false) => None,
        };
        failure.hint = match (failure.hint, place) {
            (Some(hint), Some(place)) => Some(format!("{hint}; {place}")),
            (hint, place) => hint.or(place),
        };
        failure
    }

    fn name(&self, stop: RequestEnd, read: &VaultRead) -> VaultError {
        let server = self.server.clone();
        // A refused path may contain characters that must not reach a terminal.
        let path = match read.path.contains(char::is_control) {
            true => read.path.escape_debug().to_string(),
            false => read.path.clone(),
        };
        match (stop, &self.access) {
            (RequestEnd::Login(source), Ok(access)) => VaultError::Login {
                server,
                identity: access.identity_beside(&source),
                source,
            },
            (RequestEnd::Login(source) | RequestEnd::Read(source), _) => match read.write {
                None => VaultError::Read {
                    server,
                    path,
                    source,
                },
                Some(_) => VaultError::Write {
                    server,
                    path,
                    source,
                },
            },
        }
    }

    /// The number of the present token: data that ends with its token is read again when this
    /// grows.
    pub fn generation(&self) -> u64 {
        match &self.access {
            Ok(access) => *access.generations.borrow(),
            Err(_) => 0,
        }
    }

    /// Waits for the next token.
    pub async fn next_generation(&self, after: u64) {
        let Ok(access) = &self.access else {
            return std::future::pending().await;
        };
        let mut generations = access.generations.subscribe();
        // The sender lives as long as this session.
        let _ = generations.wait_for(|now| *now > after).await;
    }

    /// Keeps the token valid, for ever. `leased` says whether delivered data ends with it.
    pub async fn tend(&self, leased: impl Fn() -> bool) {
        match &self.access {
            Ok(access) => access.tend(leased).await,
            Err(_) => std::future::pending().await,
        }
    }

    /// A file of our credentials changed.
    pub async fn credential_changed(&self, leased: bool) {
        if let Ok(access) = &self.access {
            access.credential_changed(leased).await;
        }
    }

    /// Gives back replaced tokens once nothing depends on them.
    pub async fn give_back_replaced(&self) {
        if let Ok(access) = &self.access {
            access.give_back_replaced().await;
        }
    }

    /// The newest version of a KV v2 secret; nothing if only a full read can tell.
    pub async fn version(&self, read: &VaultRead) -> Result<Option<NewestVersion>, Failure> {
        let asked = async {
            let path = DataPath::parse(&read.path).map_err(Setup::Path)?;
            let access = self.access.as_ref().map_err(Cause::clone)?;
            version::version(access, &self.mounts, &self.refused, &path).await
        };
        asked.await.map_err(|stop| self.failure(stop, read))
    }

    /// All versions in the metadata of a secret, the newest first; nothing for a path that is not
    /// in KV v2.
    pub async fn versions(&self, read: &VaultRead) -> Result<Option<Vec<KnownVersion>>, Failure> {
        let asked = async {
            let path = DataPath::parse(&read.path).map_err(Setup::Path)?;
            let access = self.access.as_ref().map_err(Cause::clone)?;
            version::versions(access, &self.mounts, &path).await
        };
        asked.await.map_err(|stop| self.failure(stop, read))
    }

    /// Leased data is being delivered: the token must outlive this process.
    pub fn outlive(&self) {
        self.leases.fetch_add(1, Ordering::Relaxed);
    }

    /// The data was not delivered after all.
    pub fn let_go(&self) {
        self.leases.fetch_sub(1, Ordering::Relaxed);
    }

    /// Revokes the token unless leased data was delivered; waits at most two seconds, warns, never
    /// fails.
    pub async fn close(self) {
        if let Ok(access) = self.access {
            access.revoke_tokens(self.leases.into_inner() > 0).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn a_session_can_be_used_from_any_thread() {
        fn check(_: impl Send) {}
        let session = Session::new(
            VaultServer {
                name: "default".to_owned(),
                address: "http://127.0.0.1:1".to_owned(),
                namespace: None,
                ca_file: None,
                server_name: None,
                allow_plaintext: false,
                auth: VaultAuth::Token {
                    file: "/nowhere".into(),
                },
                at: Location::default(),
                ca_at: Location::default(),
                address_at: Location::default(),
                auth_at: Location::default(),
            },
            Instant::now(),
        );
        let read = VaultRead {
            server: "default".to_owned(),
            path: "kv/data/a".to_owned(),
            exact: false,
            version: None,
            write: None,
        };
        check(session.read(&read));
        check(session.close());
    }
}
