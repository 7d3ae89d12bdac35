//! One job at the API server: read a source, write a copy, compare one, delete one.
//!
//! Each write names the object and version that the decision was made on, so later changes are
//! never overwritten: the job reports that somebody was faster, and the place is decided again.

mod copy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::digest::{Digested, Hashing};
use super::source_cache::{CachedSource, SourceCache};
use crate::base::artifact::ObjectName;
use crate::base::artifact::secret::is_reserved;
use crate::config::{Reflector, resolve};
use crate::copy_rules::glob::Glob;
use crate::copy_rules::index::{Content, CopyJob, Digest, Write, Written};
use crate::copy_rules::marks::RESERVED;
use crate::copy_rules::metadata::{DataOwners, Metadata};
use crate::copy_rules::mittwald;
use crate::copy_rules::place::{CopiedKind, ObjectPlace, ResourceVersion, Uid};
use crate::copy_rules::planned_copies::Outlook;
use crate::copy_rules::signature::Keys;
use crate::envelope::manifest::marks;
use crate::kubernetes::copy::WholeObject;
use crate::kubernetes::{Error, Kubernetes};

/// Time for all attempts of one request: longer than a webhook may take, and short enough that a
/// failing request does not delay others.
const PATIENCE: Duration = Duration::from_secs(12);

/// The result of a job.
pub(super) enum JobResult {
    /// A source was read.
    Read(
        CopiedKind,
        ObjectPlace,
        Result<Option<(Metadata, Content)>, String>,
    ),
    /// A copy was written, or the write failed.
    Wrote(Write, Result<Written, WriteTrouble>),
    /// A copy was read.
    Compared(
        CopiedKind,
        ObjectPlace,
        Result<Option<(Metadata, ResourceVersion, Digest)>, String>,
    ),
    /// A copy was deleted, or the deletion failed.
    Deleted(CopiedKind, ObjectPlace, Result<(), WriteTrouble>),
    /// This state of the reserved places was written down, or the write failed.
    Remembered(u64, Result<(), String>),
}

/// Why a write failed.
#[derive(Debug)]
pub(super) enum WriteTrouble {
    /// A foreign object stands there.
    Foreign,
    /// Somebody was faster, or the place is being deleted: the events decide.
    Raced,
    /// The same, with the metadata of the object that stands there now, at the place or at the
    /// source's place.
    Known(Box<Metadata>),
    /// The same: the source does not exist any more.
    Gone(ObjectPlace),
    /// A later attempt may succeed.
    Later(String),
}

/// Everything that jobs share.
pub(super) struct Worker {
    cluster: Kubernetes,
    lease: ObjectName,
    labels: Vec<Glob>,
    annotations: Vec<Glob>,
    hashing: Hashing,
    source_cache: SourceCache,
    keys: Arc<Keys>,
}

impl Worker {
    pub(super) fn new(cluster: Kubernetes, config: &Reflector, keys: Arc<Keys>) -> Self {
        Self {
            lease: resolve(&config.lease, &cluster.namespace),
            cluster,
            labels: config.labels.clone(),
            annotations: config.annotations.clone(),
            hashing: Hashing::default(),
            source_cache: SourceCache::default(),
            keys,
        }
    }

    /// Does one job.
    pub(super) async fn perform(&self, job: CopyJob) -> JobResult {
        match job {
            CopyJob::Read { kind, source } => {
                let found = self.read(kind, &source).await;
                JobResult::Read(kind, source, found.map_err(|error| error.to_string()))
            }
            CopyJob::Write(write) => {
                let outcome = self.write(&write).await;
                JobResult::Wrote(write, outcome)
            }
            CopyJob::Compare {
                kind,
                place,
                source,
            } => {
                let found = self.compare(kind, &place, &source).await;
                JobResult::Compared(kind, place, found.map_err(|error| error.to_string()))
            }
            CopyJob::Delete {
                kind,
                place,
                uid,
                version,
                ..
            } => {
                let gone = self.delete(kind, &place, (uid, version)).await;
                JobResult::Deleted(kind, place, gone.map_err(trouble))
            }
            CopyJob::Remember { change, text } => {
                let cluster = self.cluster();
                let saved = cluster.keep_note(&self.lease, RESERVED, &text).await;
                JobResult::Remembered(change, saved.map_err(|error| error.to_string()))
            }
        }
    }

    /// Drops values that nobody uses any more.
    pub(super) fn tidy(&self) {
        self.source_cache.clear();
    }

    /// Deletes exactly one object in exactly one version.
    async fn delete(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
        of: (Uid, ResourceVersion),
    ) -> Result<(), Error> {
        let (at, uid, version) = (place.object(), of.0.to_string(), of.1.to_string());
        let cluster = self.cluster();
        cluster.delete(kind, &at, &uid, Some(&version)).await
    }

    fn cluster(&self) -> Kubernetes {
        self.cluster.until(Instant::now() + PATIENCE)
    }

    pub(super) async fn read(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
    ) -> Result<Option<(Metadata, Content)>, Error> {
        let cached = self.refresh(kind, place).await?;
        Ok(cached.map(|cached| (cached.whole.metadata.clone(), content(&cached))))
    }

    /// Reads a source even if it is cached.
    async fn refresh(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
    ) -> Result<Option<Arc<CachedSource>>, Error> {
        let cached = self.fetch(kind, place).await?;
        self.source_cache.replace(kind, place, cached.clone());
        Ok(cached)
    }

    async fn fetch(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
    ) -> Result<Option<Arc<CachedSource>>, Error> {
        let Some(whole) = self.cluster().read_whole(kind, place).await? else {
            return Ok(None);
        };
        let words = self.words(&whole);
        let digest = self.hashing.digest(&Digested {
            kind: &whole.kind,
            of: &whole,
            words: &words,
            only: None,
        });
        Ok(Some(Arc::new(CachedSource {
            whole,
            words,
            digest,
        })))
    }

    async fn source(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
    ) -> Result<Option<Arc<CachedSource>>, Error> {
        self.source_cache
            .get(kind, place, self.fetch(kind, place))
            .await
    }

    /// Labels and annotations that the copies of a source get: those that the configuration allows,
    /// and never marks of tools.
    fn words(&self, whole: &WholeObject) -> [BTreeMap<String, String>; 2] {
        if self.labels.is_empty() && self.annotations.is_empty() {
            return Default::default();
        }
        let [mut labels, mut annotations] = whole.words();
        let goes = |globs: &[Glob], key: &str, value: &str| {
            globs.iter().any(|glob| glob.covers(key)) && !marks::stays_behind(key, value)
        };
        let strip = whole.metadata.notes.read(mittwald::STRIP_LABELS).is_some();
        labels.retain(|key, value| !strip && goes(&self.labels, key, value));
        annotations.retain(|key, value| goes(&self.annotations, key, value));
        [labels, annotations]
    }

    pub(super) async fn compare(
        &self,
        kind: CopiedKind,
        place: &ObjectPlace,
        source: &ObjectPlace,
    ) -> Result<Option<(Metadata, ResourceVersion, Digest)>, Error> {
        let Some(cached) = self.source(kind, source).await? else {
            return Ok(None);
        };
        let Some(copy) = self.cluster().read_whole(kind, place).await? else {
            return Ok(None);
        };
        let digest = self.digest_of_copy(&copy, &cached);
        let version = copy.metadata.resource_version;
        Ok(Some((copy.metadata, version, digest)))
    }

    /// The object at the place of this write, if it is still the one that the decision was made on.
    pub(super) async fn outlook(&self, write: &Write) -> Result<Option<Outlook>, Error> {
        let Some(cached) = self.source(write.kind, &write.source).await? else {
            return Ok(None);
        };
        let Some(copy) = self.cluster().read_whole(write.kind, &write.place).await? else {
            return Ok(None);
        };
        let same = self.digest_of_copy(&copy, &cached) == cached.digest;
        let retyped = copy.kind != cached.whole.kind;
        Ok(Some(Outlook {
            same: same && !retyped,
            remade: retyped || (copy.immutable && !same),
        }))
    }

    /// Made like the digest of its source, but a mirror keeps its own type, and a mirror of
    /// mittwald's dialect its own keys too.
    fn digest_of_copy(&self, copy: &WholeObject, cached: &CachedSource) -> Digest {
        let CachedSource { whole, words, .. } = cached;
        let kept = if words.iter().all(BTreeMap::is_empty) {
            Default::default()
        } else {
            let [mut labels, mut annotations] = copy.words();
            labels.retain(|key, _| words[0].contains_key(key));
            annotations.retain(|key, _| words[1].contains_key(key));
            [labels, annotations]
        };
        self.hashing.digest(&Digested {
            kind: if copy.metadata.marked {
                &copy.kind
            } else {
                &whole.kind
            },
            of: copy,
            words: &kept,
            only: keeps_its_keys(&copy.metadata).then_some(whole),
        })
    }
}

/// Whether the object is a mirror that keeps keys which the source does not have.
fn keeps_its_keys(metadata: &Metadata) -> bool {
    !metadata.marked && metadata.notes.read(mittwald::FROM).is_some()
}

fn content(cached: &CachedSource) -> Content {
    let CachedSource { whole, digest, .. } = cached;
    Content {
        version: whole.metadata.resource_version,
        digest: *digest,
        guard: DataOwners::ours(whole.keys()),
        forbidden: is_reserved(&whole.kind).then(|| whole.kind.clone()),
        urgent: whole.kind.starts_with("kubernetes.io/dockercfg")
            || whole.kind.starts_with("kubernetes.io/dockerconfigjson"),
    }
}

fn trouble(error: Error) -> WriteTrouble {
    let moves = matches!(
        error,
        Error::Raced(_)
            | Error::Fenced(_)
            | Error::Absent(_)
            | Error::NoNamespace(_)
            | Error::NamespaceEnding(_)
            | Error::BeingDeleted { .. }
    );
    if moves {
        WriteTrouble::Raced
    } else {
        WriteTrouble::Later(error.to_string())
    }
}
