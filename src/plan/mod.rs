//! What is to be done, decided without doing it: pure, so that a table tests it and `keyferry plan`
//! only prints it.
//!
//! Invariant: a [`Plan`] can be shown. It holds names, keys, sizes and reasons; values are only
//! inside its artifacts.

mod claims;
mod decide;
pub mod declared_copies;
mod links;
pub mod prune;
mod reactions;
mod reflector_report;
mod report_entry;
mod show;
mod variables;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::base::artifact::{Artifact, Desired, Owner, SecretArtifact, Wanted};
use crate::base::failure::{Class, Failure};
use crate::base::observed::{Basis, Observed, SecretState, SeenArtifact};
use crate::copy_rules::planned_copies::{Foreseen, Foresight};

pub use claims::Claims;
pub use links::{needed, unlinked};
pub use reactions::{Owed, ReactionNotice, reactions};
pub use show::{PlanFormat, show};

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

/// What happens at one target.
#[derive(Debug)]
pub struct Step {
    /// What is to exist there.
    pub artifact: Artifact,
    /// What will be done.
    pub action: Action,
    /// The object of the cluster that this was decided on; nothing where there is none.
    pub basis: Option<Basis>,
    /// Its keys, and what becomes of each: [`Step::keys`] gives them.
    keys: StepKeys,
    /// What else the action does to what stands: replaces a file, takes a Secret over, keeps the
    /// keys of others in it.
    pub notes: Vec<String>,
}

/// What becomes of the keys of a step.
#[derive(Debug)]
enum StepKeys {
    /// All of them are new. They are read from the artifact only when somebody asks for them.
    New,
    /// These change, or stay.
    Changes(Vec<KeyChange>),
}

impl Step {
    /// The keys of the target, and what becomes of each.
    pub fn keys(&self) -> Cow<'_, [KeyChange]> {
        match &self.keys {
            StepKeys::New => Cow::Owned(decide::added(&self.artifact)),
            StepKeys::Changes(changes) => Cow::Borrowed(changes),
        }
    }

    /// The keys that do not stay the same.
    pub fn changes(&self) -> Vec<KeyChange> {
        let mut changes = self.keys().into_owned();
        changes.retain(|key| key.change != Change::Same);
        changes
    }

    /// The names of the keys that do not stay the same.
    pub fn changed_keys(&self) -> impl Iterator<Item = String> {
        self.changes().into_iter().map(|key| key.key)
    }

    /// A reason, and what else the action does.
    pub fn because(&self, reason: &Reason) -> String {
        let notes = self.notes.iter().map(String::as_str);
        let parts: Vec<String> = std::iter::once(reason.to_string())
            .chain(notes.map(str::to_owned))
            .collect();
        parts.join("; ")
    }
}

/// What will be done at one target, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it is as it should be.
    Keep,
    /// It is made.
    Create,
    /// It is changed.
    Update(Reason),
    /// It is deleted, if it is still the object that was seen, and made again: an update is
    /// impossible.
    Recreate(Reason),
    /// It is deleted, if it is still exactly what was seen.
    Delete,
    /// Nothing: it must not be touched.
    Refuse(Failure),
    /// Nothing yet: it would be changed, and its window is shut.
    Wait,
}

/// Why something is changed: the same word in plan, log and test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Some value differs.
    Content,
    /// Mode or owner differ.
    Access,
    /// Labels or annotations differ.
    Metadata,
    /// A killed run left something, or a link is missing.
    Damage(String),
    /// It stands with another mark than ours and may be taken over.
    Adopt {
        /// Whose it was.
        from: Owner,
    },
    /// Its annotations name another delivery or other sources.
    Provenance,
    /// The type cannot be changed.
    Type {
        /// The type that is there.
        from: String,
    },
    /// It is immutable.
    Immutable,
    /// The ServiceAccount does not name the Secret.
    NotLinked,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content => f.write_str("content differs"),
            Self::Access => f.write_str("mode or owner differ"),
            Self::Metadata => f.write_str("labels or annotations differ"),
            Self::Damage(what) => write!(f, "{what}"),
            Self::Adopt { from } => match from {
                Owner::Stranger => f.write_str("adopted: it had no owner mark"),
                Owner::Unnamed => f.write_str("taken over: its owner mark had no name"),
                Owner::Configuration(name) => write!(f, "adopted from configuration `{name}`"),
                Owner::Reflector => f.write_str("adopted: it was a copy of the reflector"),
            },
            Self::Provenance => f.write_str("it named another delivery or other sources"),
            Self::Type { from } => write!(f, "type was {from}"),
            Self::Immutable => f.write_str("it is immutable"),
            Self::NotLinked => f.write_str("not in imagePullSecrets"),
        }
    }
}

/// One key of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// Its name.
    pub key: String,
    /// Bytes it will have; nothing when it goes.
    pub size: Option<usize>,
    /// What becomes of it.
    pub change: Change,
}

/// What becomes of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// Its value differs.
    Changed,
    /// It goes.
    Removed,
    /// It stays.
    Same,
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

impl Action {
    /// Whether it writes.
    pub fn is_change(&self) -> bool {
        match self {
            Self::Create | Self::Update(_) | Self::Recreate(_) | Self::Delete => true,
            Self::Keep | Self::Refuse(_) | Self::Wait => false,
        }
    }

    /// Why it must not be touched, if so.
    pub fn refusal(&self) -> Option<&Failure> {
        match self {
            Self::Refuse(failure) => Some(failure),
            Self::Keep
            | Self::Create
            | Self::Update(_)
            | Self::Recreate(_)
            | Self::Delete
            | Self::Wait => None,
        }
    }

    /// The word for it in plans, reports and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Create => "create",
            Self::Update(_) => "update",
            Self::Recreate(_) => "recreate",
            Self::Delete => "delete",
            Self::Refuse(_) => "refuse",
            Self::Wait => "wait",
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
        (Artifact::File(file), Observed::File(state)) => {
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
