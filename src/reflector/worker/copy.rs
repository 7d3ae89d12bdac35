//! Writes one copy: applies it as a whole, creates it again if an update is impossible, and removes
//! keys that others added.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::digest::extra;
use super::super::source_cache::CachedSource;
use super::{Worker, WriteTrouble, keeps_its_keys, trouble};
use crate::base::artifact::{MARK, OWNER};
use crate::base::observed::Basis;
use crate::copy_rules::annotations::Dialect;
use crate::copy_rules::index::{How, Write, Written};
use crate::copy_rules::metadata::DataOwners;
use crate::copy_rules::place::{CopiedKind, ResourceVersion, Uid};
use crate::copy_rules::signature::{Bound, CopyOrigin, SIGNATURE, SignedStatement};
use crate::copy_rules::{emberstack, marks, mittwald};
use crate::kubernetes::Error;
use crate::kubernetes::copy::WholeObject;
use crate::kubernetes::write::Put;

/// How long finalizers may delay the deletion of a copy that is to be created again.
const RELEASE: Duration = Duration::from_secs(2);

impl Worker {
    pub(super) async fn write(&self, write: &Write) -> Result<Written, WriteTrouble> {
        let cached = self.decided_on(write).await?;
        let ours = !matches!(write.how, How::Fill(..));
        let basis = match write.how {
            How::Create => None,
            How::Update(uid, version) | How::Adopt(uid, version) | How::Fill(uid, version) => {
                Some((uid, version))
            }
        };
        let stored = match (self.write_copy(write, &cached, basis, ours).await, basis) {
            (Ok(stored), _) => stored,
            (Err(Error::Raced(_) | Error::Owned { .. }), None) => {
                return Err(self.who_stands_there(write).await);
            }
            (Err(rejected @ Error::Rejected { .. }), Some(basis)) if ours => {
                if !self.make_room(write, basis, &cached).await? {
                    return Err(trouble(rejected));
                }
                let made = self.write_copy(write, &cached, None, ours).await;
                made.map_err(trouble)?
            }
            (Err(error), _) => return Err(trouble(error)),
        };
        self.correct_stored(write, &cached, stored, ours).await
    }

    /// Fields of others are taken over. Our own copy gets our mark, a signature and the source's
    /// type. A mirror's owner asked for the fields, and the mirror keeps its own type.
    async fn write_copy(
        &self,
        write: &Write,
        cached: &CachedSource,
        basis: Option<(Uid, ResourceVersion)>,
        ours: bool,
    ) -> Result<WholeObject, Error> {
        let CachedSource { whole, words, .. } = cached;
        let (mut labels, mut annotations) = (words[0].clone(), annotations(write, cached));
        if ours {
            labels.insert(MARK.to_owned(), OWNER.to_owned());
            let signature = self.signature(write, cached, basis);
            annotations.extend(signature.map(|text| (SIGNATURE.to_owned(), text)));
        }
        let basis = basis.map(|(uid, version)| Basis {
            uid: uid.to_string(),
            version: version.to_string(),
            managers: None,
        });
        let put = Put {
            kind: write.kind,
            at: write.place.object(),
            of_type: (ours && write.kind == CopiedKind::Secret).then_some(whole.kind.as_str()),
            labels,
            annotations,
            immutable: false,
            data: &whole.data,
            binary: Some(&whole.binary),
            basis: basis.as_ref(),
            force: true,
        };
        self.cluster().send(&put).await
    }

    /// The source in the version that the decision was made on. Another version is reported, so
    /// that the place is decided again: the source may not give to this place any more, and a
    /// broken watch would not have told us.
    async fn decided_on(&self, write: &Write) -> Result<Arc<CachedSource>, WriteTrouble> {
        let is_meant = |cached: &CachedSource| {
            let metadata = &cached.whole.metadata;
            (metadata.uid, metadata.resource_version) == (write.source_uid, write.source_version)
        };
        let (kind, place) = (write.kind, &write.source);
        let kept = self.source(kind, place).await.map_err(trouble)?;
        if let Some(cached) = kept.filter(|cached| is_meant(cached)) {
            return Ok(cached);
        }
        // The cached source may be older than the decision.
        match self.refresh(kind, place).await.map_err(trouble)? {
            Some(cached) if is_meant(&cached) => Ok(cached),
            Some(cached) => Err(WriteTrouble::Known(Box::new(cached.whole.metadata.clone()))),
            None => Err(WriteTrouble::Gone(place.clone())),
        }
    }

    /// The signature: for the uid of an existing object, or for the present time if there is none.
    fn signature(
        &self,
        write: &Write,
        cached: &CachedSource,
        basis: Option<(Uid, ResourceVersion)>,
    ) -> Option<String> {
        let statement = SignedStatement {
            kind: write.kind,
            namespace: &write.place.namespace,
            name: &write.place.name,
            origin: CopyOrigin::Object(
                &write.source,
                write.source_uid,
                cached.whole.metadata.resource_version,
            ),
        };
        let bound = match basis {
            None => Bound::Created(jiff::Timestamp::now().as_second()),
            Some((uid, _)) => Bound::Object(uid),
        };
        self.keys.sign(&statement, bound)
    }

    /// Nothing stood there when the write was decided, and now an object does.
    async fn who_stands_there(&self, write: &Write) -> WriteTrouble {
        match self.cluster().read_whole(write.kind, &write.place).await {
            Ok(Some(found)) => {
                let ours =
                    found.metadata.marked && found.metadata.notes.read(marks::SOURCE_UID).is_some();
                if ours {
                    WriteTrouble::Known(Box::new(found.metadata))
                } else {
                    WriteTrouble::Foreign
                }
            }
            Ok(None) => WriteTrouble::Raced,
            Err(error) => trouble(error),
        }
    }

    /// If the type or the immutability forbid an update, deletes exactly the object that the
    /// decision was made on. Says whether it was deleted: neither may be the reason.
    async fn make_room(
        &self,
        write: &Write,
        basis: (Uid, ResourceVersion),
        cached: &CachedSource,
    ) -> Result<bool, WriteTrouble> {
        let cluster = self.cluster();
        let found = cluster.read_whole(write.kind, &write.place).await;
        let Some(found) = found.map_err(trouble)? else {
            return Err(WriteTrouble::Raced);
        };
        let seen = (found.metadata.uid, found.metadata.resource_version);
        if seen != basis {
            return Err(WriteTrouble::Raced);
        }
        if !found.immutable && found.kind == cached.whole.kind {
            return Ok(false);
        }
        let (kind, place) = (write.kind, &write.place);
        self.delete(kind, place, basis).await.map_err(trouble)?;
        let uid = basis.0.to_string();
        let gone = cluster.released(kind, &place.object(), &uid, RELEASE).await;
        gone.map_err(trouble)?;
        Ok(true)
    }

    /// The stored object must be the one that was sent: keys of others are removed, and a webhook
    /// that changes values is reported.
    async fn correct_stored(
        &self,
        write: &Write,
        cached: &CachedSource,
        stored: WholeObject,
        ours: bool,
    ) -> Result<Written, WriteTrouble> {
        let merged = !ours && keeps_its_keys(&stored.metadata);
        let extra = if merged {
            Vec::new()
        } else {
            extra(&stored, &cached.whole)
        };
        let shared = ours && stored.metadata.owners != DataOwners::ours(cached.whole.keys());
        let stored = if extra.is_empty() && !shared {
            stored
        } else {
            let cleared = self.cluster().clear(write.kind, &stored, &extra).await;
            cleared.map_err(trouble)?
        };
        if self.digest_of_copy(&stored, cached) != cached.digest {
            return Err(WriteTrouble::Later(
                "the cluster stored something else than was sent: look for a webhook that changes \
                 it"
                .to_owned(),
            ));
        }
        Ok(Written {
            uid: stored.metadata.uid,
            version: stored.metadata.resource_version,
            holds: cached.whole.metadata.resource_version,
            digest: cached.digest,
            guard: stored.metadata.owners,
        })
    }
}

/// Annotations of the dialect that asked, so that its controller could take the copy over again;
/// and the source's uid.
fn annotations(write: &Write, cached: &CachedSource) -> BTreeMap<String, String> {
    let fills = matches!(write.how, How::Fill(..));
    let holds = cached.whole.metadata.resource_version;
    let now = format!("{:.7}", jiff::Timestamp::now());
    let mut keys: Vec<&str> = cached.whole.keys().map(|(_, key)| key).collect();
    keys.sort_unstable();
    let words = match write.dialect {
        Dialect::Emberstack => emberstack::written(&write.source, holds, &now, !fills),
        Dialect::Mittwald => mittwald::written(&write.source, holds, &now, &keys, !fills),
    };
    let words = words
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    let mut annotations = cached.words[1].clone();
    annotations.extend(words);
    annotations.insert(marks::SOURCE_UID.to_owned(), write.source_uid.to_string());
    annotations
}
