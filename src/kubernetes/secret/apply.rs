//! A Secret as it is sent: one server-side apply, bound to what it was decided on.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::MARK;
use crate::base::artifact::SecretArtifact;
use crate::base::observed::Basis;
use crate::kubernetes::MANAGER;
use crate::kubernetes::copy::section;

/// A version that no object ever had: the store counts from 2. An apply that names it can create
/// and cannot change: the server compares versions only with an object that is there. So what
/// appears between our look and our write is never touched, with `patch` and `create` on one name
/// as the only rights.
pub(in crate::kubernetes) const NEVER: &str = "1";

/// A Secret, and whether our mark and its provenance are put on it: what is put back has them
/// already, or never had them.
pub(crate) struct Apply<'a> {
    /// What must exist.
    pub(crate) wanted: &'a SecretArtifact,
    /// What it was decided on; nothing where there is to be none yet.
    pub(crate) basis: Option<&'a Basis>,
    /// Whether it gets our mark and its provenance.
    pub(crate) marked: bool,
    /// Whether fields of other managers are taken.
    pub(crate) force: bool,
}

/// `data` and never `stringData`: only keys of `data` go away when they are no longer applied.
pub(super) fn encode(apply: &Apply<'_>) -> Zeroizing<Vec<u8>> {
    let head = head(apply).to_string();
    let data = &apply.wanted.data;
    let entries = data.iter();
    let entries = entries.map(|(key, value)| key.len() * 2 + value.len() * 4 / 3 + 16);
    // Sized at once, so that no outgrown copy is left in memory unwiped.
    let mut body = Zeroizing::new(Vec::with_capacity(head.len() + 16 + entries.sum::<usize>()));
    body.extend_from_slice(head.strip_suffix('}').unwrap_or_default().as_bytes());
    section(&mut body, "data", data, false);
    body.push(b'}');
    body
}

/// All but the data.
fn head(apply: &Apply<'_>) -> Value {
    let SecretArtifact {
        at,
        kind,
        data: _,
        provenance,
        labels,
        annotations,
        immutable,
        conflict: _,
    } = apply.wanted;
    let (mut labels, mut annotations) = (labels.clone(), annotations.clone());
    if apply.marked {
        labels.extend([(MARK.to_owned(), MANAGER.to_owned()), provenance.label()]);
        annotations.extend(provenance.annotations());
    }
    let mut metadata = json!({"name": at.name, "namespace": at.namespace});
    // An empty map would itself be a field that we own.
    for (name, map) in [("labels", &labels), ("annotations", &annotations)] {
        if !map.is_empty() {
            metadata[name] = json!(map);
        }
    }
    match apply.basis {
        None => metadata["resourceVersion"] = json!(NEVER),
        Some(seen) => {
            metadata["uid"] = json!(seen.uid);
            metadata["resourceVersion"] = json!(seen.version);
        }
    }
    let mut head =
        json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata});
    if *immutable {
        head["immutable"] = json!(true);
    }
    head
}
