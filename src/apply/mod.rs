//! Doing what a plan says, target by target; a target that fails does not stop another.

pub mod file;
pub mod react;
pub mod secret;
pub mod withdraw;

use futures_util::future::join_all;

use crate::artifact::Artifact;
use crate::plan::{Action, DeliveryPlan, Plan, Step};
use crate::report::Failure;
use crate::world::World;

/// What came of a plan: the plan itself, and beside each step what came of it.
#[derive(Debug)]
pub struct Applied {
    /// What was to be done.
    pub plan: Plan,
    /// Per delivery and step; a delivery without steps has none.
    pub results: Vec<Vec<Result<(), Failure>>>,
}

/// Does everything a plan says.
pub async fn apply(plan: Plan, world: &World) -> Applied {
    // All at once: a target that waits for its server holds up no other.
    let deliveries = plan.deliveries.iter().map(|DeliveryPlan { steps, .. }| {
        let steps = steps.as_deref().unwrap_or_default();
        join_all(steps.iter().map(|step| one(step, world)))
    });
    let results = join_all(deliveries).await;
    Applied { plan, results }
}

async fn one(step: &Step, world: &World) -> Result<(), Failure> {
    match &step.action {
        Action::Keep => Ok(()),
        Action::Refuse(failure) => Err(failure.clone()),
        Action::Create | Action::Update(_) | Action::Recreate { .. } => match &step.artifact {
            Artifact::File(file) => file::write(file, world),
            Artifact::FileSet(set) => file::write_set(set, world),
            Artifact::Secret(secret) => secret::write(secret, &step.action, world).await,
            Artifact::PullSecret(link) => secret::link(link, world).await,
        },
    }
}
