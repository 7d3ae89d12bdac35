//! No two outputs may have the same place: each would undo the other, and every pass would write
//! both.
//!
//! Most such cases are found in the configuration already. Only three show here: a namespace that
//! one target leaves out, two paths through a link, and the variables of two deliveries that edit
//! one file.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::base::artifact::{Artifact, Desired, FileBody, ObjectName, Wanted};
use crate::base::failure::{Class, Failure};
use crate::base::lock::locked;
use crate::base::observed::{FilePlace, SeenArtifact, Spot};
use crate::base::overlap::{self, Met, Overlaps};

/// Numbers of a delivery and of an artifact in it.
pub(super) type Index = (usize, usize);

/// The place that one artifact claims.
struct Claim {
    delivery: String,
    artifact: String,
    what: What,
}

enum What {
    Secret(ObjectName),
    /// A file or folder; with variables, only these in the file.
    Place(Option<FilePlace>, Option<Vec<String>>),
    /// A name in the list of a ServiceAccount, which others share.
    Entry,
}

/// Key for finding claims.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Secret(ObjectName),
    Spot(Spot),
}

/// Claims in order, and their owners.
#[derive(Default)]
struct ClaimList {
    claims: Vec<Claim>,
    taken: Overlaps<Key>,
}

/// The claims of a pass. Deliveries are decided group by group: if two in one group meet, both are
/// refused. If the groups could not be known beforehand, for example for namespaces of copies, the
/// second one is refused.
#[derive(Default)]
pub struct Claims(Mutex<ClaimList>);

impl Claims {
    /// Adds the claims of a group; gives its artifacts that somebody else claims, each with its
    /// failure.
    pub(super) fn enter(
        &self,
        group: &Desired,
        observed: &[Vec<SeenArtifact>],
    ) -> BTreeMap<Index, Failure> {
        let mut list = locked(&self.0);
        let (indices, mine) = list_of(group, observed);
        let mut refused = mine.shared(&indices);
        let mut fresh = Vec::new();
        for (index, claim) in indices.into_iter().zip(mine.claims) {
            match list.met(&claim) {
                Some((met, earlier)) => {
                    let what = in_common(earlier, &claim, &met);
                    refused.insert(index, failure(&what, &claim, earlier));
                }
                None => fresh.push(claim),
            }
        }
        fresh.into_iter().for_each(|claim| list.add(claim));
        refused
    }
}

impl ClaimList {
    fn add(&mut self, claim: Claim) {
        if let Some(entry) = claim.entry() {
            self.taken.enter(self.claims.len(), &entry);
        }
        self.claims.push(claim);
    }

    /// The claim on this list that meets a claim from elsewhere.
    fn met(&self, claim: &Claim) -> Option<(Met, &Claim)> {
        let met = self.taken.first(self.claims.len(), &claim.entry()?)?;
        let earlier = self.claims.get(met.number)?;
        Some((met, earlier))
    }

    /// All artifacts that meet another one on this list, each with the reason why neither is
    /// written.
    fn shared(&self, indices: &[Index]) -> BTreeMap<Index, Failure> {
        let numbered = indices.iter().zip(&self.claims).enumerate();
        let refused = numbered.filter_map(|(number, (index, claim))| {
            let met = self.taken.first(number, &claim.entry()?)?;
            let other = self.claims.get(met.number)?;
            let what = match met.number < number {
                true => in_common(other, claim, &met),
                false => in_common(claim, other, &met),
            };
            Some((*index, failure(&what, claim, other)))
        });
        refused.collect()
    }
}

impl Claim {
    fn entry(&self) -> Option<overlap::Claim<'_, Key>> {
        match &self.what {
            What::Secret(at) => Some(overlap::Claim {
                at: Key::Secret(at.clone()),
                above: Vec::new(),
                variables: None,
            }),
            What::Place(place, variables) => {
                let place = place.as_ref()?;
                Some(overlap::Claim {
                    at: Key::Spot(place.spot()?),
                    above: place.above().map(Key::Spot).collect(),
                    variables: variables
                        .as_ref()
                        .map(|all| all.iter().map(String::as_str).collect()),
                })
            }
            What::Entry => None,
        }
    }
}

fn list_of(desired: &Desired, observed: &[Vec<SeenArtifact>]) -> (Vec<Index>, ClaimList) {
    let mut indices = Vec::new();
    let mut list = ClaimList::default();
    for (number, (wanted, seen)) in desired.deliveries.iter().zip(observed).enumerate() {
        for (place, claim) in claims(wanted, seen).enumerate() {
            indices.push((number, place));
            list.add(claim);
        }
    }
    (indices, list)
}

fn claims<'a>(wanted: &'a Wanted, seen: &'a [SeenArtifact]) -> impl Iterator<Item = Claim> + 'a {
    let artifacts = wanted.artifacts.as_deref().unwrap_or_default();
    artifacts.iter().zip(seen).map(|(artifact, seen)| Claim {
        delivery: wanted.delivery.clone(),
        artifact: artifact.to_string(),
        what: match artifact {
            Artifact::Secret(secret) => What::Secret(secret.at.clone()),
            Artifact::FileSet(_) => What::Place(seen.place.clone(), None),
            Artifact::File(file) => What::Place(seen.place.clone(), variables(&file.body)),
            Artifact::PullSecret(_) | Artifact::Leftover(_) => What::Entry,
        },
    })
}

fn variables(body: &FileBody) -> Option<Vec<String>> {
    match body {
        FileBody::Whole(_) => None,
        FileBody::Lines(lines) => Some(lines.iter().map(|line| line.name.clone()).collect()),
    }
}

/// The thing that two artifacts share.
fn in_common(first: &Claim, second: &Claim, met: &Met) -> String {
    match (&first.what, &met.variable) {
        (What::Secret(at), _) => format!("secret {at}"),
        (What::Place(..) | What::Entry, Some(name)) => {
            format!("variable `{name}` of {}", second.artifact)
        }
        (What::Place(..) | What::Entry, None) => second.artifact.clone(),
    }
}

fn failure(what: &str, one: &Claim, other: &Claim) -> Failure {
    let other = match one.delivery == other.delivery {
        true => format!("the other is {} of the same delivery", other.artifact),
        false => format!("the other is {} of `{}`", other.artifact, other.delivery),
    };
    Failure::new(
        Class::Configuration,
        format!("{what} is the target of two outputs; {other}"),
    )
    .hint("give one of them another place")
}

#[cfg(test)]
#[path = "claims/tests.rs"]
mod tests;
