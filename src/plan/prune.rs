//! Objects that came from manifests, or were declared as copies, and are not described any more:
//! which of them are deleted, and when all of them stay.
//!
//! Nothing is deleted in a pass in which anything is unknown: an unreadable source might still
//! describe it.

use std::collections::BTreeSet;

use super::step::StepKeys;
use super::{Action, DeliveryPlan, Step};
use crate::base::artifact::{Artifact, Leftover, ObjectName, Origin};
use crate::base::deletion_brake::Limits;
use crate::base::failure::{Class, Failure};
use crate::base::observed::Marked;

/// Why something is deleted.
pub fn why(artifact: &Artifact) -> &'static str {
    match artifact {
        Artifact::Leftover(leftover) => match leftover.of {
            Origin::Manifests => "no manifest describes it any more",
            Origin::Copies => "no copy is declared here any more",
        },
        Artifact::File(_)
        | Artifact::FileSet(_)
        | Artifact::Secret(_)
        | Artifact::PullSecret(_) => "",
    }
}

/// How many names a refusal lists.
const SHOWN: usize = 10;

/// All Secrets that must exist; nothing if a part of them is unknown.
pub fn wanted_secrets(plans: &[DeliveryPlan]) -> Option<BTreeSet<ObjectName>> {
    let mut kept = BTreeSet::new();
    for plan in plans {
        let steps = plan.steps.as_ref().ok()?;
        kept.extend(steps.iter().filter_map(|step| match &step.artifact {
            Artifact::Secret(secret) => Some(secret.at.clone()),
            Artifact::File(_)
            | Artifact::FileSet(_)
            | Artifact::PullSecret(_)
            | Artifact::Leftover(_) => None,
        }));
    }
    Some(kept)
}

/// One entry per set of manifests, or delivery, with objects that must be deleted or may not.
/// `allowed` is the number that a person released.
pub fn plan(kept: &BTreeSet<ObjectName>, marked: Vec<Marked>, allowed: usize) -> Vec<DeliveryPlan> {
    let sets = marked.into_iter();
    sets.filter_map(|Marked { of, name, found }| {
        let whose = match of {
            Origin::Manifests => format!("Secrets of manifests `{name}` are described"),
            Origin::Copies => format!("copies of delivery `{name}` are declared"),
        };
        let steps = found.and_then(|found| steps(&whose, of, kept, found, allowed));
        let nothing = steps.as_ref().is_ok_and(Vec::is_empty);
        let delivery = match of {
            Origin::Manifests => format!("manifests {name}: prune"),
            Origin::Copies => format!("{name}: prune"),
        };
        (!nothing).then_some(DeliveryPlan {
            delivery,
            held: None,
            steps,
        })
    })
    .collect()
}

fn steps(
    whose: &str,
    of: Origin,
    kept: &BTreeSet<ObjectName>,
    found: Vec<Leftover>,
    allowed: usize,
) -> Result<Vec<Step>, Failure> {
    let all = found.len();
    let mut leftovers = found;
    leftovers.retain(|leftover| !kept.contains(&leftover.at));
    let most = Limits::default().most(all).max(allowed);
    if leftovers.len() > most {
        return Err(too_many(whose, of, &leftovers, all, most));
    }
    let steps = leftovers.into_iter().map(|leftover| Step {
        artifact: Artifact::Leftover(leftover),
        action: Action::Delete,
        basis: None,
        keys: StepKeys::Changes(Vec::new()),
        notes: Vec::new(),
    });
    Ok(steps.collect())
}

fn too_many(whose: &str, of: Origin, leftovers: &[Leftover], all: usize, most: usize) -> Failure {
    let count = leftovers.len();
    let names = leftovers
        .iter()
        .take(SHOWN)
        .map(|leftover| leftover.at.to_string());
    let mut names: Vec<String> = names.collect();
    if count > SHOWN {
        names.push(format!("{} more", count - SHOWN));
    }
    let what = format!(
        "{count} of {all} {whose} no more, and at most {most} are deleted in one pass: {}",
        names.join(", ")
    );
    let back = match of {
        Origin::Manifests => "bring the files back",
        Origin::Copies => "look at `reflect` and at the labels of namespaces",
    };
    Failure::new(Class::Refused, what).hint(format!(
        "{back}, or, if all of these are to go, run once with `--allow-deletes {count}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: usize) -> ObjectName {
        ObjectName {
            namespace: "n".to_owned(),
            name: format!("s{number}"),
        }
    }

    fn marked(count: usize) -> Vec<Marked> {
        let found = (0..count).map(|number| Leftover {
            of: Origin::Manifests,
            at: at(number),
            uid: "u".to_owned(),
            version: "1".to_owned(),
        });
        vec![Marked {
            of: Origin::Manifests,
            name: "web".to_owned(),
            found: Ok(found.collect()),
        }]
    }

    /// The result when `standing` objects exist and `keeping` of them are kept.
    fn outcome(standing: usize, keeping: usize, allowed: usize) -> String {
        let kept = (0..keeping).map(at).collect();
        match plan(&kept, marked(standing), allowed).as_slice() {
            [] => "nothing".to_owned(),
            [
                DeliveryPlan {
                    steps: Ok(steps), ..
                },
            ] => format!("{} go", steps.len()),
            [
                DeliveryPlan {
                    steps: Err(failure),
                    ..
                },
            ] => failure.class.to_string(),
            more => panic!("{more:?}"),
        }
    }

    #[test]
    fn row_75_too_many_deletions_are_refused_until_a_person_says_so_many() {
        for (standing, keeping, allowed, want) in [
            (0, 0, 0, "nothing"),
            (5, 5, 0, "nothing"),
            (5, 2, 0, "3 go"),
            (5, 1, 0, "refused"),
            (5, 1, 3, "refused"),
            (5, 1, 4, "4 go"),
            (100, 80, 0, "20 go"),
            (100, 79, 0, "refused"),
            (100, 0, 100, "100 go"),
        ] {
            assert_eq!(
                outcome(standing, keeping, allowed),
                want,
                "{standing} {keeping} {allowed}"
            );
        }
    }

    #[test]
    fn a_refusal_names_what_would_go_and_the_way_on() {
        let plans = plan(&BTreeSet::new(), marked(12), 0);
        let [
            DeliveryPlan {
                delivery,
                steps: Err(failure),
                ..
            },
        ] = plans.as_slice()
        else {
            panic!("{plans:?}")
        };
        assert_eq!(delivery, "manifests web: prune");
        assert!(failure.what.starts_with(
            "12 of 12 Secrets of manifests `web` are described no more, and at most 3 are"
        ));
        assert!(
            failure.what.ends_with("n/s8, n/s9, 2 more"),
            "{}",
            failure.what
        );
        assert!(
            failure
                .hint
                .as_ref()
                .is_some_and(|hint| hint.contains("--allow-deletes 12"))
        );
    }
}
