//! Restarts workloads: an annotation on the pod template names what the new pods run with.
//!
//! The value is the versions of what changed, not a time and not a hash: two processes that restart
//! for the same change write the same value, which is then no change, and nobody can learn about a
//! secret from it.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::call::{ApiCall, Body, Verb};
use super::error::Error;
use super::object_kind::ObjectKind;
use super::{Kubernetes, MANAGER};
use crate::base::artifact::ObjectName;
use crate::config::Workload;

/// The annotation. Argo CD is told to ignore it: see docs/sidecar.md.
pub(crate) const RESTARTED_FOR: &str = "keyferry/restarted-for";

const GLANCE: Duration = Duration::from_secs(1);

/// A workload as far as it concerns us: the three kinds name the same things differently.
#[derive(Deserialize)]
struct Stored {
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    generation: u64,
}

impl Stored {
    fn mark(&self) -> Option<&str> {
        self.spec["template"]["metadata"]["annotations"][RESTARTED_FOR].as_str()
    }

    /// Whether all of its pods are new and available.
    fn is_rolled_out(&self, kind: Workload) -> bool {
        let number = |name: &str| self.status[name].as_u64().unwrap_or_default();
        let wanted = self.spec["replicas"].as_u64().unwrap_or(1);
        let (wanted, new, available) = match kind {
            Workload::DaemonSet => (
                number("desiredNumberScheduled"),
                number("updatedNumberScheduled"),
                number("numberAvailable"),
            ),
            Workload::Deployment | Workload::StatefulSet => (
                wanted,
                number("updatedReplicas"),
                number("availableReplicas"),
            ),
        };
        let left_over = match kind {
            Workload::Deployment => number("replicas") > wanted,
            Workload::StatefulSet | Workload::DaemonSet => false,
        };
        number("observedGeneration") >= self.metadata.generation
            && new >= wanted
            && available >= wanted
            && !left_over
    }
}

impl Kubernetes {
    /// Writes the annotation; says whether its value changed.
    pub(crate) async fn restart(
        &self,
        kind: Workload,
        at: &ObjectName,
        value: &str,
    ) -> Result<bool, Error> {
        if self.workload(kind, at).await?.mark() == Some(value) {
            return Ok(false);
        }
        let template = json!({"metadata": {"annotations": {RESTARTED_FOR: value}}});
        let call = ApiCall {
            query: format!("fieldManager={MANAGER}"),
            body: Body::merge(&json!({"spec": {"template": template}})),
            ..ApiCall::new(Verb::Patch, ObjectKind::Workload(kind), at)
        };
        self.call(&call).await?;
        Ok(true)
    }

    /// Waits until all pods are new and available; says whether they were in time.
    pub(crate) async fn wait_for_rollout(
        &self,
        kind: Workload,
        at: &ObjectName,
        limit: Duration,
    ) -> Result<bool, Error> {
        let end = Instant::now() + limit;
        loop {
            if self.workload(kind, at).await?.is_rolled_out(kind) {
                return Ok(true);
            }
            if Instant::now() + GLANCE >= end {
                return Ok(false);
            }
            sleep(GLANCE).await;
        }
    }

    async fn workload(&self, kind: Workload, at: &ObjectName) -> Result<Stored, Error> {
        let call = ApiCall::get(ObjectKind::Workload(kind), at);
        let answer = self.call(&call).await?;
        call.read(&answer, &format!("a {}", kind.word()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_has_settled_when_all_pods_are_new_and_available() {
        let deployment = |status: Value| json!({"metadata": {"generation": 3}, "spec": {"replicas": 2}, "status": status});
        let daemon = |status: Value| json!({"metadata": {"generation": 3}, "status": status});
        let rows = [
            (
                Workload::Deployment,
                deployment(
                    json!({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
                ),
                true,
            ),
            (
                Workload::Deployment,
                deployment(
                    json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
                ),
                false,
            ),
            (
                Workload::Deployment,
                deployment(
                    json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}),
                ),
                false,
            ),
            (
                Workload::Deployment,
                deployment(
                    json!({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}),
                ),
                false,
            ),
            (
                Workload::StatefulSet,
                deployment(
                    json!({"observedGeneration": 3, "updatedReplicas": 2, "availableReplicas": 1}),
                ),
                false,
            ),
            (
                Workload::StatefulSet,
                deployment(
                    json!({"observedGeneration": 3, "updatedReplicas": 2, "availableReplicas": 2}),
                ),
                true,
            ),
            (
                Workload::DaemonSet,
                daemon(
                    json!({"observedGeneration": 3, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}),
                ),
                true,
            ),
            (
                Workload::DaemonSet,
                daemon(
                    json!({"observedGeneration": 3, "desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberAvailable": 2}),
                ),
                false,
            ),
        ];
        for (kind, object, want) in rows {
            let shown = object.to_string();
            let stored: Stored = serde_json::from_value(object).expect("a workload");
            assert_eq!(stored.is_rolled_out(kind), want, "{shown}");
        }
    }
}
