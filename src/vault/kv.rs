//! Reads a path that may or may not be in a KV engine, with as few requests as possible.
//!
//! `mount/data/key` is requested as written. If the answer has exactly the form of KV v2 *and* no
//! duration, it cannot come from KV v1, which always sends a duration with two fields of those
//! names. So the usual read is one request. For any other answer, and for every other path, the
//! server is asked which mount the path is in. But a path that was written with its `/v1/` is an
//! exact request, and only that request is made.

use tokio::time::Instant;
use vaultrs::api::kv1::requests::GetSecretRequest;
use vaultrs::api::kv2::requests::ReadSecretRequest;

use super::access::SharedLogin;
use super::endpoint::Own;
use super::error::{Cause, RequestEnd};
use super::failure_reasons::{Absence, Misuse, ServerRefusal, Setup};
use super::lifetime::{seconds_in, until_rotation};
use super::mounts::{Engine, Mount, Mounts};
use super::path::{DataPath, KvPath};
use super::response::{Reply, version_state};
use crate::base::material::{Lease, Material, Node};
use crate::net::Call;

/// The result of a request for a path.
type Outcome = Result<Reply, RequestEnd>;

/// A path, and how to read it.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) path: &'a DataPath,
    /// Requested as written, whatever engine it is in.
    pub(super) exact: bool,
    pub(super) version: Option<u64>,
}

impl Question<'_> {
    /// Whether what is requested depends on the engine.
    fn needs_mount(&self) -> bool {
        !self.exact && !self.path.is_builtin()
    }
}

/// Reads a path, at the version if one is given. Before a secret counts as absent, its mount is
/// asked for again: another engine may have taken its place.
pub(super) async fn read(
    access: &SharedLogin,
    mounts: &Mounts,
    question: Question<'_>,
) -> Result<Material, RequestEnd> {
    let begun = Instant::now();
    let outcome = read_in_known_mount(access, mounts, question).await;
    let is_refuted = matches!(
        outcome,
        Err(RequestEnd::Read(Cause::Absence(_) | Cause::Misuse(_)))
    );
    if is_refuted
        && question.needs_mount()
        && mounts.has_changed(access, question.path, begun).await?
    {
        return read_in_known_mount(access, mounts, question).await;
    }
    outcome
}

async fn read_in_known_mount(
    access: &SharedLogin,
    mounts: &Mounts,
    question: Question<'_>,
) -> Result<Material, RequestEnd> {
    let Question { path, version, .. } = question;
    let mut tried = None;
    if let Some(at) = path.as_versioned() {
        let outcome = access.ask(&of_secret(&at, version)?).await;
        if is_settled(&outcome) {
            return Ok(versioned(outcome?, version)?);
        }
        tried = Some((at, outcome));
    }
    let mount = match question.needs_mount() {
        true => mounts.find(access, path).await?,
        false => None,
    };
    if let Some(at) = secret(mount.as_ref(), path)? {
        let outcome = match tried {
            Some((tried, outcome)) if tried == at => outcome,
            Some(_) | None => access.ask(&of_secret(&at, version)?).await,
        };
        let refused = Place {
            path: &at.data_path(),
            mount_known: true,
        };
        let reply = outcome.map_err(|stop| explain(stop, access, refused, version))?;
        return Ok(versioned(reply, version)?);
    }
    if let (Some(version), Some(_)) = (version, &mount) {
        return Err(Misuse::NoVersions(version).into());
    }
    let place = Place {
        path: path.as_str(),
        mount_known: mount.is_some(),
    };
    let outcome = match tried {
        Some((_, outcome)) => outcome,
        None => access.ask(&of_path(mount, path)?).await,
    };
    let reply = outcome.map_err(|stop| explain(stop, access, place, version))?;
    match version {
        Some(version) => Err(Misuse::NoVersions(version).into()),
        None => Ok(any(reply)?),
    }
}

/// The path that reads a secret of KV v2, if its own path leaves `data` out; nothing for every
/// other path.
pub(super) async fn data_path(
    access: &SharedLogin,
    mounts: &Mounts,
    path: &DataPath,
) -> Result<Option<String>, RequestEnd> {
    if path.as_versioned().is_some() || path.is_builtin() {
        return Ok(None);
    }
    let mount = mounts.find(access, path).await?;
    let secret = secret(mount.as_ref(), path)?;
    Ok(secret.map(|at| at.data_path()))
}

/// Writes to a path that answers with data.
pub(super) async fn write(
    access: &SharedLogin,
    path: &DataPath,
    body: &str,
) -> Result<Material, RequestEnd> {
    if !body.trim_start().starts_with('{')
        || serde_json::from_str::<&serde_json::value::RawValue>(body).is_err()
    {
        return Err(Setup::Write.into());
    }
    let call = Call::from_endpoint(&Own::write(path.as_str(), body.as_bytes()))?;
    let reply = access.ask(&call).await.map_err(|stop| match stop {
        RequestEnd::Read(Cause::Refusal(ServerRefusal::Forbidden { .. })) => {
            let place = Place {
                path: path.as_str(),
                mount_known: false,
            };
            denied(access, true, place)
        }
        stop @ (RequestEnd::Read(_) | RequestEnd::Login(_)) => stop,
    })?;
    Ok(any(reply)?)
}

fn of_secret(at: &KvPath, version: Option<u64>) -> Result<Call, Cause> {
    let KvPath { mount, key } = at.clone();
    Call::from_endpoint(&ReadSecretRequest {
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
            Call::from_endpoint(&GetSecretRequest { mount, path: key })
        }
        Some(_) | None => Call::from_endpoint(&Own::read(path.as_str())),
    }
}

/// The secret that a path names, with `data` or without, if it is in a KV v2 mount. Paths of
/// `metadata` and `subkeys` name no secret.
pub(super) fn secret(mount: Option<&Mount>, path: &DataPath) -> Result<Option<KvPath>, Cause> {
    let Some(Mount {
        path: mount,
        engine: Engine::KvV2,
    }) = mount
    else {
        return Ok(None);
    };
    let rest = path.beneath(mount).ok_or(Misuse::MountOnly)?;
    if ["metadata/", "subkeys/"]
        .iter()
        .any(|of| rest.starts_with(of))
    {
        return Ok(None);
    }
    Ok(Some(KvPath {
        mount: mount.trim_end_matches('/').to_owned(),
        key: rest.strip_prefix("data/").unwrap_or(rest).to_owned(),
    }))
}

/// Whether an answer to `mount/data/key` means the same with every engine.
fn is_settled(outcome: &Outcome) -> bool {
    match outcome {
        Ok(reply) => is_versioned(reply),
        Err(RequestEnd::Read(
            Cause::Absence(Absence::Nothing)
            | Cause::Misuse(Misuse::Unversioned)
            | Cause::Refusal(ServerRefusal::Forbidden { .. }),
        )) => false,
        Err(_) => true,
    }
}

/// Whether an answer can only come from KV v2.
fn is_versioned(reply: &Reply) -> bool {
    let Node::Map(entries) = &reply.data else {
        return false;
    };
    let metadata = reply.data.entry("metadata");
    let told = |name| metadata.and_then(|metadata| metadata.entry(name)).is_some();
    entries.len() == 2
        && matches!(reply.data.entry("data"), Some(Node::Map(_)))
        && ["created_time", "deletion_time", "destroyed", "version"]
            .into_iter()
            .all(told)
        && reply.lease.is_none()
        && reply.lease_seconds == 0
}

/// The data of a KV v2 answer. `null` is never read as empty data.
fn versioned(reply: Reply, wanted: Option<u64>) -> Result<Material, Cause> {
    if !is_versioned(&reply) {
        return Err(version_state(&reply.data)
            .unwrap_or_else(|| Cause::not_vault("KV v2 without data and metadata")));
    }
    let told = |name| {
        let leaf = reply.data.entry("metadata")?.entry(name)?.leaf()?;
        leaf.expose_str().map(str::to_owned)
    };
    let (version, made) = (told("version"), told("created_time"));
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
        made,
        ..Material::unversioned(data.ok_or(Absence::NoData)?.1)
    })
}

/// The data of any other answer: of the engine, or a token that the path creates.
fn any(reply: Reply) -> Result<Material, Cause> {
    let Reply {
        data,
        auth,
        lease,
        lease_seconds,
        warnings: _,
    } = reply;
    match (data, auth) {
        (data @ Node::Map(_), _) => Ok(Material {
            // A duration without a lease comes from KV v1, whose fields can have any meaning.
            rotates_in: until_rotation(&data).filter(|_| lease.is_none() && lease_seconds == 0),
            lease,
            ..Material::unversioned(data)
        }),
        (Node::Null, auth @ Node::Map(_)) => Ok(Material {
            lease: Some(lease_of_token(&auth)),
            ..Material::unversioned(auth)
        }),
        _ => Err(Absence::NoData.into()),
    }
}

/// A token that was created with ours ends with ours, just as a lease does.
fn lease_of_token(auth: &Node) -> Lease {
    let accessor = auth.entry("accessor").and_then(Node::leaf);
    let accessor = accessor.and_then(|id| id.expose_str().map(str::to_owned));
    Lease {
        id: accessor.unwrap_or_default(),
        seconds: seconds_in(auth, "lease_duration").unwrap_or_default(),
        renewable: auth.entry("renewable") == Some(&Node::Bool(true)),
    }
}

/// A refusal that names the requested path, which is also the path for a policy.
fn explain(
    stop: RequestEnd,
    access: &SharedLogin,
    place: Place<'_>,
    version: Option<u64>,
) -> RequestEnd {
    match (stop, version) {
        (RequestEnd::Read(Cause::Refusal(ServerRefusal::Forbidden { .. })), _) => {
            denied(access, false, place)
        }
        (RequestEnd::Read(Cause::Absence(Absence::Nothing)), Some(version)) => {
            Absence::Version(version).into()
        }
        (stop, _) => stop,
    }
}

/// The requested path, and whether its mount is known to exist.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    mount_known: bool,
}

/// A refusal at a path outside the secrets engines.
pub(super) fn refused(access: &SharedLogin, writes: bool, path: &str) -> RequestEnd {
    let place = Place {
        path,
        mount_known: true,
    };
    denied(access, writes, place)
}

fn denied(access: &SharedLogin, writes: bool, place: Place<'_>) -> RequestEnd {
    let refusal = ServerRefusal::Denied {
        identity: access.identity(),
        writes,
        path: place.path.to_owned(),
        mount_known: place.mount_known,
    };
    refusal.into()
}
