//! The outside as one pass sees it: Vault sessions, the Kubernetes client, time limits. Tests
//! replace it.
//!
//! Everything here is made when first needed: a configuration without Kubernetes never looks for a
//! kubeconfig.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::base::failure::{Class, Failure};
use crate::base::history::Hold;
use crate::base::lock::locked;
use crate::base::material::Material;
use crate::config::{Config, Source};
use crate::disk::Unswept;
use crate::disk::set::Retired;
use crate::envelope::age::Identity;
use crate::envelope::sealed::Keyring;
use crate::kubernetes::{self, Kubernetes};
use crate::pass::concurrency::Turns;
use crate::process::progress::waiting;
use crate::process::shutdown::{self, Shutdown};
use crate::process::time_limit::TimeLimit;
use crate::vault::cache::LeaseCache;
use crate::vault::{Runner, Session};

/// Everything with a side effect that sources, observers and appliers share.
pub struct World {
    /// If set, every file target must be beneath it.
    pub root: Option<PathBuf>,
    /// How long waits may take.
    pub time_limit: TimeLimit,
    /// Data that is kept between passes; nothing if there is only one pass.
    pub lease_cache: Option<Arc<LeaseCache>>,
    /// The end that a signal asks for.
    pub shutdown: Arc<Shutdown>,
    /// How many Secrets of a set of manifests, or copies of a delivery, may be deleted at once; set
    /// by a person.
    pub allow_deletes: usize,
    /// Deliveries that this run must hold or release, whatever their journals say.
    pub holds: Arc<BTreeMap<String, Option<Hold>>>,
    /// Replaced files, which are deleted a moment later, so that readers can finish.
    pub retired: Arc<Retired>,
    /// How many deliveries are handled at once.
    pub turns: Arc<Turns>,
    /// Leftovers of killed runs in the folders of targets, as far as the folders were searched.
    pub unswept: Arc<Unswept>,
    vaults: BTreeMap<String, Arc<Session>>,
    kubernetes: Arc<OnceCell<Kubernetes>>,
    once: Arc<Once>,
}

/// Everything that is read once in a pass, when first needed.
#[derive(Default)]
struct Once {
    identities: OnceCell<Result<Arc<[Identity]>, Failure>>,
    keyring: OnceCell<Result<Arc<Keyring>, Failure>>,
    sources: Mutex<BTreeMap<Source, Reading>>,
}

/// The content of one source.
type Read = Result<Arc<Material>, Failure>;

/// A source of a pass, by the one name for all its spellings.
#[derive(Default)]
struct Reading {
    /// How many deliveries will still ask for it. After the last one its values are dropped.
    left: usize,
    /// Its content, by its real name.
    gave: BTreeMap<Source, Arc<OnceCell<Read>>>,
}

impl World {
    /// A world for one pass of this configuration; nothing is connected yet.
    pub fn new(config: &Config, root: Option<PathBuf>, time_limit: Duration) -> Self {
        Self::with(config, root, TimeLimit::Until(Instant::now() + time_limit))
    }

    /// A world for many passes; each of their steps may take this long.
    pub fn staying(config: &Config, root: Option<PathBuf>, step: Duration) -> Self {
        Self {
            lease_cache: Some(Arc::default()),
            ..Self::with(config, root, TimeLimit::Each(step))
        }
    }

    fn with(config: &Config, root: Option<PathBuf>, time_limit: TimeLimit) -> Self {
        let session =
            |server: &crate::config::VaultServer| Session::new(server.clone(), time_limit);
        Self {
            root,
            time_limit,
            lease_cache: None,
            shutdown: Arc::default(),
            allow_deletes: 0,
            holds: Arc::default(),
            retired: Arc::default(),
            turns: Arc::default(),
            unswept: Arc::default(),
            vaults: config
                .vaults
                .values()
                .map(|server| (server.name.clone(), Arc::new(session(server))))
                .collect(),
            kubernetes: Arc::default(),
            once: Arc::default(),
        }
    }

    /// The same world with an existing Kubernetes client.
    #[must_use]
    pub fn with_kubernetes(self, kubernetes: Kubernetes) -> Self {
        Self {
            kubernetes: Arc::new(OnceCell::new_with(Some(kubernetes))),
            ..self
        }
    }

    /// The same world in which this many Secrets of a set of manifests may be deleted at once,
    /// because a person allowed it.
    #[must_use]
    pub fn with_allowed_deletes(self, allow_deletes: usize) -> Self {
        Self {
            allow_deletes,
            ..self
        }
    }

    /// The same world in which these deliveries are held or released.
    #[must_use]
    pub fn with_holds(self, holds: BTreeMap<String, Option<Hold>>) -> Self {
        Self {
            holds: Arc::new(holds),
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

    /// The same world for one more pass: connections are kept, sources and keys are read again.
    #[must_use]
    pub fn for_a_pass(&self) -> Self {
        Self {
            once: Arc::default(),
            ..self.for_another_part()
        }
    }

    /// The same world for another part of the same pass, with the same time limit: all parts share
    /// what one of them read.
    #[must_use]
    pub fn for_another_part(&self) -> Self {
        Self {
            root: self.root.clone(),
            time_limit: self.time_limit,
            lease_cache: self.lease_cache.clone(),
            shutdown: Arc::clone(&self.shutdown),
            allow_deletes: self.allow_deletes,
            holds: Arc::clone(&self.holds),
            retired: Arc::clone(&self.retired),
            turns: Arc::clone(&self.turns),
            unswept: Arc::clone(&self.unswept),
            vaults: self.vaults.clone(),
            kubernetes: Arc::clone(&self.kubernetes),
            once: Arc::clone(&self.once),
        }
    }

    /// Takes over the connections of an earlier world, as far as their configuration is unchanged.
    #[must_use]
    pub fn after(mut self, earlier: &Self) -> Self {
        for (name, session) in &mut self.vaults {
            if let Some(same) = earlier.vaults.get(name).filter(|old| old.is_like(session)) {
                *session = Arc::clone(same);
            }
        }
        self.lease_cache.clone_from(&earlier.lease_cache);
        self.shutdown.clone_from(&earlier.shutdown);
        self.retired.clone_from(&earlier.retired);
        self.kubernetes = Arc::clone(&earlier.kubernetes);
        self
    }

    /// The same world, in which files of credentials may still be missing: before a pod starts.
    #[must_use]
    pub fn waiting_for_files(mut self) -> Self {
        for session in self.vaults.values_mut() {
            if let Some(session) = Arc::get_mut(session) {
                session.wait_for_files();
            }
        }
        self
    }

    /// The same world for modes that only look: credentials that work only once are not used up.
    #[must_use]
    pub fn looking(mut self) -> Self {
        for session in self.vaults.values_mut() {
            if let Some(session) = Arc::get_mut(session) {
                session.spend_nothing();
            }
        }
        self
    }

    /// The session with a named Vault server.
    pub fn vault(&self, server: &str) -> Result<&Session, Failure> {
        self.vaults.get(server).map(Arc::as_ref).ok_or_else(|| {
            Failure::new(
                Class::Configuration,
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
            .get_or_try_init(|| kubernetes::connect(self.time_limit))
            .await
    }

    /// The age identities, loaded when first needed.
    pub async fn identities(
        &self,
        load: impl Future<Output = Result<Vec<Identity>, Failure>>,
    ) -> Result<Arc<[Identity]>, Failure> {
        let load = async { load.await.map(Arc::from) };
        self.once.identities.get_or_init(|| load).await.clone()
    }

    /// The sealing keys, loaded when first needed.
    pub async fn keyring(
        &self,
        load: impl Future<Output = Result<Keyring, Failure>>,
    ) -> Result<Arc<Keyring>, Failure> {
        let load = async { load.await.map(Arc::new) };
        self.once.keyring.get_or_init(|| load).await.clone()
    }

    /// Announces that somebody will ask for this source in this pass.
    pub fn expect(&self, source: &Source) {
        let mut sources = locked(&self.once.sources);
        let reading = sources.entry(source.whatever_its_spelling()).or_default();
        reading.left += 1;
    }

    /// The content of a source in this pass, read when first needed.
    pub async fn source(&self, source: Source, read: impl Future<Output = Read>) -> Read {
        let first = {
            let mut sources = locked(&self.once.sources);
            let reading = sources.entry(source.whatever_its_spelling()).or_default();
            Arc::clone(reading.gave.entry(source).or_default())
        };
        first.get_or_init(|| read).await.clone()
    }

    /// One of those who asked for this source has its content.
    pub fn asked(&self, source: &Source) {
        let name = source.whatever_its_spelling();
        let mut sources = locked(&self.once.sources);
        if let Some(reading) = sources.get_mut(&name) {
            reading.left = reading.left.saturating_sub(1);
            if reading.left == 0 {
                sources.remove(&name);
            }
        }
    }

    /// Ends everything that this world opened and no other uses: revokes each token, unless
    /// delivered data depends on it. Warns and never fails.
    pub async fn close(self) {
        let end = Instant::now() + shutdown::LIMIT;
        // If this hangs, the next run finds leftovers and cleans up.
        let _ = tokio::time::timeout_at(end, self.retired.wait_until_gone()).await;
        let last = self
            .vaults
            .into_iter()
            .filter_map(|(name, session)| Some((name, Arc::into_inner(session)?)));
        let closed = last.map(|(name, session)| {
            let what = format!("vault `{name}` to take its token back");
            waiting(what, end, session.close())
        });
        // Each session knows how long revoking its token may take.
        futures_util::future::join_all(closed).await;
    }
}
