//! No two targets share a place: chance would decide which of them is written last.

use std::path::{Path, PathBuf};

use super::super::problem::Problem;
use super::super::target::normal;
use super::super::{Delivery, FileFormat, SecretRef, Target};
use crate::base::overlap::{Claim, Met, Overlaps};

/// The place that a target occupies.
struct Place<'a> {
    target: &'a Target,
    /// Path of the file or folder, in one spelling.
    path: PathBuf,
    /// For a target that changes only its own variables: those that are known so far.
    edits: Option<Vec<&'a str>>,
}

/// The key by which places are looked up.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key<'a> {
    Path(&'a Path),
    Secret(&'a SecretRef),
}

/// Adds a problem for each target that overlaps an earlier target.
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
            let (first, what) = (earlier.target.place(), in_common(earlier, place, &met));
            problems.push(Problem::new(
                place.target.place().clone(),
                format!("{what} is the target of two outputs"),
                format!("the other is at {first}; give one of them another place"),
            ));
        }
        taken.enter(number, &claim);
    }
}

/// Two editors may share a `.env` file: each owns its own variables. Other targets may not overlap.
/// `plan` finds overlaps that only sources, links or the cluster show.
fn claim<'a>(place: &'a Place<'a>) -> Claim<'a, Key<'a>> {
    match place.target {
        Target::File(_) | Target::Files(_) => Claim {
            at: Key::Path(&place.path),
            above: place.path.ancestors().skip(1).map(Key::Path).collect(),
            variables: place.edits.clone(),
        },
        Target::Secret(secret) => Claim {
            at: Key::Secret(&secret.at),
            above: Vec::new(),
            variables: None,
        },
    }
}

fn place<'a>(delivery: &'a Delivery, target: &'a Target) -> Place<'a> {
    let (path, edits) = match target {
        Target::File(file) => {
            let edits = matches!(file.format, FileFormat::Dotenv { edit: true });
            (normal(&file.path), edits.then(|| computed(delivery)))
        }
        Target::Files(files) => (normal(&files.dir), None),
        Target::Secret(_) => (PathBuf::new(), None),
    };
    Place {
        target,
        path,
        edits,
    }
}

/// Names of delivered fields that are known without a source.
fn computed(delivery: &Delivery) -> Vec<&str> {
    let names = delivery.fields.iter().map(|field| field.name.as_str());
    let all = delivery.deliver.is_empty();
    let delivered = |name: &&str| all || delivery.deliver.iter().any(|only| only.name == *name);
    names.filter(delivered).collect()
}

/// Describes what a place shares with an earlier place.
fn in_common(earlier: &Place<'_>, place: &Place<'_>, met: &Met) -> String {
    let shown = |path: &Path| format!("`{}`", path.display());
    match (earlier.target, place.target, &met.variable) {
        (_, Target::Secret(secret), _) => format!("Secret `{}`", secret.at.name),
        (Target::File(_), Target::Files(_), _) => shown(&earlier.path),
        (_, Target::File(_) | Target::Files(_), Some(name)) => {
            format!("variable `{name}` of {}", shown(&place.path))
        }
        (_, Target::File(_) | Target::Files(_), None) => shown(&place.path),
    }
}
