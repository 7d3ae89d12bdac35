//! A ServiceAccount's `imagePullSecrets`.
//!
//! The server treats this list as one value (`listType=atomic`): an apply or a merge patch would
//! replace the names of others. So we send a JSON Patch that appends one name, on exactly the
//! version that was read.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::Kubernetes;
use super::call::ApiCall;
use super::error::Error;
use super::metadata::StoredMetadata;
use super::object_kind::ObjectKind;
use super::write::amend;
use crate::base::artifact::PullSecretLink;

/// The part of a ServiceAccount that we look at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredAccount {
    metadata: StoredMetadata<IgnoredAny>,
    #[serde(default)]
    image_pull_secrets: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    name: String,
}

impl StoredAccount {
    /// Whether it pulls with a Secret of this name.
    pub(crate) fn pulls_with(&self, secret: &str) -> bool {
        let mut names = self.image_pull_secrets.iter().flatten();
        names.any(|reference| reference.name == secret)
    }
}

impl Kubernetes {
    /// Reads a ServiceAccount.
    pub(crate) async fn account(&self, link: &PullSecretLink) -> Result<StoredAccount, Error> {
        let call = ApiCall::get(ObjectKind::ServiceAccount, &link.account);
        let answer = match self.call(&call).await {
            Err(Error::Absent(subject)) => return Err(Error::NoAccount(subject)),
            answer => answer?,
        };
        call.read(&answer, "a ServiceAccount")
    }

    /// Appends the Secret's name to the list of exactly this version.
    pub(crate) async fn append(
        &self,
        link: &PullSecretLink,
        account: &StoredAccount,
    ) -> Result<(), Error> {
        let reference = json!({"name": link.secret});
        let add = match &account.image_pull_secrets {
            Some(_) => json!({"op": "add", "path": "/imagePullSecrets/-", "value": reference}),
            None => json!({"op": "add", "path": "/imagePullSecrets", "value": [reference]}),
        };
        let call = amend(
            ObjectKind::ServiceAccount,
            &link.account,
            &account.metadata.basis(),
            vec![add],
        );
        self.call(&call).await.map(drop)
    }
}
