//! A Lease decides which of several replicas works.

use std::collections::BTreeMap;

use crate::base::wiped::WipedBytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{ApiCall, Body, Verb};
use super::error::Error;
use super::object_kind::ObjectKind;
use super::write::NEVER;
use super::{Kubernetes, MANAGER};
use crate::base::artifact::ObjectName;

/// A Lease as it is stored.
#[derive(Debug, Deserialize)]
pub(crate) struct StoredLease {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    holder_identity: Option<String>,
    lease_duration_seconds: Option<u64>,
    lease_transitions: Option<u64>,
    acquire_time: Option<String>,
    renew_time: Option<String>,
}

/// A claim of a Lease.
pub(crate) struct LeaseClaim<'a> {
    /// The Lease.
    pub(crate) at: &'a ObjectName,
    /// Who claims it; an empty name gives the Lease back.
    pub(crate) holder: &'a str,
    /// How long others wait for our next renewal.
    pub(crate) seconds: u64,
}

impl StoredLease {
    /// The holder; `None` when the Lease was given back.
    pub(crate) fn holder(&self) -> Option<&str> {
        let holder = self.spec.holder_identity.as_deref();
        holder.filter(|holder| !holder.is_empty())
    }

    /// Its `resourceVersion`, which changes with every renewal.
    pub(crate) fn version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// How long its holder asked others to wait.
    pub(crate) fn seconds(&self) -> Option<u64> {
        self.spec.lease_duration_seconds
    }

    /// An annotation.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata
            .annotations
            .as_ref()?
            .get(key)
            .map(String::as_str)
    }

    fn spec(&self, claim: &LeaseClaim<'_>, now: &str) -> Value {
        let same = self.holder() == Some(claim.holder);
        let changes = self.spec.lease_transitions.unwrap_or_default();
        let since = self.spec.acquire_time.as_deref().filter(|_| same);
        json!({
            "holderIdentity": claim.holder, "leaseDurationSeconds": claim.seconds, "renewTime": now,
            "acquireTime": since.unwrap_or(now),
            "leaseTransitions": if same { changes } else { changes + 1 },
        })
    }
}

impl Kubernetes {
    /// Reads a Lease; `None` when it is absent.
    pub(crate) async fn lease(&self, at: &ObjectName) -> Result<Option<StoredLease>, Error> {
        let call = ApiCall::get(ObjectKind::Lease, at);
        match self.call(&call).await {
            Ok(answer) => call.read(&answer, "a Lease").map(Some),
            Err(Error::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Claims a Lease that is still as `seen`, or that does not exist; anything else is a race that
    /// somebody else won.
    pub(crate) async fn claim(
        &self,
        claim: &LeaseClaim<'_>,
        seen: Option<&StoredLease>,
    ) -> Result<StoredLease, Error> {
        let now = format!("{:.6}", jiff::Timestamp::now());
        let (version, spec) = match seen {
            Some(lease) => (lease.version(), lease.spec(claim, &now)),
            None => {
                let spec = json!({
                    "holderIdentity": claim.holder, "leaseDurationSeconds": claim.seconds,
                    "renewTime": now, "acquireTime": now, "leaseTransitions": 0,
                });
                (NEVER, spec)
            }
        };
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {
                "name": claim.at.name, "namespace": claim.at.namespace,
                "resourceVersion": version,
            },
            "spec": spec,
        });
        let call = ApiCall {
            query: format!("fieldManager={MANAGER}&force=true"),
            body: Body::apply(WipedBytes::from(lease.to_string().into_bytes())),
            ..ApiCall::new(Verb::Patch, ObjectKind::Lease, claim.at)
        };
        let answer = self.call(&call).await?;
        call.read(&answer, "a Lease")
    }

    /// Writes an annotation on a Lease that is there.
    pub(crate) async fn keep_note(
        &self,
        at: &ObjectName,
        key: &str,
        value: &str,
    ) -> Result<(), Error> {
        let call = ApiCall {
            query: format!("fieldManager={MANAGER}"),
            body: Body::merge(&json!({"metadata": {"annotations": {key: value}}})),
            ..ApiCall::new(Verb::Patch, ObjectKind::Lease, at)
        };
        self.call(&call).await.map(drop)
    }

    /// Removes an annotation, if its value is still the same.
    pub(crate) async fn take_note(
        &self,
        at: &ObjectName,
        key: &str,
        value: &str,
    ) -> Result<(), Error> {
        let path = format!(
            "/metadata/annotations/{}",
            key.replace('~', "~0").replace('/', "~1")
        );
        let operations = json!([
            {"op": "test", "path": path, "value": value},
            {"op": "remove", "path": path},
        ]);
        let call = ApiCall {
            query: format!("fieldManager={MANAGER}"),
            body: Body::operations(&operations),
            ..ApiCall::new(Verb::Patch, ObjectKind::Lease, at)
        };
        self.call(&call).await.map(drop)
    }
}
