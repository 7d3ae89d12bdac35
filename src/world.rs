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
use crate::disk::Unswept;
use crate::disk::set::Retired;
use crate::envelope::age::Identity;
use crate::envelope::sealed::Keyring;
use crate::halt::Halt;
use crate::kubernetes::{self, Kubernetes};
use crate::patience::Patience;
use crate::report::{Class, Failure};
use crate::shelf::Shelf;
use crate::turns::Turns;
use crate::vault::{Runner, Session};

/// Everything with a side effect that sources, observers and appliers share.
pub struct World {
    /// With it, every file target must lie beneath.
    pub root: Option<PathBuf>,
    /// How long waiting may take.
    pub patience: Patience,
    /// What is kept between passes; nothing where there is only one.
    pub shelf: Option<Arc<Shelf>>,
    /// The end that a signal asks for.
    pub halt: Arc<Halt>,
    /// How many Secrets of a set of manifests, or copies of a delivery, may be deleted at once, where a person said so.
    pub allow_deletes: usize,
    /// Files that this pass replaced; they go, after a moment for their readers, when the world does.
    pub retired: Retired,
    /// How many deliveries are on their way at once.
    pub turns: Arc<Turns>,
    /// What killed runs left in the folders of targets, as far as it was looked for.
    pub unswept: Arc<Unswept>,
    vaults: BTreeMap<String, Arc<Session>>,
    kubernetes: Arc<OnceCell<Kubernetes>>,
    identities: OnceCell<Result<Arc<[Identity]>, Failure>>,
    keyring: OnceCell<Result<Arc<Keyring>, Failure>>,
}

impl World {
    /// A world for one pass of this configuration; nothing is connected yet.
    pub fn new(config: &Config, root: Option<PathBuf>, patience: Duration) -> Self {
        Self::with(config, root, Patience::Until(Instant::now() + patience))
    }

    /// A world for many passes, each step of which may take this long.
    pub fn staying(config: &Config, root: Option<PathBuf>, step: Duration) -> Self {
        Self {
            shelf: Some(Arc::default()),
            ..Self::with(config, root, Patience::Each(step))
        }
    }

    fn with(config: &Config, root: Option<PathBuf>, patience: Patience) -> Self {
        let session = |server: &crate::config::VaultServer| Session::new(server.clone(), patience);
        Self {
            root,
            patience,
            shelf: None,
            halt: Arc::default(),
            allow_deletes: 0,
            retired: Retired::default(),
            turns: Arc::default(),
            unswept: Arc::default(),
            vaults: config
                .vaults
                .values()
                .map(|server| (server.name.clone(), Arc::new(session(server))))
                .collect(),
            kubernetes: Arc::default(),
            identities: OnceCell::new(),
            keyring: OnceCell::new(),
        }
    }

    /// The same world with a cluster that was found elsewhere.
    #[must_use]
    pub fn with_kubernetes(self, kubernetes: Kubernetes) -> Self {
        Self {
            kubernetes: Arc::new(OnceCell::new_with(Some(kubernetes))),
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
        for session in self.vaults.values_mut() {
            if let Some(session) = Arc::get_mut(session) {
                session.set_runner(Arc::clone(&runner));
            }
        }
        self
    }

    /// The same world for one more pass: what is connected stays, keys are loaded anew.
    #[must_use]
    pub fn for_a_pass(&self) -> Self {
        Self {
            root: self.root.clone(),
            patience: self.patience,
            shelf: self.shelf.clone(),
            halt: Arc::clone(&self.halt),
            allow_deletes: self.allow_deletes,
            retired: Retired::default(),
            turns: Arc::clone(&self.turns),
            unswept: Arc::clone(&self.unswept),
            vaults: self.vaults.clone(),
            kubernetes: Arc::clone(&self.kubernetes),
            identities: OnceCell::new(),
            keyring: OnceCell::new(),
        }
    }

    /// Takes over what an earlier world had connected, as far as the configuration still says the same of it.
    #[must_use]
    pub fn after(mut self, earlier: &Self) -> Self {
        for (name, session) in &mut self.vaults {
            if let Some(same) = earlier.vaults.get(name).filter(|old| old.is_like(session)) {
                *session = Arc::clone(same);
            }
        }
        self.shelf.clone_from(&earlier.shelf);
        self.halt.clone_from(&earlier.halt);
        self.kubernetes = Arc::clone(&earlier.kubernetes);
        self
    }

    /// The same world, in which credentials' files may still have to come: before a pod starts.
    #[must_use]
    pub fn waiting_for_files(mut self) -> Self {
        for session in self.vaults.values_mut() {
            if let Some(session) = Arc::get_mut(session) {
                session.wait_for_files();
            }
        }
        self
    }

    /// The session with a named Vault server.
    pub fn vault(&self, server: &str) -> Result<&Session, Failure> {
        self.vaults.get(server).map(Arc::as_ref).ok_or_else(|| {
            Failure::new(
                Class::Usage,
                format!("no vault server `{server}` is configured"),
            )
        })
    }

    /// All sessions, by the name of their server.
    pub fn vaults(&self) -> impl Iterator<Item = (&String, &Arc<Session>)> {
        self.vaults.iter()
    }

    /// The cluster, found on first use: in a pod by its ServiceAccount, else by kubeconfig.
    pub async fn kubernetes(&self) -> Result<&Kubernetes, Failure> {
        self.kubernetes
            .get_or_try_init(|| kubernetes::connect(self.patience))
            .await
    }

    /// The age identities, loaded by the first who needs them.
    pub async fn identities(
        &self,
        load: impl Future<Output = Result<Vec<Identity>, Failure>>,
    ) -> Result<Arc<[Identity]>, Failure> {
        let load = async { load.await.map(Arc::from) };
        self.identities.get_or_init(|| load).await.clone()
    }

    /// The sealing keys, loaded by the first who needs them.
    pub async fn keyring(
        &self,
        load: impl Future<Output = Result<Keyring, Failure>>,
    ) -> Result<Arc<Keyring>, Failure> {
        let load = async { load.await.map(Arc::new) };
        self.keyring.get_or_init(|| load).await.clone()
    }

    /// Ends what this world opened and no other uses: revokes each token that no delivered data ends with. Warns and never fails.
    pub async fn close(self) {
        let last = self.vaults.into_values().filter_map(Arc::into_inner);
        futures_util::future::join_all(last.map(Session::close)).await;
    }
}
