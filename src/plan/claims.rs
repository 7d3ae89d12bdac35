//! No two outputs in one place: each would undo the other, and every pass would write both.
//!
//! Most of that shows in the configuration already. What is left shows only here: a namespace that one target leaves out,
//! two paths through a link, and the variables of two deliveries that edit one file.

use std::collections::BTreeMap;

use crate::artifact::{Artifact, Desired, FileArtifact, FileBody};
use crate::observed::Seen;
use crate::report::{Class, Failure};

/// Which delivery, and which artifact of it.
pub(super) type Index = (usize, usize);

/// One artifact and what was seen at its place.
struct Claim<'a> {
    index: Index,
    delivery: &'a str,
    artifact: &'a Artifact,
    seen: &'a Seen,
}

/// All artifacts that share something with another, and why neither of the two is written.
pub(super) fn shared(desired: &Desired, observed: &[Vec<Seen>]) -> BTreeMap<Index, Failure> {
    let claims = claims(desired, observed);
    let mut refused = BTreeMap::new();
    for (number, later) in claims.iter().enumerate() {
        for earlier in &claims[..number] {
            if let Some(what) = in_common(earlier, later) {
                for (one, other) in [(earlier, later), (later, earlier)] {
                    refused
                        .entry(one.index)
                        .or_insert_with(|| failure(&what, one, other));
                }
            }
        }
    }
    refused
}

fn claims<'a>(desired: &'a Desired, observed: &'a [Vec<Seen>]) -> Vec<Claim<'a>> {
    let deliveries = desired.deliveries.iter().zip(observed).enumerate();
    let claims = deliveries.flat_map(|(number, (wanted, seen))| {
        let artifacts = wanted.artifacts.as_deref().unwrap_or_default();
        let both = artifacts.iter().zip(seen).enumerate();
        both.map(move |(place, (artifact, seen))| Claim {
            index: (number, place),
            delivery: &wanted.delivery,
            artifact,
            seen,
        })
    });
    claims.collect()
}

/// What two artifacts share.
fn in_common(first: &Claim<'_>, second: &Claim<'_>) -> Option<String> {
    match (first.artifact, second.artifact) {
        (Artifact::Secret(a), Artifact::Secret(b)) => {
            (a.at == b.at).then(|| format!("secret {}", a.at))
        }
        (Artifact::File(a), Artifact::File(b)) if is_same(first, second) => match variable(a, b) {
            Shared::Nothing => None,
            Shared::Variable(name) => {
                Some(format!("variable `{name}` of file {}", b.path.display()))
            }
            Shared::All => Some(second.artifact.to_string()),
        },
        (Artifact::File(_) | Artifact::FileSet(_), Artifact::File(_) | Artifact::FileSet(_)) => {
            let (a, b) = (first.seen.place.as_ref()?, second.seen.place.as_ref()?);
            (a.is_within(b) || b.is_within(a)).then(|| second.artifact.to_string())
        }
        (_, _) => None,
    }
}

fn is_same(first: &Claim<'_>, second: &Claim<'_>) -> bool {
    first.seen.place.is_some() && first.seen.place == second.seen.place
}

enum Shared {
    Nothing,
    Variable(String),
    All,
}

/// Two editors may share a file when each has its own variables.
fn variable(first: &FileArtifact, second: &FileArtifact) -> Shared {
    let (FileBody::Lines(first), FileBody::Lines(second)) = (&first.body, &second.body) else {
        return Shared::All;
    };
    let both = |name: &String| second.iter().any(|line| line.name == *name);
    let mut names = first.iter().map(|line| &line.name);
    match names.find(|name| both(name)) {
        Some(name) => Shared::Variable(name.clone()),
        None => Shared::Nothing,
    }
}

fn failure(what: &str, one: &Claim<'_>, other: &Claim<'_>) -> Failure {
    let other = match one.delivery == other.delivery {
        true => format!("the other is {} of the same delivery", other.artifact),
        false => format!("the other is {} of `{}`", other.artifact, other.delivery),
    };
    Failure::new(
        Class::Usage,
        format!("{what} is the target of two outputs; {other}"),
    )
    .hint("give one of them another place")
}

#[cfg(test)]
#[path = "claims/tests.rs"]
mod tests;
