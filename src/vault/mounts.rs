//! Which engine a path is in; the server is asked once per mount.
//!
//! No mount is inside another, so a known mount answers for every path beneath it. The request
//! (`sys/internal/ui/mounts/PATH`) needs no separate right: any right beneath the mount is enough.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::access::SharedLogin;
use super::endpoint::Own;
use super::error::{Cause, RequestEnd};
use super::failure_reasons::{Absence, ServerRefusal};
use super::path::DataPath;
use super::response::Reply;
use crate::base::lock::locked;
use crate::base::material::Node;
use crate::net::Call;

/// A mount and its engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// With its final slash.
    pub(super) path: String,
    pub(super) engine: Engine,
}

impl Mount {
    fn holds(&self, path: &DataPath) -> bool {
        path.beneath(&self.path).is_some()
    }
}

/// The properties of an engine that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    KvV1,
    KvV2,
    /// It answers at the path as written.
    Other,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::KvV1 => "KV v1",
            Self::KvV2 => "KV v2",
            Self::Other => "not KV",
        }
    }
}

/// The known mounts, by the first part of their paths: reads with the same first part share one
/// request, others do not wait for it.
#[derive(Default)]
pub(super) struct Mounts(Mutex<HashMap<String, Arc<Known>>>);

type Known = tokio::sync::Mutex<Beneath>;

/// The mounts with one first part.
#[derive(Default)]
struct Beneath {
    /// Each with the time when it was asked for.
    mounts: Vec<(Instant, Mount)>,
    /// The failure of the last request, and its time: for reads that waited for it.
    failed: Option<(Instant, RequestEnd)>,
}

impl Mounts {
    /// The mount of a path; nothing if we may not know it.
    pub(super) async fn find(
        &self,
        access: &SharedLogin,
        path: &DataPath,
    ) -> Result<Option<Mount>, RequestEnd> {
        let asked = Instant::now();
        let known = self.slot(path.first_part());
        let mut known = known.lock().await;
        if let Some((_, mount)) = known.mounts.iter().find(|(_, mount)| mount.holds(path)) {
            return Ok(Some(mount.clone()));
        }
        if let Some((at, stop)) = &known.failed
            && *at >= asked
        {
            return Err(stop.clone());
        }
        let question = Call::from_endpoint(&Own::mount_of(path.as_str()))?;
        match access.ask(&question).await {
            Ok(reply) => {
                let mount = mount_in(&reply, path)?;
                tracing::debug!(
                    mount = mount.path,
                    engine = mount.engine.name(),
                    "vault mount found"
                );
                known.mounts.push((asked, mount.clone()));
                Ok(Some(mount))
            }
            Err(RequestEnd::Read(
                Cause::Refusal(ServerRefusal::Forbidden { .. })
                | Cause::Absence(Absence::Mount | Absence::Nothing),
            )) => {
                tracing::debug!(
                    path = path.as_str(),
                    "vault does not tell the mount: asked as it is written"
                );
                Ok(None)
            }
            Err(stop) => {
                known.failed = Some((Instant::now(), stop.clone()));
                Err(stop)
            }
        }
    }

    /// Whether another engine has taken the place of the mount of a path, which is asked for again
    /// if it was known before this time.
    pub(super) async fn has_changed(
        &self,
        access: &SharedLogin,
        path: &DataPath,
        since: Instant,
    ) -> Result<bool, RequestEnd> {
        let known = self.slot(path.first_part());
        let before = {
            let mut known = known.lock().await;
            let mounts = &mut known.mounts;
            let old = |(asked, mount): &(Instant, Mount)| mount.holds(path) && *asked < since;
            mounts.iter().position(old).map(|at| mounts.remove(at).1)
        };
        match before {
            None => Ok(false),
            Some(before) => Ok(self.find(access, path).await?.as_ref() != Some(&before)),
        }
    }

    fn slot(&self, first_part: &str) -> Arc<Known> {
        let mut mounts = locked(&self.0);
        mounts.entry(first_part.to_owned()).or_default().clone()
    }
}

/// The mount in an answer.
fn mount_in(reply: &Reply, path: &DataPath) -> Result<Mount, Cause> {
    let word = |tree: &Node, name: &str| match tree.entry(name) {
        Some(Node::Text(text)) => text.expose_str().map(str::to_owned),
        _ => None,
    };
    let unclear = || Cause::not_vault("a mount without its path and type");
    let at = word(&reply.data, "path").ok_or_else(unclear)?;
    let kind = word(&reply.data, "type").ok_or_else(unclear)?;
    let named_itself = at.strip_suffix('/') == Some(path.as_str());
    if path.beneath(&at).is_none() && !named_itself {
        return Err(Cause::not_vault("a mount that does not hold the path"));
    }
    let version = reply
        .data
        .entry("options")
        .and_then(|options| word(options, "version"));
    let engine = match (kind.as_str(), version.as_deref()) {
        ("kv", Some("2")) => Engine::KvV2,
        ("kv" | "generic", _) => Engine::KvV1,
        _ => Engine::Other,
    };
    Ok(Mount { path: at, engine })
}
