//! Asking the API server whether we may do something, without doing it. Everyone who is logged in
//! may ask.

use serde_json::json;

use super::Kubernetes;
use super::call::{ApiCall, Body, Verb};
use super::error::Error;
use super::object_kind::{ObjectKind, Subject};

#[derive(serde::Deserialize)]
struct Review {
    status: Answer,
}

#[derive(serde::Deserialize)]
struct Answer {
    allowed: bool,
}

impl Kubernetes {
    /// Whether we may do this to the object; without a namespace, in the whole cluster; without a
    /// name, to all objects.
    pub(crate) async fn may(&self, verb: &str, subject: &Subject) -> Result<bool, Error> {
        let Subject { kind, at } = subject;
        let resource = json!({
            "verb": verb, "group": kind.group(), "resource": kind.resource(),
            "namespace": at.namespace, "name": at.name,
        });
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": resource},
        });
        let call = ApiCall {
            body: Body::json(&review),
            ..ApiCall::new(Verb::Review, *kind, at)
        };
        let answer = self.call(&call).await?;
        let Review { status } = call.read(&answer, "a SelfSubjectAccessReview")?;
        Ok(status.allowed)
    }

    /// Asks for the right to create a Secret, before the only copy of it is deleted.
    pub(crate) async fn check_create(
        &self,
        at: &crate::base::artifact::ObjectName,
    ) -> Result<(), Error> {
        let subject = Subject {
            kind: ObjectKind::Secret,
            at: at.clone(),
        };
        match self.may("create", &subject).await? {
            true => Ok(()),
            false => Err(Error::Forbidden {
                subject,
                verb: "create".to_owned(),
                user: "this user".to_owned(),
            }),
        }
    }
}
