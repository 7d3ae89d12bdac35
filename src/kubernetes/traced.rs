//! What the metadata of a Secret tells about it, read without its values.

use serde_json::{Map, Value};

use super::call::{ApiCall, Verb};
use super::error::Error;
use super::metadata::{All, StoredMetadata};
use super::object_kind::ObjectKind;
use super::{Kubernetes, MANAGER};
use crate::base::artifact::{DELIVERY, ObjectName, Owner, SourceVersion, told_sources};
use crate::copy_rules::marks::{DECLARED, is_copy};
use crate::copy_rules::metadata::Notes;

/// Our marks and annotations of a Secret.
#[derive(Debug)]
pub(crate) struct Traced {
    /// Where.
    pub(crate) at: ObjectName,
    /// Its `uid`.
    pub(crate) uid: String,
    /// Its `resourceVersion`.
    pub(crate) version: String,
    /// Its owner.
    pub(crate) owner: Owner,
    /// The delivery or manifest that it came from.
    pub(crate) delivery: Option<String>,
    /// The sources that it is made of; `None` where it does not name them.
    pub(crate) sources: Option<Vec<SourceVersion>>,
    /// The origin of a declared copy.
    pub(crate) declared_of: Option<String>,
    /// When keyferry last wrote it, as the API server noted it.
    pub(crate) written: Option<String>,
    /// Everyone who owns fields of it, each once.
    pub(crate) managers: Vec<String>,
    /// The annotations that the reflector reads.
    pub(crate) notes: Notes,
}

impl Kubernetes {
    /// Reads what a Secret says of itself.
    pub(crate) async fn traced(&self, at: &ObjectName) -> Result<Traced, Error> {
        let call = ApiCall::new(Verb::GetMetadata, ObjectKind::Secret, at);
        Ok(Traced::from_metadata(at, self.metadata(&call).await?))
    }
}

impl Traced {
    fn from_metadata(at: &ObjectName, metadata: StoredMetadata<All>) -> Self {
        let StoredMetadata {
            uid,
            resource_version: version,
            labels,
            annotations,
            managed_fields,
            ..
        } = metadata;
        let (labels, annotations) = (labels.unwrap_or_default(), annotations.unwrap_or_default());
        let text = |entry: &Map<String, Value>, name: &str| {
            entry.get(name).and_then(Value::as_str).map(str::to_owned)
        };
        let entries = managed_fields.iter().map(|entry| {
            let manager = text(entry, "manager").unwrap_or_default();
            (manager, text(entry, "time"))
        });
        let (mut managers, mut written) = (Vec::new(), None);
        for (manager, time) in entries {
            if manager == MANAGER {
                written = written.max(time);
            }
            if !managers.contains(&manager) {
                managers.push(manager);
            }
        }
        Self {
            at: at.clone(),
            uid,
            version,
            owner: Owner::from_labels(&labels, is_copy(annotations.keys().map(String::as_str))),
            delivery: annotations.get(DELIVERY).cloned(),
            sources: told_sources(&annotations),
            declared_of: annotations.get(DECLARED).cloned(),
            written,
            managers,
            notes: Notes::from_pairs(annotations),
        }
    }
}
