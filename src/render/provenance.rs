//! The sources of a Secret, for its annotations: names and versions.

use std::sync::Arc;

use crate::base::artifact::{Provenance, SourceVersion};
use crate::base::failure::Failure;
use crate::config::{Config, Delivery, Location, ManifestSet, Source};
use crate::render::fetched::Fetched;

pub(super) fn of_delivery(
    config: &Config,
    delivery: &Delivery,
    fetched: &Fetched,
) -> Result<Arc<Provenance>, Failure> {
    Ok(Arc::new(Provenance {
        configuration: config.name()?.clone(),
        delivery: delivery.name.clone(),
        sources: sources(delivery, fetched),
    }))
}

pub(super) fn of_manifest(
    config: &Config,
    set: &ManifestSet,
    file: &Source,
    fetched: &Fetched,
) -> Result<Arc<Provenance>, Failure> {
    Ok(Arc::new(Provenance {
        configuration: config.name()?.clone(),
        delivery: set.label(file),
        sources: vec![version(file, &set.at, fetched)],
    }))
}

/// The sources of a delivery, with the versions that were read. What is read twice is named once.
pub fn sources(delivery: &Delivery, fetched: &Fetched) -> Vec<SourceVersion> {
    let mut sources = Vec::new();
    for from in &delivery.from {
        let read = version(&from.source, &from.at, fetched);
        if !sources.contains(&read) {
            sources.push(read);
        }
    }
    sources
}

fn version(source: &Source, written: &Location, fetched: &Fetched) -> SourceVersion {
    let material = fetched.get_in_part(source).ok();
    SourceVersion {
        source: source.text_beside(written.folder()),
        version: material.and_then(|material| material.version.clone()),
        pinned: source.vault().is_some_and(|read| read.version.is_some()),
    }
}
