//! What no Secret can hold, or must never be. Pure.

use crate::artifact::SecretArtifact;
use crate::kubernetes::{Error, Kind, Subject};
use crate::material::SecretBytes;

/// The API server's own limit, over the decoded values.
pub(in crate::kubernetes) const MAX_SIZE: usize = 1 << 20;

/// What the API server would refuse, or must not be asked, is refused before any request.
pub(crate) fn check(wanted: &SecretArtifact) -> Result<(), Error> {
    let subject = Subject {
        kind: Kind::Secret,
        at: wanted.at.clone(),
    };
    if is_reserved(&wanted.kind) {
        return Err(Error::ReservedType {
            subject,
            kind: wanted.kind.clone(),
        });
    }
    let keys: Vec<String> = wanted
        .data
        .keys()
        .filter(|key| !is_key(key))
        .map(|key| format!("{key:?}"))
        .collect();
    if !keys.is_empty() {
        return Err(Error::BadKeys { subject, keys });
    }
    let size = wanted.data.values().map(SecretBytes::len).sum();
    if size > MAX_SIZE {
        return Err(Error::TooLarge { subject, size });
    }
    Ok(())
}

/// Kubernetes fills or believes the first two, and a Helm release is Helm's own memory.
pub(crate) fn is_reserved(kind: &str) -> bool {
    matches!(
        kind,
        "kubernetes.io/service-account-token" | "bootstrap.kubernetes.io/token"
    ) || kind.starts_with("helm.sh/")
}

fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=253).contains(&key.len()) && key.bytes().all(plain) && key != "." && !key.starts_with("..")
}
