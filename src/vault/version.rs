//! Which version of a KV v2 secret is the newest, told by its metadata alone: far less than a full
//! read, and no value.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::access::Access;
use super::endpoint::Own;
use super::error::{Cause, Stop};
use super::kv::secret;
use super::mounts::Mounts;
use super::path::DataPath;
use super::reasons::Refusal;
use crate::base::lock::locked;
use crate::base::material::Node;
use crate::net::Call;

/// However long a token lives, rights may have been given meanwhile.
const BELIEVED: Duration = Duration::from_secs(3600);

/// The newest version of a secret, as its metadata tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Counted from 1.
    pub number: String,
    /// When it was made.
    pub made: String,
}

/// The metadata that we may not read: not asked for again with the same token.
#[derive(Default)]
pub(super) struct Refused(Mutex<HashMap<String, (u64, Instant)>>);

impl Refused {
    fn holds(&self, path: &str, token: u64) -> bool {
        let refused = locked(&self.0);
        let known = refused.get(path);
        known.is_some_and(|(with, at)| *with == token && at.elapsed() < BELIEVED)
    }

    fn add(&self, path: String, token: u64) {
        locked(&self.0).insert(path, (token, Instant::now()));
    }
}

/// The version that a full read would give; nothing where that cannot be told from the metadata
/// alone.
pub(super) async fn version(
    access: &Access,
    mounts: &Mounts,
    refused: &Refused,
    path: &DataPath,
) -> Result<Option<Version>, Stop> {
    let at = match path.as_versioned() {
        Some(at) => at,
        None => match secret(mounts.find(access, path).await?.as_ref(), path)? {
            Some(at) => at,
            None => return Ok(None),
        },
    };
    let metadata = format!("{}/metadata/{}", at.mount, at.key);
    let token = || *access.generations.borrow();
    if refused.holds(&metadata, token()) {
        return Ok(None);
    }
    match access.ask(&Call::of(&Own::read(&metadata))?).await {
        Ok(reply) => Ok(living_version(&reply.data)),
        Err(Stop::Read(Cause::Refusal(Refusal::Forbidden { .. }))) => {
            tracing::info!(
                path = metadata,
                "no right to it: the whole secret is read at each refresh instead"
            );
            refused.add(metadata, token());
            Ok(None)
        }
        Err(Stop::Read(Cause::Refusal(_) | Cause::Absence(_) | Cause::Misuse(_))) => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// The current version, if it is neither deleted nor destroyed.
fn living_version(metadata: &Node) -> Option<Version> {
    let current = metadata.entry("current_version").and_then(Node::leaf)?;
    let current = current.expose_str()?;
    let version = metadata.entry("versions")?.entry(current)?;
    let destroyed = version.entry("destroyed") != Some(&Node::Bool(false));
    let deleted = version.entry("deletion_time") != Some(&Node::text(""));
    let made = version.entry("created_time").and_then(Node::leaf)?;
    let made = made.expose_str()?.to_owned();
    (!destroyed && !deleted).then(|| Version {
        number: current.to_owned(),
        made,
    })
}
