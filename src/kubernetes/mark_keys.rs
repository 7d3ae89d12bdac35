//! The Secret with the keys of the marks: read by name, made where there is none, and never
//! changed.
//!
//! It carries no mark of ours, so nothing that is written or deleted because of a mark is ever this
//! Secret.

use std::collections::BTreeMap;

use super::Kubernetes;
use super::error::Error;
use super::object_kind::{ObjectKind, Subject};
use super::write::Put;
use crate::base::artifact::ObjectName;
use crate::base::artifact::secret::OPAQUE;
use crate::base::material::SecretBytes;
use crate::copy_rules::place::{self, ObjectPlace};
use crate::copy_rules::signature::{KEY_SIZE, Keys, MarkKeyError};

impl Kubernetes {
    /// The keys; `None` when their Secret is absent.
    pub(crate) async fn mark_keys(&self, at: &ObjectName) -> Result<Option<Keys>, Error> {
        let place = ObjectPlace::new(at.namespace.as_str(), at.name.as_str());
        let Some(whole) = self.read_whole(place::CopiedKind::Secret, &place).await? else {
            return Ok(None);
        };
        let keys = match whole.metadata.notes.is_empty() {
            true => Keys::read(place, whole.data),
            false => Err(MarkKeyError::Copied),
        };
        keys.map(Some).map_err(|why| unfit(at, why))
    }

    /// The keys; makes a new key where there is none.
    pub(crate) async fn mark_keys_or_new(&self, at: &ObjectName) -> Result<Keys, Error> {
        if let Some(keys) = self.mark_keys(at).await? {
            return Ok(keys);
        }
        let (name, key) = new_key()?;
        tracing::info!(secret = %at, key = name, "a key of the marks is made");
        self.keep_mark_keys(at, BTreeMap::from([(name, key)])).await
    }

    /// The keys; where there are none, a new key that is stored nowhere: a plan writes nothing.
    pub(crate) async fn mark_keys_to_plan(&self, at: &ObjectName) -> Result<Keys, Error> {
        if let Some(keys) = self.mark_keys(at).await? {
            return Ok(keys);
        }
        let place = ObjectPlace::new(at.namespace.as_str(), at.name.as_str());
        Keys::read(place, [new_key()?]).map_err(|why| unfit(at, why))
    }

    /// Makes the Secret with these keys, and returns the keys that it then holds: somebody else may
    /// be faster.
    pub(crate) async fn keep_mark_keys(
        &self,
        at: &ObjectName,
        content: BTreeMap<String, SecretBytes>,
    ) -> Result<Keys, Error> {
        let put = Put {
            kind: place::CopiedKind::Secret,
            at: at.clone(),
            of_type: Some(OPAQUE),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            immutable: false,
            data: &content,
            binary: None,
            basis: None,
            force: false,
        };
        match self.call(&put.call()).await {
            Ok(_) | Err(Error::Raced(_) | Error::Owned { .. }) => {}
            Err(error) => return Err(error),
        }
        let found = self.mark_keys(at).await?;
        found.ok_or_else(|| Error::Raced(subject(at)))
    }
}

fn subject(at: &ObjectName) -> Subject {
    Subject {
        kind: ObjectKind::Secret,
        at: at.clone(),
    }
}

fn unfit(at: &ObjectName, why: MarkKeyError) -> Error {
    Error::UnfitKeys {
        subject: subject(at),
        why,
    }
}

/// A key, named after the time so that it is the last in order.
fn new_key() -> Result<(String, SecretBytes), Error> {
    let name = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
    let mut key = vec![0; KEY_SIZE];
    let filled = aws_lc_rs::rand::fill(&mut key);
    let key = SecretBytes::from(key);
    filled.map_err(|_| Error::Credentials("no random bytes for a key of the marks".to_owned()))?;
    Ok((name, key))
}
