//! The journal of a delivery, as an annotation of its Secret. It has a separate field manager, so
//! that an apply of the Secret does not change it.

use serde_json::json;

use super::call::{ApiCall, Body, Verb};
use super::error::Error;
use super::metadata::{All, StoredMetadata};
use super::object_kind::ObjectKind;
use super::{Kubernetes, MANAGER};
use crate::base::artifact::{HISTORY, ObjectName};
use crate::base::observed::Basis;

impl Kubernetes {
    /// The Secret as it was seen, with its journal if it has one; `None` when there is no Secret.
    pub(crate) async fn journal(
        &self,
        at: &ObjectName,
    ) -> Result<Option<(Basis, Option<String>)>, Error> {
        let call = ApiCall::new(Verb::GetMetadata, ObjectKind::Secret, at);
        let found: Result<StoredMetadata<All>, Error> = self.metadata(&call).await;
        match found {
            Ok(found) => {
                let basis = found.basis();
                let mut annotations = found.annotations.unwrap_or_default();
                Ok(Some((basis, annotations.remove(HISTORY))))
            }
            Err(Error::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the journal on exactly the Secret that was seen.
    pub(crate) async fn keep_journal(
        &self,
        at: &ObjectName,
        seen: &Basis,
        text: &str,
    ) -> Result<(), Error> {
        let object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": at.name,
                "namespace": at.namespace,
                "uid": seen.uid,
                "resourceVersion": seen.version,
                "annotations": {HISTORY: text},
            },
        });
        let call = ApiCall {
            query: format!("fieldManager={MANAGER}-history&force=true"),
            body: Body::apply(object.to_string().into_bytes().into()),
            ..ApiCall::new(Verb::Patch, ObjectKind::Secret, at)
        };
        self.call(&call).await.map(drop)
    }
}
