//! No two outputs in one place: each would undo the other, and every pass would write both.
//!
//! Most of that shows in the configuration already. What is left shows only here: a namespace that
//! one target leaves out, two paths through a link, and the variables of two deliveries that edit
//! one file.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::base::artifact::{Artifact, Desired, FileBody, ObjectName, Wanted};
use crate::base::failure::{Class, Failure};
use crate::base::lock::locked;
use crate::base::observed::{FilePlace, Seen, Spot};
use crate::base::overlap::{self, Met, Overlaps};

/// Which delivery, and which artifact of it.
pub(super) type Index = (usize, usize);

/// What one artifact takes for itself.
struct Claim {
    delivery: String,
    artifact: String,
    what: What,
}

enum What {
    Secret(ObjectName),
    /// A file or folder; with variables only these in it.
    Place(Option<FilePlace>, Option<Vec<String>>),
    /// A name in the list of a ServiceAccount, where others have theirs.
    Entry,
}

/// By what claims are looked up.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Secret(ObjectName),
    Spot(Spot),
}

/// Claims in order, and who takes what.
#[derive(Default)]
struct ClaimList {
    claims: Vec<Claim>,
    taken: Overlaps<Key>,
}

/// The claims of a pass whose deliveries are decided group by group: what meets in a group is
/// refused on both sides, and of what nobody could foresee, such as the namespaces of copies, who
/// comes second.
#[derive(Default)]
pub struct Claims(Mutex<ClaimList>);

impl Claims {
    /// Enters what a group claims; gives the artifacts of it that somebody else claims, and the
    /// failure of each.
    pub(super) fn enter(
        &self,
        group: &Desired,
        observed: &[Vec<Seen>],
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

    /// Whom a claim meets that is not on this list.
    fn met(&self, claim: &Claim) -> Option<(Met, &Claim)> {
        let met = self.taken.first(self.claims.len(), &claim.entry()?)?;
        let earlier = self.claims.get(met.number)?;
        Some((met, earlier))
    }

    /// All that share something with another on this list, and why neither of the two is written.
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

fn list_of(desired: &Desired, observed: &[Vec<Seen>]) -> (Vec<Index>, ClaimList) {
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

fn claims<'a>(wanted: &'a Wanted, seen: &'a [Seen]) -> impl Iterator<Item = Claim> + 'a {
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

/// What two artifacts share.
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
