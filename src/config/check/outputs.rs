//! No two targets share a place: last-wins would be decided by chance.

use std::path::{Path, PathBuf};

use super::super::problem::Problem;
use super::super::{Delivery, FileFormat, Location, SecretRef, Target};
use super::target::normal;
use crate::report::Class;

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

/// Adds a problem for each pair of targets that collide.
pub(super) fn check(deliveries: &[Delivery], problems: &mut Vec<Problem>) {
    let places: Vec<Place<'_>> = deliveries
        .iter()
        .flat_map(|delivery| delivery.to.iter().map(|target| place(delivery, target)))
        .collect();
    for (index, place) in places.iter().enumerate() {
        if let Some((first, what)) = places[..index]
            .iter()
            .find_map(|earlier| collide(earlier, place))
        {
            problems.push(Problem {
                at: location(place).clone(),
                what: format!("{what} is the target of two outputs"),
                hint: Some(format!(
                    "the other is at {first}; give one of them another place"
                )),
                class: Class::Usage,
            });
        }
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
    let delivered = |name: &&str| all || delivery.deliver.iter().any(|only| only == name);
    names.filter(delivered).collect()
}

fn location<'a>(place: &Place<'a>) -> &'a Location {
    match place {
        Place::File { at, .. } | Place::Folder { at, .. } | Place::Secret { location: at, .. } => {
            at
        }
    }
}

/// Two editors may share a `.env` file: each owns its own variables. All else may not overlap. What only sources, links and
/// the cluster tell is found by `plan`.
fn collide<'a>(first: &Place<'a>, second: &Place<'a>) -> Option<(&'a Location, String)> {
    let shown = |path: &Path| format!("`{}`", path.display());
    let inside = |path: &Path, dir: &Path| path.starts_with(dir);
    let what = match (first, second) {
        (
            Place::File {
                path: a,
                edits: Some(mine),
                ..
            },
            Place::File {
                path: b,
                edits: Some(theirs),
                ..
            },
        ) if a == b => {
            let twice = mine.iter().find(|name| theirs.contains(name));
            twice.map(|name| format!("variable `{name}` of {}", shown(b)))
        }
        (Place::File { path: a, .. }, Place::File { path: b, .. }) => {
            (inside(a, b) || inside(b, a)).then(|| shown(b))
        }
        (Place::File { path, .. }, Place::Folder { path: dir, .. })
        | (Place::Folder { path: dir, .. }, Place::File { path, .. }) => {
            (inside(path, dir) || inside(dir, path)).then(|| shown(path))
        }
        (Place::Folder { path: a, .. }, Place::Folder { path: b, .. }) => {
            (inside(a, b) || inside(b, a)).then(|| shown(b))
        }
        (Place::Secret { at: a, .. }, Place::Secret { at: b, .. }) => {
            (a == b).then(|| format!("Secret `{}`", b.name))
        }
        (Place::Secret { .. }, Place::File { .. } | Place::Folder { .. })
        | (Place::File { .. } | Place::Folder { .. }, Place::Secret { .. }) => None,
    };
    what.map(|what| (location(first), what))
}
