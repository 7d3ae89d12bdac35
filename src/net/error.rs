//! Errors on the way to a server and back, for every kind of server.

use std::time::Duration;

use crate::base::failure::{Class, Failure, Fault};
use crate::process::memory::Full;

/// Why there is no complete answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum NetError {
    #[error("the address {address} is unusable: {why}")]
    Address { address: String, why: &'static str },
    #[error("{address} is plain http and not on this machine, so nothing was sent")]
    Plaintext { address: String },
    #[error("cannot connect to {address}: {why}")]
    Connect { address: String, why: String },
    #[error("TLS with {address} failed: {why}")]
    Tls {
        address: String,
        why: String,
        hint: &'static str,
    },
    /// The certificate of the server is not accepted until somebody changes it there or the trust
    /// here.
    #[error("TLS with {address} failed: {why}")]
    Untrusted {
        address: String,
        why: String,
        hint: &'static str,
    },
    #[error("{why}")]
    Roots { why: String },
    #[error("no whole answer within {:.1} s from {address}", after.as_secs_f32())]
    Timeout { address: String, after: Duration },
    /// The deadline ended an attempt: an error from before it says more.
    #[error("no whole answer within {:.1} s from {address}", after.as_secs_f32())]
    Late { address: String, after: Duration },
    #[error("redirect refused: to {to}")]
    Redirect { to: String },
    #[error("what answers does not speak HTTP")]
    NoHttp,
    #[error("the answer broke off")]
    BrokeOff,
    #[error("a message is larger than {} KiB", limit / 1024)]
    Large { limit: usize },
    #[error(transparent)]
    Memory(#[from] Full),
}

impl NetError {
    /// Whether the same request may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        self.class() == Class::Unavailable || matches!(self, Self::Roots { .. })
    }

    /// Whether the error stays until somebody corrects something.
    pub(crate) fn is_mistake(&self) -> bool {
        matches!(self, Self::Untrusted { .. } | Self::Roots { .. })
    }

    /// Whether another connection may reach a better server or a renewed certificate.
    pub(super) fn is_of_the_connection(&self) -> bool {
        self.is_passing() && !matches!(self, Self::Timeout { .. } | Self::Late { .. })
    }

    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Address { .. } | Self::Roots { .. } => Class::Configuration,
            Self::Plaintext { .. } | Self::Large { .. } | Self::Memory(_) => Class::Refused,
            Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Untrusted { .. }
            | Self::Timeout { .. }
            | Self::Late { .. }
            | Self::Redirect { .. }
            | Self::NoHttp
            | Self::BrokeOff => Class::Unavailable,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Address { .. } => "write it as https://host:port",
            Self::Plaintext { .. } => "use https://, or say `allowPlaintext: true`",
            Self::Connect { .. } | Self::Timeout { .. } | Self::Late { .. } => {
                let check = "check that a server listens at this address, that DNS finds it, and \
                             that a network policy lets us out";
                return Some(match proxy() {
                    Some(name) => format!("{check}; {name} is set, but keyferry uses no proxy"),
                    None => check.to_owned(),
                });
            }
            Self::Tls { hint, .. } | Self::Untrusted { hint, .. } => hint,
            Self::Roots { .. } => "name the file with the CA's certificate in PEM",
            Self::Redirect { .. } => "name the address that it leads to",
            Self::NoHttp | Self::BrokeOff | Self::Large { .. } => {
                "something else answers at this address: a proxy, an ingress"
            }
            Self::Memory(full) => return full.hint(),
        };
        Some(hint.to_owned())
    }

    /// The failure of a message for which only the receiver's acceptance matters.
    pub(super) fn of_a_message(&self) -> Failure {
        let mut failure = Failure::new(self.class(), format!("the message was not taken: {self}"));
        failure.hint = self.hint();
        failure
    }
}

/// The variable that other programs would use to find a proxy.
fn proxy() -> Option<&'static str> {
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    names.into_iter().find(is_set)
}
