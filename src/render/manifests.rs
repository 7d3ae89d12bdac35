//! Encrypted manifests as the Secrets that they describe, only in namespaces that our configuration
//! allows.
//!
//! Nothing protects the keys of a manifest, also not SOPS: everyone who may write the file may
//! change `name` and `namespace` without a wrong checksum. So our configuration decides where a
//! Secret may go, and a manifest for another place is refused by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use crate::base::artifact::secret::{self, Unfit};
use crate::base::artifact::{
    Artifact, MANIFESTS_MARK, ObjectName, Provenance, SecretArtifact, Wanted,
};
use crate::base::failure::{Class, Failure, Fault};
use crate::base::printable;
use crate::config::{Config, Location, ManifestSet, Source, Target, resolve};
use crate::envelope::manifest::{Manifest, from_secret_document};
use crate::render::fetched::Fetched;

use super::place::within;
use super::provenance;

type Own<'a> = &'a Result<String, Failure>;

/// The wanted Secrets of manifests, one entry per file: a file is applied completely or not at all,
/// and a failed file stops no other.
pub fn wanted(config: &Config, fetched: &Fetched, own: Own<'_>, now: Timestamp) -> Vec<Wanted> {
    let files = config
        .manifests
        .iter()
        .flat_map(|set| set.files.iter().map(move |file| (set, file)));
    let mut all: Vec<Wanted> = files
        .map(|(set, file)| Wanted {
            delivery: set.label(file),
            artifacts: secrets(config, set, file, fetched, own, now),
        })
        .collect();
    refuse_doubles(&mut all, places(config, own));
    all
}

fn secrets(
    config: &Config,
    set: &ManifestSet,
    file: &Source,
    fetched: &Fetched,
    own: Own<'_>,
    now: Timestamp,
) -> Result<Vec<Artifact>, Failure> {
    let documents = &fetched.get(file)?.documents;
    let provenance = provenance::of_manifest(config, set, file, fetched)?;
    let mut secrets = Vec::new();
    for document in documents {
        let found = from_secret_document(document.duplicate());
        for manifest in found.map_err(|error| within(file, error))? {
            secrets.push(Artifact::Secret(secret(
                set,
                file,
                manifest,
                Arc::clone(&provenance),
                own,
                now,
            )?));
        }
    }
    if secrets.is_empty() {
        return Err(within(file, ManifestsError::Empty));
    }
    Ok(secrets)
}

fn secret(
    set: &ManifestSet,
    file: &Source,
    manifest: Manifest,
    provenance: Arc<Provenance>,
    own: Own<'_>,
    now: Timestamp,
) -> Result<SecretArtifact, Failure> {
    let Manifest {
        namespace,
        name,
        kind,
        mut data,
        mut labels,
        annotations,
        immutable,
    } = manifest;
    let own_needed = namespace.is_none() || set.namespaces.is_empty();
    let own = match own {
        Err(failure) if own_needed => return Err(failure.clone()),
        Err(_) => "",
        Ok(own) => own,
    };
    let at = ObjectName {
        namespace: namespace.unwrap_or_else(|| own.to_owned()),
        name,
    };
    let allowed = match set.namespaces.as_slice() {
        [] => at.namespace == own,
        namespaces => namespaces.contains(&at.namespace),
    };
    if !allowed {
        let error = ManifestsError::Namespace {
            at,
            set: set.at.clone(),
        };
        return Err(within(file, error));
    }
    if let Err(why) = secret::fit(&at, &kind, &mut data, now) {
        return Err(within(file, ManifestsError::Unfit { at, why }));
    }
    if let Some(name) = &set.name {
        labels.insert(MANIFESTS_MARK.to_owned(), name.clone());
    }
    Ok(SecretArtifact {
        at,
        kind,
        data,
        provenance,
        labels,
        annotations,
        immutable,
        conflict: set.conflict,
    })
}

/// The Secrets that deliveries write, even failing ones: no manifest may describe them too.
fn places(config: &Config, own: Own<'_>) -> BTreeMap<ObjectName, BTreeSet<String>> {
    let mut places: BTreeMap<ObjectName, BTreeSet<String>> = BTreeMap::new();
    let own = own.as_deref().unwrap_or_default();
    for delivery in &config.deliveries {
        for target in &delivery.to {
            if let Target::Secret(secret) = target {
                let who = format!("delivery {}", printable::quoted(&delivery.name));
                places
                    .entry(resolve(&secret.at, own))
                    .or_default()
                    .insert(who);
            }
        }
    }
    places
}

/// If two manifests describe one Secret, either could be forged, so neither is applied.
fn refuse_doubles(all: &mut [Wanted], mut places: BTreeMap<ObjectName, BTreeSet<String>>) {
    let mut twice = BTreeSet::new();
    for wanted in all.iter() {
        for at in objects(wanted) {
            let who = places.entry(at.clone()).or_default();
            if !who.insert(wanted.delivery.clone()) || who.len() > 1 {
                twice.insert(at.clone());
            }
        }
    }
    for wanted in all {
        let Some(at) = objects(wanted).find(|at| twice.contains(at)) else {
            continue;
        };
        let others = places[at].iter().filter(|who| **who != wanted.delivery);
        let error = ManifestsError::Twice {
            others: others.cloned().collect(),
            at: at.clone(),
        };
        wanted.artifacts = Err(error.into());
    }
}

fn objects(wanted: &Wanted) -> impl Iterator<Item = &ObjectName> {
    let artifacts = wanted.artifacts.iter().flatten();
    artifacts.filter_map(|artifact| match artifact {
        Artifact::Secret(secret) => Some(&secret.at),
        Artifact::File(_)
        | Artifact::FileSet(_)
        | Artifact::PullSecret(_)
        | Artifact::Leftover(_) => None,
    })
}

/// Why manifests are not applied.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum ManifestsError {
    #[error("it describes no Secret")]
    Empty,
    #[error("secret {at}: {why}")]
    Unfit { at: ObjectName, why: Unfit },
    #[error("secret {at}: manifests may not go to namespace {}", at.namespace)]
    Namespace { at: ObjectName, set: Location },
    #[error("secret {at} is described twice{}", also(others))]
    Twice { at: ObjectName, others: Vec<String> },
}

fn also(others: &[String]) -> String {
    if others.is_empty() {
        return " in this file".to_owned();
    }
    format!(", also by {}", others.join(" and "))
}

impl Fault for ManifestsError {
    fn class(&self) -> Class {
        match self {
            Self::Empty => Class::Missing,
            Self::Unfit { why, .. } => why.class(),
            Self::Namespace { .. } | Self::Twice { .. } => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unfit { why, .. } => return why.hint(),
            Self::Empty => "remove the file, or let it describe a Secret".to_owned(),
            Self::Namespace { at, set } => format!(
                "if it is meant to go there, list `{}` under `namespaces` at {set}; what a file \
                 says beside its values, anybody may have changed",
                at.namespace
            ),
            Self::Twice { .. } => "keep one of them".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
