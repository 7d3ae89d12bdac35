//! Finds the newest version of a KV v2 secret by its metadata alone: this is far less than a full
//! read, and contains no value.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::access::SharedLogin;
use super::endpoint::Own;
use super::error::{Cause, RequestEnd};
use super::failure_reasons::ServerRefusal;
use super::kv::secret;
use super::mounts::Mounts;
use super::path::DataPath;
use crate::base::lock::locked;
use crate::base::material::Node;
use crate::net::Call;

/// How long a refusal is remembered: rights may be given meanwhile, also to a token that lives
/// long.
const BELIEVED: Duration = Duration::from_secs(3600);

/// The newest version of a secret, from its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestVersion {
    /// Counted from 1.
    pub number: String,
    /// When it was created.
    pub made: String,
}

/// One version in the metadata of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownVersion {
    /// Counted from 1.
    pub number: u64,
    /// When it was created.
    pub made: String,
    /// Its state.
    pub state: VersionState,
}

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// It can be read.
    Readable,
    /// It can be undeleted.
    Deleted,
    /// It is gone for good.
    Destroyed,
}

impl VersionState {
    /// The word that Vault uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Deleted => "deleted",
            Self::Destroyed => "destroyed",
        }
    }
}

/// Metadata that we may not read: it is not requested again with the same token.
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

/// The version that a full read would give; nothing if the metadata alone cannot tell.
pub(super) async fn version(
    access: &SharedLogin,
    mounts: &Mounts,
    refused: &Refused,
    path: &DataPath,
) -> Result<Option<NewestVersion>, RequestEnd> {
    let Some(metadata) = metadata_path(access, mounts, path).await? else {
        return Ok(None);
    };
    let token = || *access.generations.borrow();
    if refused.holds(&metadata, token()) {
        return Ok(None);
    }
    match access
        .ask(&Call::from_endpoint(&Own::read(&metadata))?)
        .await
    {
        Ok(reply) => Ok(living_version(&reply.data)),
        Err(RequestEnd::Read(Cause::Refusal(ServerRefusal::Forbidden { .. }))) => {
            tracing::info!(
                path = metadata,
                "no right to it: the whole secret is read at each refresh instead"
            );
            refused.add(metadata, token());
            Ok(None)
        }
        Err(RequestEnd::Read(Cause::Refusal(_) | Cause::Absence(_) | Cause::Misuse(_))) => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// The path of a secret's metadata; nothing for a path that is not in KV v2.
async fn metadata_path(
    access: &SharedLogin,
    mounts: &Mounts,
    path: &DataPath,
) -> Result<Option<String>, RequestEnd> {
    let at = match path.as_versioned() {
        Some(at) => Some(at),
        None => secret(mounts.find(access, path).await?.as_ref(), path)?,
    };
    Ok(at.map(|at| format!("{}/metadata/{}", at.mount, at.key)))
}

/// All versions in a secret's metadata, the newest first; nothing for a path that is not in KV v2.
pub(super) async fn versions(
    access: &SharedLogin,
    mounts: &Mounts,
    path: &DataPath,
) -> Result<Option<Vec<KnownVersion>>, RequestEnd> {
    let Some(metadata) = metadata_path(access, mounts, path).await? else {
        return Ok(None);
    };
    let reply = access
        .ask(&Call::from_endpoint(&Own::read(&metadata))?)
        .await?;
    let Some(Node::Map(versions)) = reply.data.entry("versions") else {
        return Ok(None);
    };
    let mut all: Vec<KnownVersion> = versions
        .iter()
        .filter_map(|(number, version)| known_version(number, version))
        .collect();
    all.sort_by_key(|version| std::cmp::Reverse(version.number));
    Ok(Some(all))
}

fn known_version(number: &str, version: &Node) -> Option<KnownVersion> {
    let text = |name| version.entry(name).and_then(Node::leaf);
    let made = text("created_time")?;
    // `delete_version_after` sets this time in advance.
    let goes: Option<Timestamp> = text("deletion_time")
        .as_ref()
        .and_then(|time| time.expose_str()?.parse().ok());
    let stands = goes.is_some_and(|goes| goes > Timestamp::now());
    let state = match state(version) {
        VersionState::Deleted if stands => VersionState::Readable,
        state @ (VersionState::Readable | VersionState::Deleted | VersionState::Destroyed) => state,
    };
    Some(KnownVersion {
        number: number.parse().ok()?,
        made: made.expose_str()?.to_owned(),
        state,
    })
}

fn state(version: &Node) -> VersionState {
    if version.entry("destroyed") != Some(&Node::Bool(false)) {
        VersionState::Destroyed
    } else if version.entry("deletion_time") != Some(&Node::text("")) {
        VersionState::Deleted
    } else {
        VersionState::Readable
    }
}

/// The current version, if it is neither deleted nor destroyed.
fn living_version(metadata: &Node) -> Option<NewestVersion> {
    let current = metadata.entry("current_version").and_then(Node::leaf)?;
    let current = current.expose_str()?;
    let version = metadata.entry("versions")?.entry(current)?;
    let made = version.entry("created_time").and_then(Node::leaf)?;
    let made = made.expose_str()?.to_owned();
    (state(version) == VersionState::Readable).then(|| NewestVersion {
        number: current.to_owned(),
        made,
    })
}
