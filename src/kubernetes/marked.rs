//! Secrets that came from a set of manifests: found by the marks that we applied, without asking for their values.

use serde::Deserialize;

use super::call::{Call, Verb};
use super::error::Error;
use super::fields::Managed;
use super::sealing::escaped;
use super::secret::MARK;
use super::subject::Kind;
use super::{Kubernetes, MANAGER};
use crate::artifact::{Leftover, MANIFESTS_MARK, ObjectName};

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
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
    #[serde(default)]
    managed_fields: Vec<serde_json::Map<String, serde_json::Value>>,
}

impl Kubernetes {
    /// All that stand in a namespace with our mark and that of the set, both applied by us: a copy of such an object carries
    /// the labels too, and is not ours. What is being deleted is left out.
    pub(crate) async fn marked_secrets(
        &self,
        namespace: &str,
        set: &str,
    ) -> Result<Vec<Leftover>, Error> {
        let selector = format!("{MARK}={MANAGER},{MANIFESTS_MARK}={set}");
        let at = ObjectName {
            namespace: namespace.to_owned(),
            name: selector.clone(),
        };
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let call = Call {
                query: format!(
                    "labelSelector={}&limit={PAGE}&continue={}",
                    escaped(&selector),
                    escaped(&next)
                ),
                ..Call::new(Verb::List, Kind::MarkedSecrets, &at)
            };
            let answer = self.call(&call).await?;
            let page: Page = serde_json::from_slice(&answer).map_err(|_| Error::Strange {
                subject: call.subject,
                verb: call.verb.to_string(),
                why: "it is not a list of objects".to_owned(),
            })?;
            found.extend(page.items.into_iter().flatten().filter_map(leftover));
            next = page.metadata.next;
            if next.is_empty() {
                return Ok(found);
            }
        }
    }
}

fn leftover(object: Object) -> Option<Leftover> {
    let Metadata {
        name,
        namespace,
        uid,
        resource_version,
        deletion_timestamp,
        managed_fields,
    } = object.metadata;
    let applied = Managed::from(managed_fields).applied().labels;
    let ours = [MARK, MANIFESTS_MARK]
        .iter()
        .all(|mark| applied.contains(*mark));
    (ours && deletion_timestamp.is_none()).then_some(Leftover {
        at: ObjectName { namespace, name },
        uid,
        version: resource_version,
    })
}
