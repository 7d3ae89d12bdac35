//! Secrets that came from a set of manifests, and declared copies: found by the marks that we
//! applied, without asking for their values.

use serde::Deserialize;

use super::call::{ApiCall, Verb};
use super::error::Error;
use super::fields::{Managed, SecretFields};
use super::metadata::StoredMetadata;
use super::object_kind::ObjectKind;
use super::secret::MARK;
use super::{Kubernetes, MANAGER};
use crate::base::artifact::{
    CONFIGURATION, ConfigurationName, Leftover, MANIFESTS_MARK, ObjectName, Origin,
};
use crate::base::coding::percent;
use crate::copy_rules::marks::DECLARED;
use crate::copy_rules::metadata::Notes;
use crate::copy_rules::place::{self, Uid};
use crate::copy_rules::signature::{self, Carrier, Keys, SIGNATURE, SignedStatement, Verdict};

/// Objects of one answer: their managed fields may take some KiB each.
const PAGE: usize = 250;

#[derive(Deserialize)]
struct Page {
    metadata: PageMetadata,
    /// `null` where there is none.
    items: Option<Vec<Object>>,
}

#[derive(Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
struct Object {
    metadata: StoredMetadata<Notes>,
}

impl Object {
    fn is_signed(&self, from: &str, keys: &Keys) -> bool {
        let metadata = &self.metadata;
        let statement = SignedStatement {
            kind: place::CopiedKind::Secret,
            namespace: &metadata.namespace,
            name: &metadata.name,
            origin: signature::CopyOrigin::Declared(from),
        };
        let carrier = Carrier {
            uid: Uid::parse(&metadata.uid),
            created: metadata.creation_timestamp.as_deref().unwrap_or_default(),
        };
        let text = metadata.annotations.read(SIGNATURE);
        keys.verify(text, &statement, carrier) == Verdict::Signed
    }
}

impl Kubernetes {
    /// All Secrets of a namespace with the mark of the configuration and that of the set, if we
    /// applied both: a copy of such a Secret carries the labels too, and is not ours. Secrets that
    /// are being deleted are left out.
    pub(crate) async fn marked_secrets(
        &self,
        namespace: &str,
        name: &ConfigurationName,
        set: &str,
    ) -> Result<Vec<Leftover>, Error> {
        let selector = format!("{},{MANIFESTS_MARK}={set}", selector(name));
        let found = self.marked(namespace, &selector).await?;
        let found = found.into_iter();
        Ok(found.filter_map(described).collect())
    }

    /// All declared copies of a configuration in all namespaces, each with its declared origin. We
    /// signed each and applied all its marks; objects that only look like copies are left out.
    pub(crate) async fn declared_copies(
        &self,
        name: &ConfigurationName,
        keys: &Keys,
    ) -> Result<Vec<(String, Leftover)>, Error> {
        let found = self.marked("", &selector(name)).await?;
        let found = found.into_iter();
        Ok(found.filter_map(|object| declared(object, keys)).collect())
    }

    async fn marked(&self, namespace: &str, selector: &str) -> Result<Vec<Object>, Error> {
        let at = ObjectName {
            namespace: namespace.to_owned(),
            name: selector.to_owned(),
        };
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let call = ApiCall {
                query: format!(
                    "labelSelector={}&limit={PAGE}&continue={}",
                    percent::encode(selector),
                    percent::encode(&next)
                ),
                ..ApiCall::new(Verb::ListMetadata, ObjectKind::MarkedSecrets, &at)
            };
            let answer = self.call(&call).await?;
            let page: Page = call.read(&answer, "a list of objects")?;
            found.extend(page.items.into_iter().flatten());
            next = page.metadata.next;
            if next.is_empty() {
                return Ok(found);
            }
        }
    }
}

/// Selector of the objects that only this configuration wrote.
fn selector(name: &ConfigurationName) -> String {
    format!("{MARK}={MANAGER},{CONFIGURATION}={name}")
}

fn described(object: Object) -> Option<Leftover> {
    let (applied, leftover) = leftover(object.metadata, Origin::Manifests)?;
    let ours = [MARK, CONFIGURATION, MANIFESTS_MARK]
        .iter()
        .all(|mark| applied.labels.contains(*mark));
    ours.then_some(leftover)
}

fn declared(object: Object, keys: &Keys) -> Option<(String, Leftover)> {
    let from = object.metadata.annotations.read(DECLARED)?.to_owned();
    if !object.is_signed(&from, keys) {
        return None;
    }
    let (applied, leftover) = leftover(object.metadata, Origin::Copies)?;
    let marks = [MARK, CONFIGURATION];
    let ours = marks.iter().all(|mark| applied.labels.contains(*mark));
    let ours = ours && applied.annotations.contains(DECLARED);
    ours.then_some((from, leftover))
}

/// The fields that we applied to it, and its identity; `None` while it is being deleted.
fn leftover(metadata: StoredMetadata<Notes>, of: Origin) -> Option<(SecretFields, Leftover)> {
    let StoredMetadata {
        name,
        namespace,
        uid,
        resource_version,
        deletion_timestamp,
        managed_fields,
        ..
    } = metadata;
    let leftover = Leftover {
        of,
        at: ObjectName { namespace, name },
        uid,
        version: resource_version,
    };
    let applied = Managed::from(managed_fields).applied();
    deletion_timestamp.is_none().then_some((applied, leftover))
}
