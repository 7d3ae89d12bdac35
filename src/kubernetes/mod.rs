//! The connection to a cluster: found once, without the client's own retries, each call bounded by
//! the deadline.
//!
//! [`connect()`] finds the cluster, [`call`] is a question to it, [`exchange`] asks and tries again
//! where that helps, [`status`] reads its refusals, [`secret`], [`account`] and [`sealing`] are the
//! kinds of object that we know, as bytes on the wire and no more.
//!
//! Architecture invariant: whole objects are listed only for sealing keys, by label. All other
//! lists and watches are of metadata ([`list`], [`marked_secrets`]), and only where a configuration
//! has copies or prunes; so a Role limited to names is enough for all else. The typed client of
//! `kube` is not used for Secrets, because its types print values and its parser logs the bodies
//! that it cannot read.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::process::time_limit::TimeLimit;

pub(crate) mod account;
pub(crate) mod call;
mod connect;
pub(crate) mod copy;
mod error;
pub(crate) mod event;
mod exchange;
pub(crate) mod fence;
pub(crate) mod fields;
mod history;
mod kubeconfig;
pub(crate) mod lease;
pub(crate) mod list;
mod mark_keys;
mod marked_secrets;
mod metadata;
mod object_kind;
pub mod pod;
mod review;
mod sealing;
pub(crate) mod secret;
mod status;
pub(crate) mod traced;
mod workload;
pub(crate) mod write;

pub use connect::{connect, connect_with};
pub use error::Error;
pub use object_kind::{FieldOwner, FieldOwners, ObjectKind, Subject};

pub(crate) use crate::base::artifact::OWNER as MANAGER;

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
    pub time_limit: TimeLimit,
    /// One permit for each request under way: a thousand targets are not a thousand connections.
    turns: Arc<Semaphore>,
    /// Where set, writes are sent only while the fence is open.
    fence: Option<fence::Fence>,
}

/// Requests under way at once. More would only wait in the server, and each is a connection.
const TURNS: usize = 32;

impl Kubernetes {
    /// The same cluster with another time limit.
    pub(crate) fn until(&self, time_limit: impl Into<TimeLimit>) -> Self {
        Self {
            client: self.client.clone(),
            server: self.server.clone(),
            namespace: self.namespace.clone(),
            time_limit: time_limit.into(),
            turns: Arc::clone(&self.turns),
            fence: self.fence.clone(),
        }
    }

    /// The same cluster, in which writes are sent only while the fence is open.
    pub(crate) fn fenced(&self, fence: &fence::Fence) -> Self {
        Self {
            fence: Some(fence.clone()),
            ..self.until(self.time_limit)
        }
    }
}
