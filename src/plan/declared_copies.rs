//! Copies that the configuration declares: one Secret becomes many before anything is decided, so
//! all of them are planned, written and refused by the same rules as every other Secret.
//!
//! A copy has only our marks, and no label or annotation of its home. It never replaces a foreign
//! object, even if its home may.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::artifact::{Artifact, Conflict, ObjectName, SecretArtifact, Wanted};
use crate::base::failure::{Class, Failure};
use crate::base::material::SecretBytes;
use crate::base::observed::{Observed, SecretState, SeenArtifact};
use crate::config::{Delivery, Reflect, SecretTarget, Target, resolve};
use crate::copy_rules::marks;
use crate::copy_rules::metadata::NamespaceMetadata;
use crate::copy_rules::place::{CopiedKind, Uid};
use crate::copy_rules::signature::{Bound, Carrier, CopyOrigin, Keys, SIGNATURE, SignedStatement};

/// Whether a delivery needs the list of all namespaces.
pub fn needs_namespaces(delivery: &Delivery) -> bool {
    let mut reflected = delivery.to.iter().filter_map(reflected);
    reflected.any(|(_, reflect)| reflect.named().is_none())
}

/// Whether a delivery declares any.
pub fn has_copies(delivery: &Delivery) -> bool {
    delivery.to.iter().any(|target| reflected(target).is_some())
}

fn reflected(target: &Target) -> Option<(&SecretTarget, &Reflect)> {
    match target {
        Target::Secret(secret) => Some((secret, secret.reflect.as_ref()?)),
        Target::File(_) | Target::Files(_) => None,
    }
}

/// The wanted artifacts of a delivery, with all copies. `namespaces` is asked only for patterns and
/// selectors. Duplicate places are found later, when a pass is decided.
pub fn expand(
    delivery: &Delivery,
    wanted: Wanted,
    namespaces: &Result<Vec<NamespaceMetadata>, Failure>,
) -> Wanted {
    Wanted {
        delivery: wanted.delivery,
        artifacts: wanted
            .artifacts
            .and_then(|artifacts| with_copies(artifacts, delivery, namespaces)),
    }
}

/// Artifacts have the order of their targets: a Secret and its ServiceAccounts, or one artifact for
/// any other target.
fn with_copies(
    artifacts: Vec<Artifact>,
    delivery: &Delivery,
    namespaces: &Result<Vec<NamespaceMetadata>, Failure>,
) -> Result<Vec<Artifact>, Failure> {
    let mut artifacts = artifacts.into_iter();
    let mut all = Vec::new();
    for target in &delivery.to {
        let Some((secret, reflect)) = reflected(target) else {
            let count = match target {
                Target::Secret(secret) => 1 + secret.service_accounts.len(),
                Target::File(_) | Target::Files(_) => 1,
            };
            all.extend(artifacts.by_ref().take(count));
            continue;
        };
        let Some(Artifact::Secret(home)) = artifacts.next() else {
            return Err(Failure::new(
                Class::Bug,
                format!(
                    "delivery {}: no Secret was made for its copies",
                    delivery.name
                ),
            ));
        };
        let links: Vec<Artifact> = artifacts
            .by_ref()
            .take(secret.service_accounts.len())
            .collect();
        let from = identity(delivery, reflect, &home.at);
        let copies = copies(&home, reflect, &from, namespaces)?;
        if reflect.home {
            all.push(Artifact::Secret(home));
            all.extend(links);
        }
        all.extend(copies.into_iter().map(Artifact::Secret));
    }
    Ok(all)
}

fn copies(
    home: &SecretArtifact,
    reflect: &Reflect,
    from: &str,
    namespaces: &Result<Vec<NamespaceMetadata>, Failure>,
) -> Result<Vec<SecretArtifact>, Failure> {
    if let Some(key) = reflect
        .pick
        .iter()
        .find(|key| !home.data.contains_key(*key))
    {
        let there: Vec<&str> = home.data.keys().map(String::as_str).collect();
        return Err(Failure::new(
            Class::Missing,
            format!(
                "secret {}: its copies pick key {key:?}, which it has not",
                home.at
            ),
        )
        .hint(format!("its keys are {}", there.join(", "))));
    }
    let own = |namespace: &str| reflect.home && namespace == home.at.namespace;
    let names = destinations(reflect, namespaces)?;
    let names = names.into_iter().filter(|namespace| !own(namespace));
    Ok(names
        .map(|namespace| copy(home, reflect, from, namespace))
        .collect())
}

/// Namespaces that get a copy. A namespace that is being deleted or refuses copies is skipped,
/// unless it is named.
fn destinations(
    reflect: &Reflect,
    namespaces: &Result<Vec<NamespaceMetadata>, Failure>,
) -> Result<BTreeSet<String>, Failure> {
    if let Some(named) = reflect.named() {
        return Ok(named.into_iter().map(str::to_owned).collect());
    }
    let known = namespaces.as_ref().map_err(Failure::clone)?;
    let accepts = |namespace: &&NamespaceMetadata| !namespace.ending && !namespace.declines();
    let meant = |namespace: &&NamespaceMetadata| {
        reflect
            .namespaces
            .iter()
            .any(|glob| glob.covers(&namespace.name))
            && reflect
                .selector
                .as_ref()
                .is_none_or(|selector| selector.selects(&namespace.labels))
    };
    let found = known.iter().filter(accepts).filter(meant);
    Ok(found.map(|namespace| namespace.name.clone()).collect())
}

fn copy(home: &SecretArtifact, reflect: &Reflect, from: &str, namespace: String) -> SecretArtifact {
    let picked = |key: &&String| reflect.pick.is_empty() || reflect.pick.contains(*key);
    let data = home.data.iter().filter(|(key, _)| picked(key));
    let name = reflect.rename.as_ref().unwrap_or(&home.at.name);
    SecretArtifact {
        at: ObjectName {
            namespace,
            name: name.clone(),
        },
        kind: home.kind.clone(),
        data: data
            .map(|(key, value): (&String, &SecretBytes)| (key.clone(), value.duplicate()))
            .collect(),
        provenance: Arc::clone(&home.provenance),
        labels: reflect.labels.clone(),
        annotations: BTreeMap::from([(marks::DECLARED.to_owned(), from.to_owned())]),
        immutable: home.immutable,
        conflict: Conflict {
            adopt: false,
            ..home.conflict
        },
    }
}

/// Signs the wanted copies, at this time in seconds since 1970.
pub fn sign(wanted: &mut Wanted, keys: &Keys, now: i64) {
    let artifacts = wanted.artifacts.iter_mut().flatten();
    for secret in artifacts.filter_map(|artifact| match artifact {
        Artifact::Secret(secret) => Some(secret),
        Artifact::File(_)
        | Artifact::FileSet(_)
        | Artifact::PullSecret(_)
        | Artifact::Leftover(_) => None,
    }) {
        let signature = statement(secret).and_then(|of| keys.sign(&of, Bound::Created(now)));
        let signature = signature.map(|text| (SIGNATURE.to_owned(), text));
        secret.annotations.extend(signature);
    }
}

/// Checks the signatures of the existing objects at the places of wanted copies.
pub fn judge_all(wanted: &Wanted, seen: &mut [SeenArtifact], keys: &Keys) {
    let artifacts = wanted.artifacts.as_deref().unwrap_or_default();
    for (artifact, seen) in artifacts.iter().zip(seen) {
        if let (Artifact::Secret(secret), Observed::Secret(state)) = (artifact, &mut seen.state) {
            check_signature(secret, state, keys);
        }
    }
}

/// Checks the signature of an existing object, if a copy is wanted there.
pub fn check_signature(wanted: &SecretArtifact, state: &mut SecretState, keys: &Keys) {
    let Some(statement) = statement(wanted) else {
        return;
    };
    let carrier = Carrier {
        uid: Uid::parse(&state.basis.uid),
        created: &state.created,
    };
    let text = state.annotations.get(SIGNATURE).map(String::as_str);
    state.verdict = Some(keys.verify(text, &statement, carrier));
}

fn statement(copy: &SecretArtifact) -> Option<SignedStatement<'_>> {
    let origin = copy.annotations.get(marks::DECLARED)?;
    Some(SignedStatement {
        kind: CopiedKind::Secret,
        namespace: &copy.at.namespace,
        name: &copy.at.name,
        origin: CopyOrigin::Declared(origin),
    })
}

/// The mark of a copy's origin, by which it is found again when it is not declared any more: the
/// place of its home, or, without a home, its delivery and the Secrets that the delivery reads. No
/// place contains a space, so the two forms are never equal.
pub fn identity(delivery: &Delivery, reflect: &Reflect, home: &ObjectName) -> String {
    if reflect.home {
        return home.to_string();
    }
    let sources = delivery.from.iter();
    let secrets = sources.filter_map(|from| from.source.secret());
    let secrets: Vec<String> = secrets.map(ToString::to_string).collect();
    match secrets.is_empty() {
        true => format!("delivery {}", delivery.name),
        false => format!("delivery {} of {}", delivery.name, secrets.join(", ")),
    }
}

/// The identities of copies that a delivery deletes when they are not declared any more.
pub fn pruned(delivery: &Delivery, namespace: &str) -> BTreeSet<String> {
    let targets = delivery.to.iter().filter_map(reflected);
    targets
        .filter(|(_, reflect)| reflect.prune)
        .map(|(secret, reflect)| {
            let home = resolve(&secret.at, namespace);
            identity(delivery, reflect, &home)
        })
        .collect()
}

#[cfg(test)]
mod tests;
