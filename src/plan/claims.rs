//! No two outputs in one place: each would undo the other, and every pass would write both.
//!
//! Most of that shows in the configuration already. What is left shows only here: a namespace that one target leaves out,
//! two paths through a link, and the variables of two deliveries that edit one file.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::artifact::{Artifact, Desired, FileBody, ObjectName, Wanted};
use crate::lock::locked;
use crate::observed::{Place, Seen};
use crate::report::{Class, Failure};

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
    Place(Option<Place>, Option<Vec<String>>),
    /// A name in the list of a ServiceAccount, where others have theirs.
    Entry,
}

/// The claims of a pass whose deliveries are decided group by group: what meets in a group is refused on both sides, and of
/// what nobody could foresee, such as the namespaces of copies, who comes second.
#[derive(Default)]
pub struct Ledger(Mutex<Vec<Claim>>);

impl Ledger {
    /// Enters what a group claims; gives the artifacts of it that somebody else claims, and the failure of each.
    pub(super) fn enter(
        &self,
        group: &Desired,
        observed: &[Vec<Seen>],
    ) -> BTreeMap<Index, Failure> {
        let mut claimed = locked(&self.0);
        let mut refused = shared(group, observed);
        let mut fresh = Vec::new();
        for (index, claim) in numbered(group, observed) {
            let mut all = claimed.iter();
            let taken = all.find_map(|earlier| Some((in_common(earlier, &claim)?, earlier)));
            match taken {
                Some((what, earlier)) => {
                    refused.insert(index, failure(&what, &claim, earlier));
                }
                None => fresh.push(claim),
            }
        }
        claimed.append(&mut fresh);
        refused
    }
}

/// All artifacts that share something with another, and why neither of the two is written.
pub(super) fn shared(desired: &Desired, observed: &[Vec<Seen>]) -> BTreeMap<Index, Failure> {
    let all = numbered(desired, observed);
    let mut refused = BTreeMap::new();
    for (number, (index, later)) in all.iter().enumerate() {
        for (first, earlier) in &all[..number] {
            if let Some(what) = in_common(earlier, later) {
                for (index, one, other) in [(first, earlier, later), (index, later, earlier)] {
                    refused
                        .entry(*index)
                        .or_insert_with(|| failure(&what, one, other));
                }
            }
        }
    }
    refused
}

fn numbered(desired: &Desired, observed: &[Vec<Seen>]) -> Vec<(Index, Claim)> {
    let deliveries = desired.deliveries.iter().zip(observed).enumerate();
    let all = deliveries.flat_map(|(number, (wanted, seen))| {
        let numbered = claims(wanted, seen).enumerate();
        numbered.map(move |(place, claim)| ((number, place), claim))
    });
    all.collect()
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
fn in_common(first: &Claim, second: &Claim) -> Option<String> {
    match (&first.what, &second.what) {
        (What::Secret(a), What::Secret(b)) => (a == b).then(|| format!("secret {a}")),
        (What::Place(Some(a), mine), What::Place(Some(b), theirs)) => match (mine, theirs) {
            // Two editors may share a file when each has its own variables.
            (Some(mine), Some(theirs)) if a == b => {
                let twice = mine.iter().find(|name| theirs.contains(name));
                twice.map(|name| format!("variable `{name}` of {}", second.artifact))
            }
            (_, _) => (a.is_within(b) || b.is_within(a)).then(|| second.artifact.clone()),
        },
        (What::Secret(_) | What::Place(..) | What::Entry, _) => None,
    }
}

fn failure(what: &str, one: &Claim, other: &Claim) -> Failure {
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
