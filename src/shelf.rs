//! What is kept between the passes of a sidecar: data whose lease is alive, and versions of KV v2 that have not changed.
//!
//! Each pass asks here first. So a tick mints no new credentials, a secret that did not change is not read again, and data
//! whose provider is down stays good for as long as its lease says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::cadence::{Cadence, Turn, backoff};
use crate::config::{Source, VaultRead};
use crate::lock::locked;
use crate::material::{Lease, Material, Node};
use crate::patience::chance;
use crate::render;
use crate::report::Failure;
use crate::vault::{Renewal, Session, Version};

/// However little changes, data is read in full this often: rights may have been taken away meanwhile.
const FULL_READ: Duration = Duration::from_secs(3600);

/// Waits between tries to replace what still holds.
const TRIES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Between two requests for one lease, however short it is.
const SHORTEST: Duration = Duration::from_millis(300);

/// What does not end outlives us.
const ENDLESS: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What is kept, by source.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<BTreeMap<VaultRead, Kept>>);

/// Data and what is known of its life.
#[derive(Debug, Clone)]
struct Kept {
    material: Arc<Material>,
    life: Life,
}

/// How long data is good without reading it again.
#[derive(Debug, Clone)]
enum Life {
    /// Until it ends; renewed or replaced before.
    Ends {
        /// The lease to renew; a certificate has none.
        lease: Option<Lease>,
        /// The token it ends with.
        token: Option<u64>,
        end: Instant,
        cadence: Cadence,
        turn: Turn,
        at: Instant,
        errors: u32,
    },
    /// Until its version changes.
    Version {
        read_at: Instant,
        /// What the metadata said of it: a secret that was deleted and made anew counts from 1 again.
        made: Option<Version>,
    },
}

impl Shelf {
    /// The data of one path: from here while it is good, else from the server.
    pub async fn fetch(
        &self,
        session: &Session,
        read: &VaultRead,
    ) -> Result<Arc<Material>, Failure> {
        let Some(kept) = self.kept().get(read).cloned() else {
            return self.read(session, read).await;
        };
        match &kept.life {
            Life::Version { read_at, made } => {
                if read_at.elapsed() < FULL_READ
                    && let Some(seen) = session.version(read).await?
                    && kept.material.version.as_ref() == Some(&seen.number)
                    && made.as_ref().is_none_or(|made| *made == seen)
                {
                    self.remember(read, seen);
                    return Ok(kept.material);
                }
                self.read(session, read).await
            }
            Life::Ends { .. } => self.prolong(session, read, kept).await,
        }
    }

    /// When the first of these has to be renewed or replaced.
    pub fn next(&self, session: &Session, read: &VaultRead, now: Instant) -> Option<Instant> {
        match &self.kept().get(read)?.life {
            Life::Ends { token, at, .. } => Some(match token {
                Some(token) if *token < session.generation() => now,
                Some(_) | None => *at,
            }),
            Life::Version { .. } => None,
        }
    }

    /// When what was read last ends.
    pub fn end(&self, read: &VaultRead) -> Option<Instant> {
        match &self.kept().get(read)?.life {
            Life::Ends { end, .. } => Some(*end),
            Life::Version { .. } => None,
        }
    }

    /// What was read last, if it ends: a mark by which its successor is known, when it ends, and the token that it ends with.
    pub fn ending(&self, read: &VaultRead) -> Option<(Weak<Material>, Instant, Option<u64>)> {
        let kept = self.kept();
        let Kept { material, life } = kept.get(read)?;
        match life {
            Life::Ends { end, token, .. } => Some((Arc::downgrade(material), *end, *token)),
            Life::Version { .. } => None,
        }
    }

    /// Which data is kept: equal as long as it is the same.
    pub fn version_of(&self, read: &VaultRead) -> Option<usize> {
        let kept = self.kept();
        Some(Arc::as_ptr(&kept.get(read)?.material).addr())
    }

    /// Whether something here ends with the token of a server, or with one older than `generation`.
    pub fn depends_on(&self, server: &str, older_than: u64) -> bool {
        self.kept().iter().any(|(read, kept)| {
            let token = match &kept.life {
                Life::Ends { token, .. } => *token,
                Life::Version { .. } => None,
            };
            read.server == server && token.is_some_and(|token| token < older_than)
        })
    }

    /// Forgets what is no source any more.
    pub fn retain(&self, sources: &[&Source]) {
        self.kept().retain(|read, _| {
            sources
                .iter()
                .any(|source| matches!(source, Source::Vault(known) if known == read))
        });
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<VaultRead, Kept>> {
        locked(&self.0)
    }

    async fn read(&self, session: &Session, read: &VaultRead) -> Result<Arc<Material>, Failure> {
        let since = Instant::now();
        let material = match session.read(read).await {
            Ok(material) => Arc::new(material),
            Err(failure) => {
                // What comes back may have the version that it had before.
                self.kept()
                    .retain(|known, kept| known != read || matches!(kept.life, Life::Ends { .. }));
                return Err(failure);
            }
        };
        match Life::of(&material, read, since, session.generation()) {
            Some(life) => {
                let material = Arc::clone(&material);
                self.kept().insert(read.clone(), Kept { material, life });
            }
            None => drop(self.kept().remove(read)),
        }
        Ok(material)
    }

    fn remember(&self, read: &VaultRead, seen: Version) {
        if let Some(Kept {
            life: Life::Version { made, .. },
            ..
        }) = self.kept().get_mut(read)
        {
            *made = Some(seen);
        }
    }

    /// Does what the lease needs now, and gives data that is good either way.
    async fn prolong(
        &self,
        session: &Session,
        read: &VaultRead,
        mut kept: Kept,
    ) -> Result<Arc<Material>, Failure> {
        let Life::Ends {
            lease,
            token,
            end,
            cadence,
            turn,
            at,
            errors,
        } = &mut kept.life
        else {
            return Ok(kept.material);
        };
        let orphaned = token.is_some_and(|token| token < session.generation());
        if !orphaned && *at > Instant::now() {
            return Ok(kept.material);
        }
        match (*turn, lease.as_ref()) {
            (Turn::Renew, Some(known)) if !orphaned => {
                let since = Instant::now();
                let renewal = session.renew_lease(&known.id).await;
                let left = |end: Instant| end.saturating_duration_since(Instant::now());
                let (next, wait) = match renewal {
                    Renewal::Granted { span, renewable } => {
                        tracing::debug!(
                            path = read.path,
                            lease_s = span.as_secs(),
                            "lease renewed"
                        );
                        *end = since + span;
                        *errors = 0;
                        cadence.granted(span, chance());
                        cadence.next(left(*end), renewable)
                    }
                    Renewal::Later(failure) => {
                        *errors += 1;
                        let (path, reason) = (&read.path, &failure.what);
                        match *errors {
                            1 => tracing::warn!(path, reason, "lease not renewed yet"),
                            _ => tracing::debug!(path, reason, "lease still not renewed"),
                        }
                        cadence.after_error(left(*end), *errors, chance())
                    }
                    Renewal::Refused(failure) => {
                        tracing::info!(path = read.path, reason = %failure.what, "lease will be replaced");
                        cadence.next(left(*end), false)
                    }
                };
                (*turn, *at) = (next, Instant::now() + wait.max(SHORTEST));
            }
            _ => match self.read(session, read).await {
                Ok(material) => return Ok(material),
                Err(failure) if *end > Instant::now() => {
                    *errors += 1;
                    *turn = Turn::Replace;
                    *at = Instant::now() + backoff(TRIES.0, TRIES.1, *errors, chance());
                    if orphaned {
                        // The new token is asked again at its own time, not at once.
                        *token = Some(session.generation());
                    }
                    let (path, reason) = (&read.path, &failure.what);
                    match *errors {
                        1 => tracing::warn!(
                            path,
                            reason,
                            "leased data not replaced yet, it is still good"
                        ),
                        _ => tracing::debug!(path, reason, "leased data still not replaced"),
                    }
                }
                Err(failure) => {
                    self.kept().remove(read);
                    return Err(failure);
                }
            },
        }
        let material = Arc::clone(&kept.material);
        self.kept().insert(read.clone(), kept);
        Ok(material)
    }
}

impl Life {
    fn of(material: &Material, read: &VaultRead, since: Instant, token: u64) -> Option<Self> {
        let ends = |span: Duration, lease: Option<Lease>, token| {
            let cadence = Cadence::new(span, chance());
            // What has no `/` is the accessor of a token: its lease is not ours to renew.
            let renewable = lease
                .as_ref()
                .is_some_and(|lease| lease.renewable && lease.id.contains('/'));
            let left = (since + span).saturating_duration_since(Instant::now());
            let (turn, wait) = cadence.next(left, renewable);
            let wait = wait.max(SHORTEST);
            Self::Ends {
                lease,
                token,
                end: since + span,
                cadence,
                turn,
                at: Instant::now() + wait,
                errors: 0,
            }
        };
        if let Some(lease) = &material.lease {
            // Zero is said of what does not end by itself, such as a token without a limit.
            let span = match lease.seconds {
                0 => ENDLESS,
                seconds => Duration::from_secs(seconds),
            };
            return Some(ends(span, Some(lease.clone()), Some(token)));
        }
        if read.write.is_some()
            && let Some(span) = certificate_left(material)
        {
            return Some(ends(span, None, None));
        }
        let watched = material.version.is_some() && read.version.is_none() && read.write.is_none();
        watched.then_some(Self::Version {
            read_at: since,
            made: None,
        })
    }
}

/// How long the certificate in an answer of a PKI engine is still good.
fn certificate_left(material: &Material) -> Option<Duration> {
    let pem = material
        .documents
        .iter()
        .find_map(|document| match document {
            Node::Map(entries) => entries
                .iter()
                .find(|(name, _)| name == "certificate")
                .and_then(|(_, node)| node.leaf()),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => None,
        })?;
    let (_, end) = render::validity(pem.expose())?;
    let left = end.duration_since(jiff::Timestamp::now());
    Duration::try_from(left).ok().filter(|left| !left.is_zero())
}
