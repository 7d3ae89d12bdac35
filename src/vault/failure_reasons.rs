//! The reasons of failures with Vault, by kind: each gives the problem and what to do about it.

use std::time::Duration;

use super::path::PathFault;
use crate::base::failure::Class;
use crate::process::memory::Full;

/// Problems that are found before anything is sent.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Setup {
    #[error("the path is refused: {0}")]
    Path(PathFault),
    #[error("the mount of the auth method is refused: {0}")]
    Mount(PathFault),
    #[error("{what} {path} holds no usable credential: {why}")]
    Credential {
        what: &'static str,
        path: String,
        why: &'static str,
    },
    #[error("`write` is no JSON object")]
    Write,
    #[error("the secret id is wrapped and works once: neither `plan` nor `check` spends it")]
    Spends,
    #[error("this is no GitHub Actions job that may ask for a token")]
    NoRunner,
}

impl Setup {
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Path(_) | Self::Mount(_) | Self::Write => Class::Configuration,
            Self::Credential { .. } | Self::NoRunner | Self::Spends => Class::Denied,
        }
    }

    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Path(_) => "write it as `kv/team/app` or `/v1/kv/data/team/app`",
            Self::Mount(_) => "write it as it is listed, without `auth/`",
            Self::Credential { .. } => "the file must hold the credential alone, on one line",
            Self::Write => "write it as a mapping: `write: {common_name: …}`",
            Self::Spends => {
                "give them an identity of their own: one with `wrapped: false`, or `auth: \
                 {token: {file: …}}`"
            }
            Self::NoRunner => "give the job `permissions: {id-token: write}`",
        }
    }
}

/// Problems that may pass by themselves: each is retried until the deadline.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Outage {
    #[error("not a Vault answer ({what})")]
    NotVault { what: String },
    #[error("vault is sealed")]
    Sealed,
    #[error("vault has no active node")]
    NoLeader,
    #[error("vault is busy (429)")]
    Busy { wait: Option<Duration> },
    #[error("vault answered {status}: {text}")]
    Server {
        status: u16,
        text: String,
        wait: Option<Duration>,
    },
}

impl Outage {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::NotVault { .. } => "something else answers at this address: a proxy, an ingress",
            Self::Sealed => "unseal it (`vault operator unseal`)",
            Self::NoLeader => "an election is under way; if it lasts, look at the storage",
            Self::Busy { .. } => "a quota is reached: see sys/quotas and the number of leases",
            Self::Server { .. } => "its log says why",
        }
    }
}

/// Answers that exceed our limits.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum OverLimit {
    #[error(transparent)]
    Room(#[from] Full),
    #[error("the answer is larger than 4 MiB")]
    Large,
    #[error("the answer is nested deeper than 64 levels")]
    Deep,
    #[error("the answer holds more than 100000 values")]
    Many,
}

/// The reason that a 403 gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ban {
    /// No reason.
    Bare,
    /// Policy forbids access to the mount: another token of this identity would not help.
    Preflight,
    /// Any other reason.
    Told,
}

/// Refusals of Vault.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ServerRefusal {
    /// A 403 whose meaning is not known yet.
    #[error("permission denied: {text}")]
    Forbidden { text: String, ban: Ban },
    /// A 403 that is due to policy.
    #[error("{identity} may not {} `{path}`", if *writes { "write" } else { "read" })]
    Denied {
        identity: String,
        /// Whether the request was a write.
        writes: bool,
        path: String,
        /// Whether the path is in a mount that is known to exist.
        mount_known: bool,
    },
    #[error("vault answered {status}: {text}")]
    Rejected { status: u16, text: String },
    #[error("no auth method is mounted at `auth/{mount}`")]
    NoAuthMount { mount: String },
    #[error("login refused: {text}")]
    Login { text: String },
    #[error("the token was refused: it is wrong or expired")]
    TokenSpent,
    #[error("the wrapping token is not valid: it was used or it ended")]
    Unwrapped,
    #[error("the wrapping token wraps `{found}`, not a secret id of `auth/{mount}`")]
    WrongWrap { found: String, mount: String },
}

impl ServerRefusal {
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Denied {
                writes,
                path,
                mount_known,
                ..
            } => {
                let right = if *writes { "update" } else { "read" };
                let mount = path.split('/').next().unwrap_or_default();
                let mount = match mount_known {
                    true => String::new(),
                    // Vault gives the same answer for a missing path to those without rights there.
                    false => {
                        format!("; or there is no mount `{mount}/`: `vault secrets list` shows all")
                    }
                };
                return Some(format!(
                    "its policy must say: path \"{path}\" {{ capabilities = [\"{right}\"] }}{mount}"
                ));
            }
            Self::Rejected { .. } => return None,
            Self::Forbidden { .. } | Self::Login { .. } => {
                "check the role, its bound names and its audience (`vault read \
                 auth/MOUNT/role/ROLE`); a bare refusal can also mean that the credential ended, \
                 or that Vault cannot ask the API server"
            }
            Self::NoAuthMount { .. } => {
                "check `mount` and `namespace`: `vault auth list` shows all methods"
            }
            Self::TokenSpent => {
                "put a valid token into the file; `vault token lookup` tells of one"
            }
            Self::Unwrapped | Self::WrongWrap { .. } => {
                "if nobody of yours used it, somebody else did: revoke the secret id, then wrap a \
                 new one"
            }
        };
        Some(hint.to_owned())
    }
}

/// Things that Vault does not have.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Absence {
    #[error("deleted at {at}, version {version}")]
    Deleted { at: String, version: String },
    #[error("version {version} is destroyed")]
    Destroyed { version: String },
    #[error("nothing is there")]
    Nothing,
    #[error("version {0} is not there")]
    Version(u64),
    #[error("the lease is not there: it was revoked, or it ended")]
    Lease,
    #[error("mount not found")]
    Mount,
    #[error("namespace not found")]
    Namespace,
    #[error("vault answered 404: {text}")]
    Other { text: String },
    #[error("the answer holds no data")]
    NoData,
}

impl Absence {
    pub(super) fn is_of_the_secret(&self) -> bool {
        match self {
            Self::Deleted { .. } | Self::Destroyed { .. } | Self::Nothing | Self::Version(_) => {
                true
            }
            Self::Lease | Self::Mount | Self::Namespace | Self::Other { .. } | Self::NoData => {
                false
            }
        }
    }

    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Deleted { .. } => {
                "undelete it, write a new version, or name an older one with `version:`"
            }
            Self::Destroyed { .. } => {
                "its data is gone for good: write a new version, or name another one with \
                 `version:`"
            }
            Self::Version(_) => {
                "name a version that is there (`vault kv metadata get` lists them), or leave \
                 `version` out for the newest"
            }
            Self::Nothing => {
                "check the path (in KV v1 it has no `data/`: `vault secrets list -detailed` shows \
                 each version); if it may be absent, say `optional: true`"
            }
            Self::Lease => "look for who revokes the leases of this path",
            Self::Mount => {
                "check the mount and the namespace: `vault secrets list` shows all mounts"
            }
            Self::Namespace => "check `namespace`: `vault namespace list` shows all",
            Self::Other { .. } => "check the path",
            Self::NoData => "only paths that answer data can be delivered",
        }
    }
}

/// Requests that this engine does not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Misuse {
    #[error("the path names a mount, not a secret in it")]
    MountOnly,
    #[error("the engine is KV v2, and this is a path of KV v1")]
    Unversioned,
    #[error("version {0} is asked for, but what is read has no versions")]
    NoVersions(u64),
    #[error("the path does not answer reads")]
    NeedsWrite,
}

impl Misuse {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::MountOnly => "add the secret's path behind the mount, as in `kv/team/app`",
            Self::Unversioned => {
                "the engine is v2: write the path as `mount/data/…`, and let a policy allow it"
            }
            Self::NoVersions(_) => "leave `version` out",
            Self::NeedsWrite => "give it something to write: `write: {}`",
        }
    }
}
