//! What the sealed-secrets controller keeps in a cluster: its keys, found by their label, and
//! SealedSecrets.

use crate::base::wiped::WipedBytes;

use super::Kubernetes;
use super::call::{ApiCall, Verb};
use super::error::Error;
use super::object_kind::ObjectKind;
use super::secret::Stored;
use crate::base::artifact::ObjectName;
use crate::base::coding::percent;

#[derive(serde::Deserialize)]
struct SecretList {
    items: Vec<Stored>,
}

impl Kubernetes {
    /// Reads a SealedSecret; `None` when it is definitely absent.
    pub(crate) async fn sealed_secret(&self, at: &ObjectName) -> Result<Option<WipedBytes>, Error> {
        match self.call(&ApiCall::get(ObjectKind::SealedSecret, at)).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads all Secrets of a namespace with a label.
    pub(crate) async fn labelled_secrets(
        &self,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Stored>, Error> {
        let at = ObjectName {
            namespace: namespace.to_owned(),
            name: selector.to_owned(),
        };
        let call = ApiCall {
            query: format!("labelSelector={}", percent::encode(selector)),
            ..ApiCall::new(Verb::List, ObjectKind::LabelledSecrets, &at)
        };
        let answer = self.call(&call).await?;
        let list: SecretList = call.read(&answer, "a list of Secrets")?;
        Ok(list.items)
    }
}
