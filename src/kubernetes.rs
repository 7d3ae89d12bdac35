//! The connection to a cluster: found once, without retries of its own, each call bounded by the deadline.

use tokio::time::Instant;

use crate::report::Failure;

/// A cluster and our place in it.
pub struct Kubernetes {
    /// The client.
    pub client: kube::Client,
    /// Our own namespace: the pod's, or that of the kubeconfig's context.
    pub namespace: String,
    /// When all waiting ends.
    pub deadline: Instant,
}

/// Finds the cluster.
pub async fn connect(_deadline: Instant) -> Result<Kubernetes, Failure> {
    todo!("kubernetes helper")
}
