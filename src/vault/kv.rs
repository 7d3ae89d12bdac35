//! Reading a path that may or may not lie in a KV engine, with as few requests as are needed to be right.
//!
//! `mount/data/key` is asked for as it is written: an answer that has exactly the form of KV v2 *and* no duration
//! cannot come from KV v1, which always tells one for two fields of those names. So the usual read is one request.
//! Whatever else comes back, and every other path, is settled by asking which mount the path lies in.

use vaultrs::api::kv1::requests::GetSecretRequest;
use vaultrs::api::kv2::requests::ReadSecretRequest;

use super::access::Access;
use super::endpoint::Own;
use super::envelope::{Reply, entry, version_state};
use super::error::{Cause, Stop};
use super::mounts::{Engine, Mount, Mounts};
use super::path::{DataPath, KvPath};
use super::reasons::{Absence, Misuse, Refusal, Setup};
use super::transport::Call;
use crate::material::{Lease, Material, Node};

/// The newest version of a secret, as its metadata tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Counted from 1.
    pub number: String,
    /// When it was made.
    pub made: String,
}

/// What came of asking for a path.
type Outcome = Result<Reply, Stop>;

/// Reads a path, at a version where one is given.
pub(super) async fn read(
    access: &Access,
    mounts: &Mounts,
    path: &DataPath,
    version: Option<u64>,
) -> Result<Material, Stop> {
    let mut tried = None;
    if let Some(at) = path.as_versioned() {
        let outcome = access.ask(&of_secret(&at, version)?).await;
        if is_settled(&outcome) {
            return Ok(versioned(outcome?, version)?);
        }
        tried = Some((at, outcome));
    }
    let mount = if path.is_builtin() {
        None
    } else {
        mounts.find(access, path).await?
    };
    match mount {
        Some(Mount {
            path: mount,
            engine: Engine::KvV2,
        }) => {
            let at = secret_in(&mount, path)?;
            let outcome = match tried {
                Some((tried, outcome)) if tried == at => outcome,
                Some(_) | None => access.ask(&of_secret(&at, version)?).await,
            };
            let place = format!("{}/data/{}", at.mount, at.key);
            let refused = Place {
                path: &place,
                mount_known: true,
            };
            let reply = outcome.map_err(|stop| explain(stop, access, refused, version))?;
            Ok(versioned(reply, version)?)
        }
        unversioned => {
            if let (Some(version), Some(_)) = (version, &unversioned) {
                return Err(Misuse::NoVersions(version).into());
            }
            let place = Place {
                path: path.as_str(),
                mount_known: unversioned.is_some(),
            };
            let outcome = match tried {
                Some((_, outcome)) => outcome,
                None => access.ask(&of_path(unversioned, path)?).await,
            };
            let reply = outcome.map_err(|stop| explain(stop, access, place, version))?;
            match version {
                Some(version) => Err(Misuse::NoVersions(version).into()),
                None => Ok(any(reply)?),
            }
        }
    }
}

/// The version that a full read would give; nothing where that cannot be told from the metadata alone.
pub(super) async fn version(
    access: &Access,
    mounts: &Mounts,
    path: &DataPath,
) -> Result<Option<Version>, Stop> {
    let at = match path.as_versioned() {
        Some(at) => at,
        None => match mounts.find(access, path).await? {
            Some(Mount {
                path: mount,
                engine: Engine::KvV2,
            }) => secret_in(&mount, path)?,
            Some(_) | None => return Ok(None),
        },
    };
    let question = Call::of(&Own::read(&format!("{}/metadata/{}", at.mount, at.key)))?;
    match access.ask(&question).await {
        Ok(reply) => Ok(living_version(&reply.data)),
        Err(Stop::Read(Cause::Refusal(_) | Cause::Absence(_) | Cause::Misuse(_))) => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// The current version, if it is neither deleted nor destroyed.
fn living_version(metadata: &Node) -> Option<Version> {
    let current = entry(metadata, "current_version").and_then(Node::leaf)?;
    let current = current.expose_str()?;
    let version = entry(entry(metadata, "versions")?, current)?;
    let destroyed = entry(version, "destroyed") != Some(&Node::Bool(false));
    let deleted = entry(version, "deletion_time") != Some(&Node::text(""));
    let made = entry(version, "created_time").and_then(Node::leaf)?;
    let made = made.expose_str()?.to_owned();
    (!destroyed && !deleted).then(|| Version {
        number: current.to_owned(),
        made,
    })
}

/// Writes to a path that answers data.
pub(super) async fn write(access: &Access, path: &DataPath, body: &str) -> Result<Material, Stop> {
    if !body.trim_start().starts_with('{')
        || serde_json::from_str::<&serde_json::value::RawValue>(body).is_err()
    {
        return Err(Setup::Write.into());
    }
    let call = Call::of(&Own::write(path.as_str(), body.as_bytes()))?;
    let reply = access.ask(&call).await.map_err(|stop| match stop {
        Stop::Read(Cause::Refusal(Refusal::Forbidden { .. })) => {
            let place = Place {
                path: path.as_str(),
                mount_known: false,
            };
            denied(access, "write", place)
        }
        stop @ (Stop::Read(_) | Stop::Login(_)) => stop,
    })?;
    Ok(any(reply)?)
}

fn of_secret(at: &KvPath, version: Option<u64>) -> Result<Call, Cause> {
    let KvPath { mount, key } = at.clone();
    Call::of(&ReadSecretRequest {
        mount,
        path: key,
        version,
    })
}

fn of_path(mount: Option<Mount>, path: &DataPath) -> Result<Call, Cause> {
    match mount {
        Some(Mount {
            path: mount,
            engine: Engine::KvV1,
        }) => {
            let key = path.beneath(&mount).ok_or(Misuse::MountOnly)?.to_owned();
            let mount = mount.trim_end_matches('/').to_owned();
            Call::of(&GetSecretRequest { mount, path: key })
        }
        Some(_) | None => Call::of(&Own::read(path.as_str())),
    }
}

/// The secret of a KV v2 mount that a path names, with its `data` or without.
fn secret_in(mount: &str, path: &DataPath) -> Result<KvPath, Cause> {
    let rest = path.beneath(mount).ok_or(Misuse::MountOnly)?;
    Ok(KvPath {
        mount: mount.trim_end_matches('/').to_owned(),
        key: rest.strip_prefix("data/").unwrap_or(rest).to_owned(),
    })
}

/// Whether an answer to `mount/data/key` means the same whatever is mounted there.
fn is_settled(outcome: &Outcome) -> bool {
    match outcome {
        Ok(reply) => is_versioned(reply),
        Err(Stop::Read(
            Cause::Absence(Absence::Nothing)
            | Cause::Misuse(Misuse::Unversioned)
            | Cause::Refusal(Refusal::Forbidden { .. }),
        )) => false,
        Err(_) => true,
    }
}

/// Whether an answer can only be one of KV v2.
fn is_versioned(reply: &Reply) -> bool {
    let Node::Map(entries) = &reply.data else {
        return false;
    };
    let metadata = entry(&reply.data, "metadata");
    let told = |name| {
        metadata
            .and_then(|metadata| entry(metadata, name))
            .is_some()
    };
    entries.len() == 2
        && matches!(entry(&reply.data, "data"), Some(Node::Map(_)))
        && ["created_time", "deletion_time", "destroyed", "version"]
            .into_iter()
            .all(told)
        && reply.lease.is_none()
        && reply.lease_seconds == 0
}

/// The data of a KV v2 answer. `null` is never taken for empty data.
fn versioned(reply: Reply, wanted: Option<u64>) -> Result<Material, Cause> {
    if !is_versioned(&reply) {
        return Err(version_state(&reply.data)
            .unwrap_or_else(|| Cause::not_vault("KV v2 without data and metadata")));
    }
    let version = entry(&reply.data, "metadata")
        .and_then(|metadata| entry(metadata, "version"))
        .and_then(Node::leaf)
        .and_then(|version| version.expose_str().map(str::to_owned));
    if wanted.is_some_and(|wanted| version != Some(wanted.to_string())) {
        return Err(Cause::not_vault("KV v2 with another version"));
    }
    tracing::debug!(version, "read as KV v2");
    let Node::Map(entries) = reply.data else {
        return Err(Absence::NoData.into());
    };
    let data = entries.into_iter().find(|(name, _)| name == "data");
    Ok(Material {
        version,
        ..Material::of(data.ok_or(Absence::NoData)?.1)
    })
}

/// The data of any other answer: of the engine, or a token that the path makes.
fn any(reply: Reply) -> Result<Material, Cause> {
    let Reply {
        data, auth, lease, ..
    } = reply;
    match (data, auth) {
        (data @ Node::Map(_), _) => Ok(Material {
            lease,
            ..Material::of(data)
        }),
        (Node::Null, auth @ Node::Map(_)) => Ok(Material {
            lease: Some(lease_of_token(&auth)),
            ..Material::of(auth)
        }),
        _ => Err(Absence::NoData.into()),
    }
}

/// A token made with ours ends with ours, just as a lease does.
fn lease_of_token(auth: &Node) -> Lease {
    let leaf = |name| {
        let leaf = entry(auth, name).and_then(Node::leaf)?;
        leaf.expose_str().map(str::to_owned)
    };
    Lease {
        id: leaf("accessor").unwrap_or_default(),
        seconds: leaf("lease_duration")
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or_default(),
        renewable: entry(auth, "renewable") == Some(&Node::Bool(true)),
    }
}

/// A refusal in the words of the place that was asked for, which is the one a policy must name.
fn explain(stop: Stop, access: &Access, place: Place<'_>, version: Option<u64>) -> Stop {
    match (stop, version) {
        (Stop::Read(Cause::Refusal(Refusal::Forbidden { .. })), _) => denied(access, "read", place),
        (Stop::Read(Cause::Absence(Absence::Nothing)), Some(version)) => {
            Absence::Version(version).into()
        }
        (stop, _) => stop,
    }
}

/// What was asked for, and whether its mount is known to be there.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    mount_known: bool,
}

fn denied(access: &Access, verb: &'static str, place: Place<'_>) -> Stop {
    let refusal = Refusal::Denied {
        identity: access.identity(),
        verb,
        path: place.path.to_owned(),
        mount_known: place.mount_known,
    };
    refusal.into()
}
