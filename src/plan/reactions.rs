//! The reactions that a plan owes: those of a delivery that changes data which somebody may be
//! using already.
//!
//! A first delivery is not a change, and neither is a new mode, a repaired link or an adopted
//! object: nobody has read other bytes.

use std::collections::BTreeSet;

use super::{Action, DeliveryPlan, Reason, Step};
use crate::base::artifact::Artifact;
use crate::config::{Delivery, Reaction, SecretRef, Target};
use crate::render::fetched::Fetched;

/// A reaction and its reason. Only names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedReaction {
    /// The delivery that changed.
    pub delivery: String,
    /// The reaction.
    pub reaction: Reaction,
    /// Targets that changed.
    pub targets: Vec<String>,
    /// The changed targets that are Secrets.
    pub secrets: Vec<SecretRef>,
    /// Keys that changed in the targets.
    pub keys: Vec<String>,
    /// The present versions of its sources, if all of them have one.
    pub versions: Vec<String>,
}

impl OwedReaction {
    /// A reaction of a delivery whose changes are not known one by one: all its targets count.
    pub fn to_all_targets(delivery: &Delivery, reaction: &Reaction) -> Self {
        Self {
            delivery: delivery.name.clone(),
            reaction: reaction.clone(),
            targets: delivery.to.iter().map(Target::to_string).collect(),
            secrets: delivery.to.iter().filter_map(Target::secret).collect(),
            keys: Vec::new(),
            versions: Vec::new(),
        }
    }
}

/// The message of one reaction, for all deliveries that owe it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReactionNotice {
    /// Deliveries that changed.
    pub deliveries: BTreeSet<String>,
    /// Targets that changed.
    pub targets: BTreeSet<String>,
    /// The changed targets that are Secrets.
    pub secrets: BTreeSet<SecretRef>,
    /// Keys that changed.
    pub keys: BTreeSet<String>,
    /// The present versions of their sources, if all of them have one.
    pub versions: BTreeSet<String>,
}

impl ReactionNotice {
    /// Adds the news of another delivery.
    pub fn add(&mut self, owed: OwedReaction) {
        self.deliveries.insert(owed.delivery);
        self.targets.extend(owed.targets);
        self.secrets.extend(owed.secrets);
        self.keys.extend(owed.keys);
        self.versions.extend(owed.versions);
    }
}

/// The reactions that a delivery owes once the steps of its plan are done.
pub fn reactions(delivery: &Delivery, plan: &DeliveryPlan, fetched: &Fetched) -> Vec<OwedReaction> {
    let changed: Vec<&Step> = plan
        .steps
        .iter()
        .flatten()
        .filter(|step| replaces(step))
        .collect();
    if changed.is_empty() {
        return Vec::new();
    }
    let targets: Vec<String> = changed
        .iter()
        .map(|step| step.artifact.to_string())
        .collect();
    let secrets = changed.iter().filter_map(|step| match &step.artifact {
        Artifact::Secret(secret) => Some(SecretRef::from(&secret.at)),
        Artifact::File(_)
        | Artifact::FileSet(_)
        | Artifact::PullSecret(_)
        | Artifact::Leftover(_) => None,
    });
    let secrets: Vec<SecretRef> = secrets.collect();
    let mut keys: Vec<String> = changed
        .iter()
        .flat_map(|step| step.changed_keys())
        .collect();
    keys.sort();
    keys.dedup();
    let versions = delivery.from.iter().map(|from| {
        let version = fetched.get(&from.source).ok()?.version.clone()?;
        Some(format!("{}@{version}", from.source))
    });
    let versions: Vec<String> = versions.collect::<Option<_>>().unwrap_or_default();
    let owed = |reaction: &Reaction| OwedReaction {
        delivery: delivery.name.clone(),
        reaction: reaction.clone(),
        targets: targets.clone(),
        secrets: secrets.clone(),
        keys: keys.clone(),
        versions: versions.clone(),
    };
    delivery.on_change.iter().map(owed).collect()
}

/// Whether the target had other bytes before.
fn replaces(step: &Step) -> bool {
    match &step.action {
        Action::Update(Reason::Content) | Action::Recreate(_) => true,
        Action::Update(
            Reason::Access
            | Reason::Metadata
            | Reason::Damage(_)
            | Reason::Adopt { .. }
            | Reason::Provenance
            | Reason::Type { .. }
            | Reason::Immutable
            | Reason::NotLinked,
        )
        | Action::Keep
        | Action::Create
        | Action::Delete
        | Action::Refuse(_)
        | Action::Wait => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::artifact::{ObjectName, Owner, PullSecretLink};
    use crate::base::failure::{Class, Failure};
    use crate::plan::step::StepKeys;
    use crate::plan::{Change, KeyChange};
    use crate::render::testing;

    fn step(action: Action) -> Step {
        let link = PullSecretLink {
            account: ObjectName {
                namespace: "a".into(),
                name: "b".into(),
            },
            secret: "c".into(),
        };
        let key = |key: &str, change| KeyChange {
            key: key.into(),
            size: Some(1),
            change,
        };
        Step {
            artifact: Artifact::PullSecret(link),
            action,
            basis: None,
            notes: Vec::new(),
            keys: StepKeys::Changes(vec![key("same", Change::Same), key("new", Change::Added)]),
        }
    }

    #[test]
    fn only_bytes_that_replace_others_owe_a_reaction() {
        let run = Reaction::Run {
            command: vec!["true".into()],
            timeout: Duration::from_secs(1),
        };
        let recreate = Action::Recreate(Reason::Immutable);
        let rows = [
            (vec![Action::Keep], 0),
            (vec![Action::Create], 0),
            (vec![Action::Update(Reason::Access)], 0),
            (vec![Action::Update(Reason::Damage("x".into()))], 0),
            (
                vec![Action::Update(Reason::Adopt {
                    from: Owner::Stranger,
                })],
                0,
            ),
            (vec![Action::Update(Reason::Provenance)], 0),
            (vec![Action::Update(Reason::Metadata)], 0),
            (vec![Action::Update(Reason::Content)], 1),
            (vec![Action::Create, Action::Update(Reason::Content)], 1),
            (vec![recreate, Action::Update(Reason::Content)], 1),
            (
                vec![Action::Refuse(Failure::new(Class::Refused, "foreign"))],
                0,
            ),
        ];
        for (actions, want) in rows {
            let shown = format!("{actions:?}");
            let mut delivery = testing::delivery([]);
            delivery.on_change = vec![run.clone()];
            let plan = DeliveryPlan {
                delivery: "d".into(),
                held: None,
                steps: Ok(actions.into_iter().map(step).collect()),
            };
            let owed = reactions(&delivery, &plan, &Fetched::default());
            assert_eq!(owed.len(), want, "{shown}");
            assert!(owed.iter().all(|owed| owed.keys == ["new"]), "{shown}");
        }
    }
}
