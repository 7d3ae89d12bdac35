//! The connection to a cluster: found once, without retries of its own, each call bounded by the deadline.
//!
//! [`connect()`] finds the cluster, [`call`] asks it and tries again where that helps, [`status`] reads its refusals,
//! [`secret`], [`account`] and [`sealing`] are the kinds of object that we know, as bytes on the wire and no more.
//!
//! Architecture invariant: no watch, and no list but that of sealing keys by their label, so that a Role limited to names is
//! enough; and the typed client of `kube` is not used for Secrets, because its types print values and its parser logs the
//! bodies that it cannot read.

use tokio::time::Instant;

pub(crate) mod account;
pub(crate) mod call;
mod connect;
mod error;
pub(crate) mod fields;
mod kubeconfig;
mod redact;
pub(crate) mod retry;
mod sealing;
pub(crate) mod secret;
mod status;
mod subject;

pub use connect::{connect, connect_with};
pub use error::Error;
pub use subject::{Claim, Claims, Kind, Subject};

pub(crate) use crate::artifact::OWNER as MANAGER;

/// A cluster and our place in it.
pub struct Kubernetes {
    /// The client.
    pub client: kube::Client,
    /// Our own namespace: the pod's, or that of the kubeconfig's context.
    pub namespace: String,
    /// When all waiting ends.
    pub deadline: Instant,
}
