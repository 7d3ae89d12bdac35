//! Data that is kept between the passes of a sidecar: data with a valid lease, and versions of KV
//! v2 that have not changed.
//!
//! Each pass asks here first. So a pass creates no new credentials, an unchanged secret is not read
//! again, and data whose provider is down stays valid for as long as its lease.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::time::Instant;

use self::life::{Freshness, Lifetime, same_role};
use crate::base::failure::{Class, Failure};
use crate::base::lock::locked;
use crate::base::material::Material;
use crate::config::{Source, VaultRead};
use crate::vault::Session;

mod life;

/// All data is read in full this often, because rights may have been taken away meanwhile.
const FULL_READ: Duration = Duration::from_secs(3600);

/// The kept data, by source.
#[derive(Debug, Default)]
pub struct LeaseCache {
    kept: Mutex<BTreeMap<VaultRead, CachedRead>>,
    /// The one name for all configured spellings of a read.
    names: Mutex<BTreeMap<VaultRead, VaultRead>>,
    /// Locks of running requests: the next caller finds the result of the first.
    asking: Mutex<BTreeMap<VaultRead, Arc<tokio::sync::Mutex<()>>>>,
}

/// Data and its lifetime.
#[derive(Debug, Clone)]
struct CachedRead {
    material: Arc<Material>,
    life: Freshness,
}

impl LeaseCache {
    /// The one name of a read, asked for once: a server that is down must not make the kept data
    /// unusable.
    pub async fn named(&self, session: &Session, read: &VaultRead) -> Result<VaultRead, Failure> {
        if let Some(known) = locked(&self.names).get(read) {
            return Ok(known.clone());
        }
        let name = session.resolve(read).await?;
        locked(&self.names).insert(read.clone(), name.clone());
        Ok(name)
    }

    /// The data of one path, by its one name: from the cache while it is valid, else from the
    /// server.
    pub async fn fetch(
        &self,
        session: &Session,
        name: &VaultRead,
    ) -> Result<Arc<Material>, Failure> {
        let asking = locked(&self.asking)
            .entry(name.clone())
            .or_default()
            .clone();
        let _asking = asking.lock().await;
        let Some(kept) = self.lock().get(name).cloned() else {
            return self.read(session, name).await;
        };
        match kept.life {
            Freshness::Version { read_at } => {
                if read_at.elapsed() < FULL_READ
                    && let Some(newest) = session.version(name).await?
                    && kept.material.version.as_ref() == Some(&newest.number)
                    && kept.material.made.as_ref() == Some(&newest.made)
                {
                    return Ok(kept.material);
                }
                self.read(session, name).await
            }
            Freshness::Rotates { .. } => self.read(session, name).await,
            Freshness::Ends(ends) => self.prolong(session, name, kept.material, ends).await,
        }
    }

    /// When the data of this read must next be renewed, replaced or read again.
    pub fn next(&self, session: &Session, read: &VaultRead, now: Instant) -> Option<Instant> {
        match self.life(read)? {
            Freshness::Ends(ends) if ends.is_orphaned(session.generation()) => Some(now),
            Freshness::Ends(Lifetime { at, .. }) | Freshness::Rotates { at, .. } => Some(at),
            Freshness::Version { .. } => None,
        }
    }

    /// The data of the last read, if it ends: a reference that identifies it, the time when it
    /// ends, and the token that it ends with.
    pub fn ending(&self, read: &VaultRead) -> Option<(Weak<Material>, Instant, Option<u64>)> {
        let name = self.name(read);
        let kept = self.lock();
        let CachedRead { material, life } = kept.get(&name)?;
        let (end, token) = match life {
            Freshness::Ends(Lifetime { end, token, .. }) => (*end, *token),
            Freshness::Rotates { at, .. } => (*at, None),
            Freshness::Version { .. } => return None,
        };
        Some((Arc::downgrade(material), end, token))
    }

    /// Identifies the kept data: equal as long as the data is the same.
    pub fn version_of(&self, read: &VaultRead) -> Option<usize> {
        let name = self.name(read);
        let kept = self.lock();
        Some(Arc::as_ptr(&kept.get(&name)?.material).addr())
    }

    /// Whether data here ends with a token of this server that is older than `older_than`.
    pub fn depends_on(&self, server: &str, older_than: u64) -> bool {
        self.lock().iter().any(|(read, kept)| {
            let token = match &kept.life {
                Freshness::Ends(ends) => ends.token,
                Freshness::Version { .. } | Freshness::Rotates { .. } => None,
            };
            read.server == server && token.is_some_and(|token| token < older_than)
        })
    }

    /// Forgets data of other sources.
    pub fn retain(&self, sources: &[&Source]) {
        let written: Vec<&VaultRead> = sources.iter().filter_map(|source| source.vault()).collect();
        let mut names = locked(&self.names);
        names.retain(|read, _| written.contains(&read));
        let is_source = |name: &VaultRead| names.values().any(|known| known == name);
        self.lock().retain(|name, _| is_source(name));
        locked(&self.asking).retain(|name, _| is_source(name));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<VaultRead, CachedRead>> {
        locked(&self.kept)
    }

    fn name(&self, read: &VaultRead) -> VaultRead {
        locked(&self.names).get(read).unwrap_or(read).clone()
    }

    fn life(&self, read: &VaultRead) -> Option<Freshness> {
        let name = self.name(read);
        Some(self.lock().get(&name)?.life.clone())
    }

    async fn read(&self, session: &Session, name: &VaultRead) -> Result<Arc<Material>, Failure> {
        let since = Instant::now();
        let material = match session.read(name).await {
            Ok(material) => material,
            Err(failure) => {
                let spellings = self.lost(name);
                if failure.absent || failure.class == Class::Configuration {
                    self.check_names(session, name, &spellings).await?;
                }
                return Err(failure);
            }
        };
        let mut kept = self.lock();
        let before = kept.remove(name);
        let life = before.as_ref().map(|kept| &kept.life);
        let life = Freshness::after_read(&material, name, since, session.generation(), life);
        let material = match before {
            Some(before) if same_role(&before.material, &material) => before.material,
            Some(_) | None => Arc::new(material),
        };
        if let Some(life) = life {
            let material = Arc::clone(&material);
            kept.insert(name.clone(), CachedRead { material, life });
        }
        Ok(material)
    }

    /// The read failed: only data with a known end stays valid until then. Gives the spellings
    /// whose name must be asked for again.
    fn lost(&self, name: &VaultRead) -> Vec<VaultRead> {
        if matches!(self.life(name), Some(Freshness::Ends(_))) {
            return Vec::new();
        }
        self.lock().remove(name);
        let mut names = locked(&self.names);
        let lost = names.iter().filter(|(_, known)| *known == name);
        let lost: Vec<VaultRead> = lost.map(|(read, _)| read.clone()).collect();
        names.retain(|_, known| known != name);
        lost
    }

    /// Where a mount has become another engine, the paths in it have other names from now on: then
    /// what was read is not absent.
    async fn check_names(
        &self,
        session: &Session,
        name: &VaultRead,
        spellings: &[VaultRead],
    ) -> Result<(), Failure> {
        for read in spellings {
            if self.named(session, read).await? != *name {
                let what = format!("the mount of `{}` has become another engine", read.path);
                return Err(Failure::new(Class::Unavailable, what)
                    .hint("nothing is to be done: the next try reads it there"));
            }
        }
        Ok(())
    }

    /// Does what the lease needs now, and gives valid data in every case.
    async fn prolong(
        &self,
        session: &Session,
        name: &VaultRead,
        material: Arc<Material>,
        mut ends: Lifetime,
    ) -> Result<Arc<Material>, Failure> {
        let token = session.generation();
        if !ends.is_orphaned(token) && ends.at > Instant::now() {
            return Ok(material);
        }
        let replaces = match ends.to_renew(token) {
            None => true,
            Some(lease) => {
                let since = Instant::now();
                let renewal = session.renew_lease(lease).await;
                ends.renewed(renewal, since, &name.path)
            }
        };
        if replaces {
            match self.read(session, name).await {
                Ok(material) => return Ok(material),
                Err(failure) if ends.end > Instant::now() => {
                    ends.not_replaced(session.generation(), &name.path, &failure);
                }
                Err(failure) => {
                    self.lock().remove(name);
                    return Err(failure);
                }
            }
        }
        let life = Freshness::Ends(ends);
        let kept = CachedRead {
            material: Arc::clone(&material),
            life,
        };
        self.lock().insert(name.clone(), kept);
        Ok(material)
    }
}
