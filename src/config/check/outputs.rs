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
        edits: bool,
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
        .flat_map(|delivery| &delivery.to)
        .map(place)
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

fn place(target: &Target) -> Place<'_> {
    match target {
        Target::File(file) => Place::File {
            path: normal(&file.path),
            edits: matches!(file.format, FileFormat::Dotenv { edit: true }),
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

fn location<'a>(place: &Place<'a>) -> &'a Location {
    match place {
        Place::File { at, .. } | Place::Folder { at, .. } | Place::Secret { location: at, .. } => {
            at
        }
    }
}

/// Two editors may share a `.env` file: each owns its own variables. All else may not overlap.
fn collide<'a>(first: &Place<'a>, second: &Place<'a>) -> Option<(&'a Location, String)> {
    let shown = |path: &Path| format!("`{}`", path.display());
    let inside = |path: &Path, dir: &Path| path.starts_with(dir);
    let what = match (first, second) {
        (
            Place::File {
                path: a,
                edits: true,
                ..
            },
            Place::File {
                path: b,
                edits: true,
                ..
            },
        ) if a == b => None,
        (Place::File { path: a, .. }, Place::File { path: b, .. }) => {
            (inside(a, b) || inside(b, a)).then(|| shown(b))
        }
        (Place::File { path, .. }, Place::Folder { path: dir, .. })
        | (Place::Folder { path: dir, .. }, Place::File { path, .. }) => {
            (inside(path, dir) || inside(dir, path)).then(|| shown(path))
        }
        (Place::Folder { path: a, .. }, Place::Folder { path: b, .. }) => {
            (a == b).then(|| shown(b))
        }
        (Place::Secret { at: a, .. }, Place::Secret { at: b, .. }) => {
            (a == b).then(|| format!("Secret `{}`", b.name))
        }
        (Place::Secret { .. }, Place::File { .. } | Place::Folder { .. })
        | (Place::File { .. } | Place::Folder { .. }, Place::Secret { .. }) => None,
    };
    what.map(|what| (location(first), what))
}
