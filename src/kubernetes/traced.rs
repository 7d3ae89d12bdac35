//! What a Secret says of itself, read without its values.

use serde_json::{Map, Value};

use super::call::{ApiCall, Verb};
use super::error::Error;
use super::metadata::{All, StoredMetadata};
use super::subject::ObjectKind;
use super::{Kubernetes, MANAGER};
use crate::base::artifact::{DELIVERY, ObjectName, Owner, SourceVersion, told_sources};
use crate::reflect::marks::{DECLARED, is_copy};
use crate::reflect::metadata::Notes;

/// A Secret's marks and annotations of ours.
#[derive(Debug)]
pub(crate) struct Traced {
    /// Where.
    pub(crate) at: ObjectName,
    /// Its `uid`.
    pub(crate) uid: String,
    /// Its `resourceVersion`.
    pub(crate) version: String,
    /// Whose it is.
    pub(crate) owner: Owner,
    /// The delivery or manifest that it is of.
    pub(crate) delivery: Option<String>,
    /// What it is made of; nothing where it does not say so.
    pub(crate) sources: Option<Vec<SourceVersion>>,
    /// Of what it is a declared copy.
    pub(crate) declared_of: Option<String>,
    /// When keyferry last wrote it, as the API server noted it.
    pub(crate) written: Option<String>,
    /// Everyone who owns fields of it, each once.
    pub(crate) managers: Vec<String>,
    /// What the reflector reads.
    pub(crate) notes: Notes,
}

impl Kubernetes {
    /// Reads what a Secret says of itself.
    pub(crate) async fn traced(&self, at: &ObjectName) -> Result<Traced, Error> {
        let call = ApiCall::new(Verb::GetMetadata, ObjectKind::Secret, at);
        Ok(Traced::of(at, self.metadata(&call).await?))
    }
}

impl Traced {
    fn of(at: &ObjectName, metadata: StoredMetadata<All>) -> Self {
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
            owner: Owner::of(&labels, is_copy(annotations.keys().map(String::as_str))),
            delivery: annotations.get(DELIVERY).cloned(),
            sources: told_sources(&annotations),
            declared_of: annotations.get(DECLARED).cloned(),
            written,
            managers,
            notes: Notes::of(annotations),
        }
    }
}
