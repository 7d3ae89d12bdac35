//! Errors of Vault: a [`VaultError`] names server, step and object; its [`Cause`] gives the reason
//! and decides the class.
//!
//! Invariant: no error holds a body, a header or an error of a library that may quote one. Texts of
//! the server are kept only after [`without_secrets`](crate::base::redact::without_secrets).

use std::time::Duration;

use super::failure_reasons::{Absence, Misuse, Outage, OverLimit, ServerRefusal, Setup};
use crate::base::failure::{Class, Fault};
use crate::disk::DiskError;
use crate::net::NetError;

/// A failure for the caller of a session.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum VaultError {
    #[error("vault `{server}`: cannot read `{path}`")]
    Read {
        server: String,
        path: String,
        source: Cause,
    },
    #[error("vault `{server}`: cannot write to `{path}`")]
    Write {
        server: String,
        path: String,
        source: Cause,
    },
    #[error("vault `{server}`: cannot log in{}", with_identity(identity.as_deref()))]
    Login {
        server: String,
        /// Role and mount, or the file of a token; nothing if the source names it.
        identity: Option<String>,
        source: Cause,
    },
}

fn with_identity(identity: Option<&str>) -> String {
    identity.map_or_else(String::new, |identity| format!(" with {identity}"))
}

impl Fault for VaultError {
    fn class(&self) -> Class {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => source.class(),
            Self::Login { source, .. } => source.login_class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => source.hint(),
            Self::Login { source, .. } => source.login_hint(),
        }
    }

    fn absent(&self) -> bool {
        match self {
            Self::Read { source, .. } => source.absent(),
            Self::Write { .. } | Self::Login { .. } => false,
        }
    }

    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } | Self::Login { source, .. } => {
                source.asked_wait()
            }
        }
    }

    fn names_source(&self) -> bool {
        true
    }
}

/// The step in which a request failed.
#[derive(Debug, Clone)]
pub(super) enum RequestEnd {
    /// The login failed.
    Login(Cause),
    /// The request with a token failed.
    Read(Cause),
}

impl<C: Into<Cause>> From<C> for RequestEnd {
    fn from(cause: C) -> Self {
        Self::Read(cause.into())
    }
}

/// Why a request, an answer or a login failed. The kinds differ in retry and exit code.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Setup(#[from] Setup),
    #[error(transparent)]
    File(#[from] DiskError),
    #[error(transparent)]
    Net(NetError),
    #[error(transparent)]
    Trouble(#[from] Outage),
    #[error(transparent)]
    Limit(#[from] OverLimit),
    #[error(transparent)]
    Refusal(#[from] ServerRefusal),
    #[error(transparent)]
    Absence(#[from] Absence),
    #[error(transparent)]
    Misuse(#[from] Misuse),
    #[error("gave up after {tries} tries before the deadline")]
    Spent {
        tries: u32,
        #[source]
        last: Box<Cause>,
    },
}

impl From<NetError> for Cause {
    fn from(error: NetError) -> Self {
        match error {
            NetError::NoHttp => Self::not_vault("no HTTP"),
            NetError::BrokeOff => Self::not_vault("it broke off"),
            NetError::Large { .. } => OverLimit::Large.into(),
            NetError::Memory(full) => OverLimit::from(full).into(),
            error @ (NetError::Address { .. }
            | NetError::Plaintext { .. }
            | NetError::Connect { .. }
            | NetError::Tls { .. }
            | NetError::Untrusted { .. }
            | NetError::Roots { .. }
            | NetError::Timeout { .. }
            | NetError::Late { .. }
            | NetError::Redirect { .. }) => Self::Net(error),
        }
    }
}

impl Cause {
    /// An [`Outage::NotVault`] for this answer.
    pub(super) fn not_vault(what: impl Into<String>) -> Self {
        Self::Trouble(Outage::NotVault { what: what.into() })
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Trouble(_) => true,
            Self::Net(error) => error.is_passing(),
            Self::File(error) => error.class() == Class::Unavailable,
            Self::Setup(_)
            | Self::Limit(_)
            | Self::Refusal(_)
            | Self::Absence(_)
            | Self::Misuse(_)
            | Self::Spent { .. } => false,
        }
    }

    /// Whether the cause is the server as a whole: then its address in the configuration matters.
    pub(super) fn is_of_the_server(&self) -> bool {
        match self {
            Self::Net(_) | Self::Trouble(_) | Self::Absence(_) => true,
            Self::Spent { last, .. } => last.is_of_the_server(),
            Self::Setup(_)
            | Self::File(_)
            | Self::Limit(_)
            | Self::Refusal(_)
            | Self::Misuse(_) => false,
        }
    }

    /// Whether the server rejects our credentials.
    pub(super) fn is_refused_login(&self) -> bool {
        match self {
            Self::Refusal(refusal) => matches!(refusal, ServerRefusal::Login { .. }),
            Self::Spent { last, .. } => last.is_refused_login(),
            Self::Setup(_)
            | Self::Net(_)
            | Self::File(_)
            | Self::Trouble(_)
            | Self::Limit(_)
            | Self::Absence(_)
            | Self::Misuse(_) => false,
        }
    }

    /// Whether the error stays until somebody corrects something.
    pub(super) fn is_mistake(&self) -> bool {
        matches!(self, Self::Net(error) if error.is_mistake())
    }

    /// The wait that the server asked for.
    pub(super) fn asked_wait(&self) -> Option<Duration> {
        match self {
            Self::Trouble(Outage::Busy { wait } | Outage::Server { wait, .. }) => *wait,
            Self::Spent { last, .. } => last.asked_wait(),
            Self::Setup(_)
            | Self::File(_)
            | Self::Net(_)
            | Self::Trouble(_)
            | Self::Limit(_)
            | Self::Refusal(_)
            | Self::Absence(_)
            | Self::Misuse(_) => None,
        }
    }

    /// The class if a read fails with this cause.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Setup(setup) => setup.class(),
            Self::File(error) => error.class(),
            Self::Net(error) => error.class(),
            Self::Trouble(_) => Class::Unavailable,
            Self::Limit(_) | Self::Refusal(ServerRefusal::Rejected { .. }) => Class::Refused,
            Self::Refusal(_) => Class::Denied,
            Self::Absence(_) => Class::Missing,
            Self::Misuse(_) => Class::Configuration,
            Self::Spent { last, .. } => last.class(),
        }
    }

    /// The class if a login fails with this cause.
    fn login_class(&self) -> Class {
        match self {
            // Every refusal of a server is then a refused login.
            Self::Refusal(_) | Self::Absence(_) | Self::Misuse(_) => Class::Denied,
            // The file of a credential is missing.
            Self::File(error) if error.absent() => Class::Denied,
            // Every node answers 500 until the auth method is configured.
            Self::Trouble(Outage::Server { status: 500, .. }) => Class::Denied,
            Self::Spent { last, .. } => last.login_class(),
            Self::Setup(_) | Self::File(_) | Self::Net(_) | Self::Trouble(_) | Self::Limit(_) => {
                self.class()
            }
        }
    }

    /// A definitive 404 of the secret itself. A missing mount or namespace is more likely a mistake
    /// than a deleted secret.
    fn absent(&self) -> bool {
        match self {
            Self::Absence(absence) => absence.is_of_the_secret(),
            Self::Setup(_)
            | Self::File(_)
            | Self::Net(_)
            | Self::Trouble(_)
            | Self::Limit(_)
            | Self::Refusal(_)
            | Self::Misuse(_)
            | Self::Spent { .. } => false,
        }
    }

    /// What to do if a login fails with this cause.
    fn login_hint(&self) -> Option<String> {
        let is_missing = matches!(self, Self::File(error) if error.absent());
        let hint = "put the credential there, or check the volume (`keyferry init` alone waits \
            for it, until its deadline)";
        if is_missing {
            Some(hint.to_owned())
        } else {
            self.hint()
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Setup(setup) => setup.hint(),
            Self::File(error) => return error.hint(),
            Self::Net(NetError::Redirect { .. }) => {
                "name the active node's address, or let standby nodes forward requests"
            }
            Self::Net(error) => return error.hint(),
            Self::Trouble(trouble) => trouble.hint(),
            Self::Limit(OverLimit::Room(full)) => return full.hint(),
            Self::Limit(_) => "deliver it in smaller parts",
            Self::Refusal(refusal) => return refusal.hint(),
            Self::Absence(absence) => absence.hint(),
            Self::Misuse(misuse) => misuse.hint(),
            Self::Spent { last, .. } => return last.hint(),
        };
        Some(hint.to_owned())
    }
}
