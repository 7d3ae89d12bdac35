//! The only way to write Secrets and ConfigMaps, for deliveries and the reflector: applied whole
//! under our name, amended, deleted. Each write is bound to the object that it was decided on.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::wiped::WipedBytes;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::call::{ApiCall, Body, Verb};
use super::error::Error;
use super::metadata::StoredMetadata;
use super::object_kind::ObjectKind;
use super::{Kubernetes, MANAGER};
use crate::base::artifact::ObjectName;
use crate::base::artifact::secret::Data;
use crate::base::coding::base64;
use crate::base::observed::Basis;
use crate::copy_rules::place;

/// A version that no object ever had: the store counts from 2. An apply with this version can
/// create an object but not change one, because the server compares versions only with an existing
/// object. So an object that appears between our look and our write is never changed, and `patch`
/// and `create` on one name are the only rights needed.
pub(super) const NEVER: &str = "1";

const FIRST_PAUSE: Duration = Duration::from_millis(20);

const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A Secret or ConfigMap as it should be.
pub(crate) struct Put<'a> {
    /// Which of the two.
    pub(crate) kind: place::CopiedKind,
    /// Where.
    pub(crate) at: ObjectName,
    /// A Secret's type; `None` where the type stays.
    pub(crate) of_type: Option<&'a str>,
    /// All of its labels, with our mark if it gets one.
    pub(crate) labels: BTreeMap<String, String>,
    /// All of its annotations.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Whether it is to be immutable.
    pub(crate) immutable: bool,
    /// Its data.
    pub(crate) data: &'a Data,
    /// A ConfigMap's binary data.
    pub(crate) binary: Option<&'a Data>,
    /// The object that it was decided on; `None` where there should be none yet.
    pub(crate) basis: Option<&'a Basis>,
    /// Whether fields of other managers are taken.
    pub(crate) force: bool,
}

impl Put<'_> {
    /// The server-side apply.
    pub(super) fn call(&self) -> ApiCall<'_> {
        let force = if self.force { "&force=true" } else { "" };
        let binary = self.binary.into_iter().flat_map(BTreeMap::values);
        ApiCall {
            query: format!("fieldManager={MANAGER}{force}"),
            body: Body::apply(self.encode()),
            values: self.data.values().chain(binary).collect(),
            ..ApiCall::new(Verb::Patch, self.kind.into(), &self.at)
        }
    }

    /// `data` and never `stringData`: only keys of `data` go away when they are no longer applied.
    pub(super) fn encode(&self) -> WipedBytes {
        let head = self.head().to_string();
        let mut body = WipedBytes::with_capacity(head.len());
        body.write(head.strip_suffix('}').unwrap_or_default().as_bytes());
        let plain = self.kind == place::CopiedKind::ConfigMap;
        section(&mut body, "data", self.data, plain);
        if let Some(binary) = self.binary.filter(|binary| !binary.is_empty()) {
            section(&mut body, "binaryData", binary, false);
        }
        body.byte(b'}');
        body
    }

    /// All but the data.
    fn head(&self) -> Value {
        let mut metadata = json!({"name": self.at.name, "namespace": self.at.namespace});
        // An empty map would itself be a field that we own.
        for (name, map) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !map.is_empty() {
                metadata[name] = json!(map);
            }
        }
        match self.basis {
            None => metadata["resourceVersion"] = json!(NEVER),
            Some(seen) => {
                metadata["uid"] = json!(seen.uid);
                metadata["resourceVersion"] = json!(seen.version);
            }
        }
        let mut head = json!({"apiVersion": "v1", "kind": self.kind.name(), "metadata": metadata});
        if let Some(of_type) = self.of_type {
            head["type"] = json!(of_type);
        }
        if self.immutable {
            head["immutable"] = json!(true);
        }
        head
    }
}

fn section(body: &mut WipedBytes, name: &str, values: &Data, plain: bool) {
    body.text(&format!(",\"{name}\":{{"));
    for (at, (key, value)) in values.iter().enumerate() {
        if at > 0 {
            body.byte(b',');
        }
        body.text(&json!(key).to_string());
        body.byte(b':');
        match value.expose_str().filter(|_| plain) {
            Some(text) => body.text(&json!(text).to_string()),
            None => {
                body.byte(b'"');
                base64::push(body, value.expose());
                body.byte(b'"');
            }
        }
    }
    body.byte(b'}');
}

/// A JSON Patch on exactly the object that was seen, with its new `managedFields`.
pub(super) fn amend(
    kind: ObjectKind,
    at: &ObjectName,
    seen: &Basis,
    operations: Vec<Value>,
) -> ApiCall<'static> {
    let mut all = vec![
        json!({"op": "replace", "path": "/metadata/uid", "value": seen.uid}),
        json!({"op": "replace", "path": "/metadata/resourceVersion", "value": seen.version}),
    ];
    all.extend(operations);
    all.extend(seen.managers.as_ref().map(
        |managers| json!({"op": "add", "path": "/metadata/managedFields", "value": managers}),
    ));
    ApiCall {
        query: format!("fieldManager={MANAGER}"),
        body: Body::operations(&json!(all)),
        ..ApiCall::new(Verb::Patch, kind, at)
    }
}

impl Kubernetes {
    /// Deletes exactly one object; with a version, only in that version. An object that is already
    /// gone is no error.
    pub(crate) async fn delete(
        &self,
        kind: impl Into<ObjectKind>,
        at: &ObjectName,
        uid: &str,
        version: Option<&str>,
    ) -> Result<(), Error> {
        let mut exactly = json!({"uid": uid});
        if let Some(version) = version {
            exactly["resourceVersion"] = json!(version);
        }
        let call = ApiCall {
            body: Body::json(&json!({"preconditions": exactly})),
            ..ApiCall::new(Verb::Delete, kind.into(), at)
        };
        match self.call(&call).await {
            Ok(_) | Err(Error::Absent(_) | Error::NoNamespace(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until a deleted object is gone; others' finalizers may hold it.
    pub(crate) async fn released(
        &self,
        kind: impl Into<ObjectKind>,
        at: &ObjectName,
        uid: &str,
        patience: Duration,
    ) -> Result<(), Error> {
        let call = ApiCall::new(Verb::GetMetadata, kind.into(), at);
        let end = self.time_limit.deadline().min(Instant::now() + patience);
        let mut pause = FIRST_PAUSE;
        loop {
            let found: StoredMetadata<IgnoredAny> = match self.metadata(&call).await {
                Err(Error::Absent(_)) => return Ok(()),
                found => found?,
            };
            if found.uid != uid {
                return Ok(());
            }
            if Instant::now() + pause >= end {
                return Err(Error::BeingDeleted {
                    subject: call.subject,
                    finalizers: found.finalizers,
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
