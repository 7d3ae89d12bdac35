//! What is to be done, decided without doing it: pure, so that a table tests it and `keyferry plan`
//! only prints it.
//!
//! Invariant: a [`Plan`] can be shown. It holds names, keys, sizes and reasons; values are only
//! inside its artifacts.

mod action;
mod claims;
mod decide;
pub mod declared_copies;
mod links;
pub mod prune;
mod reactions;
mod reflector_report;
mod report_entry;
mod show;
mod step;
mod variables;

use std::collections::BTreeMap;

use crate::base::artifact::{Artifact, Desired, SecretArtifact, Wanted};
use crate::base::failure::{Class, Failure};
use crate::base::observed::{Observed, SecretState, SeenArtifact};
use crate::copy_rules::planned_copies::{Foreseen, Foresight};

use step::StepKeys;

pub use action::{Action, Change, KeyChange, Reason};
pub use claims::Claims;
pub use links::{needed, unlinked};
pub use reactions::{OwedReaction, ReactionNotice, reactions};
pub use show::{PlanFormat, show};
pub use step::Step;

/// Everything one pass will do.
#[derive(Debug)]
pub struct Plan {
    /// In the order of the configuration.
    pub deliveries: Vec<DeliveryPlan>,
    /// What `reflector` would do, where that was asked.
    pub reflector: Option<Result<Foresight, Failure>>,
}

/// What one delivery needs.
#[derive(Debug)]
pub struct DeliveryPlan {
    /// Its name.
    pub delivery: String,
    /// The state that it is held at, in words.
    pub held: Option<String>,
    /// One step per target, or why nothing of it is known.
    pub steps: Result<Vec<Step>, Failure>,
}

impl Plan {
    /// Whether anything would be written.
    pub fn has_changes(&self) -> bool {
        self.steps().any(|step| step.action.is_change()) || self.copies().any(Foreseen::is_change)
    }

    /// The lowest class of all that cannot be done.
    pub fn worst(&self) -> Option<Class> {
        let unknown = self
            .deliveries
            .iter()
            .filter_map(|delivery| delivery.steps.as_ref().err());
        let refused = self.steps().filter_map(|step| step.action.refusal());
        unknown.chain(refused).map(|failure| failure.class).min()
    }

    fn copies(&self) -> impl Iterator<Item = &Foreseen> {
        let foresight = self.reflector.iter().flatten();
        foresight.flat_map(|foresight| &foresight.steps)
    }

    fn steps(&self) -> impl Iterator<Item = &Step> {
        self.deliveries
            .iter()
            .flat_map(|delivery| delivery.steps.iter().flatten())
    }
}

impl DeliveryPlan {
    /// Whether anything of it would be written.
    pub fn has_changes(&self) -> bool {
        let mut steps = self.steps.iter().flatten();
        steps.any(|step| step.action.is_change())
    }

    /// Whether anything of it waits.
    pub fn waits(&self) -> bool {
        let mut steps = self.steps.iter().flatten();
        steps.any(|step| step.action == Action::Wait)
    }

    /// Drops the values. A plan that is shown keeps the names and sizes of its keys.
    pub fn forget_values(&mut self, is_shown: bool) {
        for step in self.steps.iter_mut().flatten() {
            step.keys = match is_shown {
                true => StepKeys::Changes(step.keys().into_owned()),
                false => StepKeys::Changes(Vec::new()),
            };
            step.artifact.forget_values();
        }
    }

    /// Whatever would be written waits.
    pub fn hold(&mut self) {
        for step in self.steps.iter_mut().flatten() {
            if step.action.is_change() {
                step.action = Action::Wait;
            }
        }
    }
}

/// Decides what each artifact needs, given what stands at its place (one entry per artifact, in
/// order).
pub fn plan(desired: Desired, observed: Vec<Vec<SeenArtifact>>) -> Plan {
    group(desired, observed, &Claims::default())
}

/// The same for a part of the deliveries of a pass.
pub fn group(desired: Desired, observed: Vec<Vec<SeenArtifact>>, claims: &Claims) -> Plan {
    let shared = claims.enter(&desired, &observed);
    let deliveries = desired.deliveries.into_iter().zip(observed).enumerate();
    Plan {
        deliveries: deliveries
            .map(|(index, (wanted, observed))| {
                let own = shared.iter().filter(|((of, _), _)| *of == index);
                let refused = own
                    .map(|((_, at), failure)| (*at, failure.clone()))
                    .collect();
                delivery(wanted, observed, &refused)
            })
            .collect(),
        reflector: None,
    }
}

/// The same for one delivery; some artifacts are refused before, by their place in it.
pub fn delivery(
    wanted: Wanted,
    observed: Vec<SeenArtifact>,
    refused: &BTreeMap<usize, Failure>,
) -> DeliveryPlan {
    let Wanted {
        delivery,
        artifacts,
    } = wanted;
    let steps = artifacts.map(|artifacts| {
        let both = artifacts.into_iter().zip(observed).enumerate();
        let mut steps: Vec<Step> = both
            .map(|(at, (artifact, seen))| match refused.get(&at) {
                Some(failure) => step(artifact, Observed::Unknown(failure.clone())),
                None => step(artifact, seen.state),
            })
            .collect();
        links::refuse(&mut steps);
        steps
    });
    DeliveryPlan {
        delivery,
        held: None,
        steps,
    }
}

fn step(artifact: Artifact, observed: Observed) -> Step {
    let (action, keys) = match &observed {
        Observed::Unknown(failure) => (Action::Refuse(failure.clone()), Vec::new()),
        Observed::Foreign(what) => (Action::Refuse(foreign(&artifact, what)), Vec::new()),
        Observed::Absent => (Action::Create, Vec::new()),
        Observed::File(state) => decide::file(&artifact, state),
        Observed::FileSet(state) => decide::file_set(&artifact, state),
        Observed::Secret(state) => decide::secret(&artifact, state),
        Observed::PullSecret { linked: true } => (Action::Keep, Vec::new()),
        Observed::PullSecret { linked: false } => (Action::Update(Reason::NotLinked), Vec::new()),
    };
    let notes = match (&artifact, &observed) {
        (Artifact::File(file), Observed::File(state)) if action.is_change() => {
            decide::changes_beside_variables(file, state)
        }
        (Artifact::Secret(secret), Observed::Secret(state)) if action.is_change() => {
            decide::secret_notes(secret, state, &action)
        }
        (_, _) => Vec::new(),
    };
    let basis = if let Observed::Secret(state) = observed {
        Some(state.basis)
    } else {
        None
    };
    let keys = match action {
        Action::Create => StepKeys::New,
        Action::Keep
        | Action::Update(_)
        | Action::Recreate(_)
        | Action::Delete
        | Action::Refuse(_)
        | Action::Wait => StepKeys::Changes(keys),
    };
    Step {
        artifact,
        action,
        basis,
        keys,
        notes,
    }
}

/// What follows for one Secret: whoever writes decides by it again when somebody else was faster.
pub fn secret(wanted: &SecretArtifact, stands: &SecretState) -> Action {
    decide::one_secret(wanted, stands).0
}

fn foreign(artifact: &Artifact, what: &str) -> Failure {
    Failure::new(
        Class::Refused,
        format!("{artifact} is not ours to change: {what}"),
    )
    .hint("move it away, or give this target another place")
}
