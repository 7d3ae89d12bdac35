//! The connection to a cluster: found once, without retries of its own, each call bounded by the deadline.
//!
//! [`connect()`] finds the cluster, [`call`] asks it and tries again where that helps, [`status`] reads its refusals,
//! [`secret`], [`account`] and [`sealing`] are the kinds of object that we know, as bytes on the wire and no more.
//!
//! Architecture invariant: no watch, and no list but two by label, of sealing keys and of what `prune` may delete, so that a Role
//! limited to names is enough for all else; and the typed client of `kube` is not used for Secrets, because its types print values and its parser logs the
//! bodies that it cannot read.

use crate::patience::Patience;

pub(crate) mod account;
pub(crate) mod call;
mod connect;
mod error;
pub(crate) mod fields;
mod kubeconfig;
mod marked;
mod redact;
pub(crate) mod retry;
mod sealing;
pub(crate) mod secret;
mod status;
mod subject;
mod workload;

pub use connect::{connect, connect_with};
pub use error::Error;
pub use subject::{Claim, Claims, Kind, Subject};

/// Our name as a field manager: what we applied and no longer apply goes away, what others set stays.
pub(crate) const MANAGER: &str = "keyferry";

/// A cluster and our place in it.
#[derive(Clone)]
pub struct Kubernetes {
    /// The client.
    pub client: kube::Client,
    /// Scheme, host and port of the API server, for messages.
    pub server: String,
    /// Our own namespace: the pod's, or that of the kubeconfig's context.
    pub namespace: String,
    /// How long waiting may take.
    pub patience: Patience,
}
