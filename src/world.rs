//! The outside as one pass sees it: Vault sessions, the Kubernetes client, the clock's end. The seam for tests.
//!
//! Nothing here is made before it is needed: a configuration without Kubernetes never looks for a kubeconfig.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::config::Config;
use crate::disk::set::Retired;
use crate::envelope::age::Identity;
use crate::envelope::sealed::Keyring;
use crate::kubernetes::{self, Kubernetes};
use crate::report::{Class, Failure};
use crate::vault::{Runner, Session};

/// Everything with a side effect that sources, observers and appliers share.
pub struct World {
    /// With it, every file target must lie beneath.
    pub root: Option<PathBuf>,
    /// When all waiting ends.
    pub deadline: Instant,
    /// How many Secrets of a set of manifests may be deleted at once, where a person said so.
    pub allow_deletes: usize,
    /// Files that this pass replaced; they go, after a moment for their readers, when the world does.
    pub retired: Retired,
    vaults: BTreeMap<String, Session>,
    kubernetes: OnceCell<Kubernetes>,
    identities: OnceCell<Result<Vec<Identity>, Failure>>,
    keyring: OnceCell<Result<Arc<Keyring>, Failure>>,
}

impl World {
    /// A world for this configuration; nothing is connected yet.
    pub fn new(config: &Config, root: Option<PathBuf>, patience: Duration) -> Self {
        let deadline = Instant::now() + patience;
        let vaults = config
            .vaults
            .values()
            .map(|server| (server.name.clone(), Session::new(server.clone(), deadline)))
            .collect();
        Self {
            root,
            deadline,
            allow_deletes: 0,
            retired: Retired::default(),
            vaults,
            kubernetes: OnceCell::new(),
            identities: OnceCell::new(),
            keyring: OnceCell::new(),
        }
    }

    /// The same world with a cluster that was found elsewhere.
    #[must_use]
    pub fn with_kubernetes(self, kubernetes: Kubernetes) -> Self {
        Self {
            kubernetes: OnceCell::new_with(Some(kubernetes)),
            ..self
        }
    }

    /// The same world in which so many Secrets of a set of manifests may be deleted at once, because a person said so.
    #[must_use]
    pub fn with_allowed_deletes(self, allow_deletes: usize) -> Self {
        Self {
            allow_deletes,
            ..self
        }
    }

    /// The same world in a GitHub Actions job.
    #[must_use]
    pub fn with_runner(mut self, runner: Runner) -> Self {
        let runner = Arc::new(runner);
        self.vaults = std::mem::take(&mut self.vaults)
            .into_iter()
            .map(|(name, session)| (name, session.with_runner(Arc::clone(&runner))))
            .collect();
        self
    }

    /// The same world, in which credentials' files may still have to come: before a pod starts.
    #[must_use]
    pub fn waiting_for_files(mut self) -> Self {
        self.vaults = std::mem::take(&mut self.vaults)
            .into_iter()
            .map(|(name, session)| (name, session.waiting_for_files()))
            .collect();
        self
    }

    /// The session with a named Vault server.
    pub fn vault(&self, server: &str) -> Result<&Session, Failure> {
        self.vaults.get(server).ok_or_else(|| {
            Failure::new(
                Class::Usage,
                format!("no vault server `{server}` is configured"),
            )
        })
    }

    /// The cluster, found on first use: in a pod by its ServiceAccount, else by kubeconfig.
    pub async fn kubernetes(&self) -> Result<&Kubernetes, Failure> {
        self.kubernetes
            .get_or_try_init(|| kubernetes::connect(self.deadline))
            .await
    }

    /// The age identities, loaded by the first who needs them.
    pub async fn identities(
        &self,
        load: impl Future<Output = Result<Vec<Identity>, Failure>>,
    ) -> Result<&[Identity], Failure> {
        let loaded = self.identities.get_or_init(|| load).await;
        loaded.as_deref().map_err(Failure::clone)
    }

    /// The sealing keys, loaded by the first who needs them.
    pub async fn keyring(
        &self,
        load: impl Future<Output = Result<Keyring, Failure>>,
    ) -> Result<Arc<Keyring>, Failure> {
        let load = async { load.await.map(Arc::new) };
        self.keyring.get_or_init(|| load).await.clone()
    }

    /// Ends what this pass opened: revokes each token that fetched no leased data. Warns and never fails.
    pub async fn close(self) {
        futures_util::future::join_all(self.vaults.into_values().map(Session::close)).await;
    }
}
