//! No two targets share a place: last-wins would be decided by chance.

use std::path::{Path, PathBuf};

use super::super::problem::Problem;
use super::super::target::normal;
use super::super::{Delivery, FileFormat, Location, SecretRef, Target};
use crate::base::overlap::{Claim, Met, Overlaps};

/// What one target occupies.
enum Place<'a> {
    File {
        path: PathBuf,
        /// The variables of its that are known by now, where it only changes its own.
        edits: Option<Vec<&'a str>>,
        at: &'a Location,
    },
    Folder {
        path: PathBuf,
        at: &'a Location,
    },
    Secret {
        at: &'a SecretRef,
        location: &'a Location,
    },
}

/// By what places are looked up.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key<'a> {
    Path(&'a Path),
    Secret(&'a SecretRef),
}

/// Adds a problem for each target that meets one before it.
pub(super) fn check(deliveries: &[Delivery], problems: &mut Vec<Problem>) {
    let places: Vec<Place<'_>> = deliveries
        .iter()
        .flat_map(|delivery| delivery.to.iter().map(|target| place(delivery, target)))
        .collect();
    let mut taken = Overlaps::default();
    for (number, place) in places.iter().enumerate() {
        let claim = claim(place);
        if let Some(met) = taken.first(number, &claim)
            && let Some(earlier) = places.get(met.number)
        {
            let (first, what) = (location(earlier), in_common(earlier, place, &met));
            problems.push(Problem::new(
                location(place).clone(),
                format!("{what} is the target of two outputs"),
                format!("the other is at {first}; give one of them another place"),
            ));
        }
        taken.enter(number, &claim);
    }
}

/// Two editors may share a `.env` file: each owns its own variables. All else may not overlap. What
/// only sources, links and the cluster tell is found by `plan`.
fn claim<'a>(place: &'a Place<'a>) -> Claim<'a, Key<'a>> {
    match place {
        Place::File { path, edits, .. } => Claim {
            at: Key::Path(path),
            above: path.ancestors().skip(1).map(Key::Path).collect(),
            variables: edits.clone(),
        },
        Place::Folder { path, .. } => Claim {
            at: Key::Path(path),
            above: path.ancestors().skip(1).map(Key::Path).collect(),
            variables: None,
        },
        Place::Secret { at, .. } => Claim {
            at: Key::Secret(at),
            above: Vec::new(),
            variables: None,
        },
    }
}

fn place<'a>(delivery: &'a Delivery, target: &'a Target) -> Place<'a> {
    match target {
        Target::File(file) => Place::File {
            path: normal(&file.path),
            edits: matches!(file.format, FileFormat::Dotenv { edit: true })
                .then(|| computed(delivery)),
            at: &file.at,
        },
        Target::Files(files) => Place::Folder {
            path: normal(&files.dir),
            at: &files.at,
        },
        Target::Secret(secret) => Place::Secret {
            at: &secret.at,
            location: &secret.location,
        },
    }
}

/// Names of fields that need no source to be known, as far as they are delivered.
fn computed(delivery: &Delivery) -> Vec<&str> {
    let names = delivery.fields.iter().map(|field| field.name.as_str());
    let all = delivery.deliver.is_empty();
    let delivered = |name: &&str| all || delivery.deliver.iter().any(|only| only.name == *name);
    names.filter(delivered).collect()
}

fn location<'a>(place: &Place<'a>) -> &'a Location {
    match place {
        Place::File { at, .. } | Place::Folder { at, .. } | Place::Secret { location: at, .. } => {
            at
        }
    }
}

/// What a place and one before it share.
fn in_common(earlier: &Place<'_>, place: &Place<'_>, met: &Met) -> String {
    let shown = |path: &Path| format!("`{}`", path.display());
    match (earlier, place) {
        (_, Place::Secret { at, .. }) => format!("Secret `{}`", at.name),
        (Place::File { path, .. }, Place::Folder { .. }) => shown(path),
        (_, Place::File { path, .. } | Place::Folder { path, .. }) => match &met.variable {
            Some(name) => format!("variable `{name}` of {}", shown(path)),
            None => shown(path),
        },
    }
}
