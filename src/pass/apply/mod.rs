//! Applies a plan, target by target; a failed target does not stop another.

pub mod file;
pub mod react;
pub mod secret;
pub mod withdraw;

use futures_util::future::join_all;

use crate::base::artifact::Artifact;
use crate::base::failure::{Class, Failure};
use crate::copy_rules::signature::Keys;
use crate::pass::world::World;
use crate::plan::{self, Action, DeliveryPlan, Plan, Step};
use crate::process::memory;
use crate::process::shutdown::{self, RunningStep};

/// The plan, and the result of each step.
#[derive(Debug)]
pub struct Applied {
    /// The plan that was applied.
    pub plan: Plan,
    /// Per delivery and step; a delivery without steps has no results.
    pub results: Vec<Vec<Result<(), Failure>>>,
}

/// Applies a plan: first all writes; then, if all of them succeeded, the deletions. So a reader of
/// a renamed Secret finds the new one before the old one is deleted.
pub async fn apply(plan: Plan, world: &World) -> Applied {
    let deliveries = plan.deliveries.iter().map(|DeliveryPlan { steps, .. }| {
        let steps = steps.as_deref().unwrap_or_default();
        delivery(steps, None, world)
    });
    let mut results = join_all(deliveries).await;
    delete_all(&plan, &mut results, world).await;
    Applied { plan, results }
}

/// Makes the deletions, if everything else succeeded.
pub async fn delete_all(plan: &Plan, results: &mut [Vec<Result<(), Failure>>], world: &World) {
    let unknown = plan
        .deliveries
        .iter()
        .filter_map(|delivery| delivery.steps.as_ref().err());
    let failed = results
        .iter()
        .flatten()
        .filter_map(|result| result.as_ref().err());
    let worst = unknown.chain(failed).map(|failure| failure.class).min();
    for (DeliveryPlan { steps, .. }, results) in plan.deliveries.iter().zip(results) {
        let steps = steps.as_deref().unwrap_or_default();
        let deletions = steps.iter().zip(results.iter_mut());
        let deletions = deletions.filter(|(step, _)| step.action == Action::Delete);
        join_all(deletions.map(|(step, result)| async move {
            *result = delete(step, worst, world).await;
        }))
        .await;
    }
}

/// Applies the steps of one delivery, all at once: a target whose server is slow delays no other.
/// Only a step that needs another one waits for its end. `keys` sign the copies.
pub async fn delivery(
    steps: &[Step],
    keys: Option<&Keys>,
    world: &World,
) -> Vec<Result<(), Failure>> {
    let order = &FileOrder::default();
    let first = steps.iter().map(|step| async move {
        match plan::needed(steps, step) {
            None => Some(apply_step(step, order, keys, world).await),
            Some(_) => None,
        }
    });
    let first = &join_all(first).await;
    let then = steps.iter().zip(first).map(|(step, done)| async move {
        if let Some(done) = done {
            return done.clone();
        }
        let needed =
            plan::needed(steps, step).and_then(|at| Some((&steps[at], first[at].as_ref()?)));
        match needed {
            Some((needed, Err(why))) => Err(plan::unlinked(step, needed, why)),
            Some((_, Ok(()))) | None => apply_step(step, order, keys, world).await,
        }
    });
    join_all(then).await
}

/// The files of one delivery are written one after another, in their order: two of them may make
/// the same folder with different modes, and the mode of the first one counts.
type FileOrder = tokio::sync::Mutex<()>;

async fn apply_step(
    step: &Step,
    order: &FileOrder,
    keys: Option<&Keys>,
    world: &World,
) -> Result<(), Failure> {
    match &step.action {
        Action::Keep | Action::Delete | Action::Wait => Ok(()),
        Action::Refuse(failure) => Err(failure.clone()),
        Action::Recreate(_) => {
            let _running = begun(step, world)?;
            // The write ends by itself, and either the old object or the new one is in place.
            write(step, order, keys, world).await
        }
        Action::Create | Action::Update(_) => {
            let _running = begun(step, world)?;
            tokio::select! {
                biased;
                done = write(step, order, keys, world) => done,
                () = world.shutdown.over() => Err(shutdown::stopped()),
            }
        }
    }
}

fn begun<'w>(step: &Step, world: &'w World) -> Result<RunningStep<'w>, Failure> {
    let end = world.time_limit.deadline();
    world.shutdown.begin(step.artifact.to_string(), end)
}

async fn write(
    step: &Step,
    order: &FileOrder,
    keys: Option<&Keys>,
    world: &World,
) -> Result<(), Failure> {
    let weight = step.artifact.weight();
    // A file may be in memory; a Secret is sent and returned as text that is a third longer.
    let copies = match &step.artifact {
        Artifact::File(_) | Artifact::FileSet(_) => 1,
        Artifact::Secret(_) => 4,
        Artifact::PullSecret(_) | Artifact::Leftover(_) => 0,
    };
    let _taken = memory::reserve(weight * copies)?;
    let done = written(step, order, keys, world).await;
    memory::wrote(weight);
    done
}

async fn written(
    step: &Step,
    order: &FileOrder,
    keys: Option<&Keys>,
    world: &World,
) -> Result<(), Failure> {
    match &step.artifact {
        Artifact::File(file) => {
            let _turn = order.lock().await;
            file::write(file, world).await
        }
        Artifact::FileSet(set) => {
            let _turn = order.lock().await;
            file::write_set(set, world).await
        }
        Artifact::Secret(secret) => {
            let basis = step.basis.as_ref();
            secret::write(secret, &step.action, basis, keys, world).await
        }
        Artifact::PullSecret(link) => secret::link(link, world).await,
        Artifact::Leftover(_) => Err(defect(step)),
    }
}

async fn delete(step: &Step, worst: Option<Class>, world: &World) -> Result<(), Failure> {
    let Artifact::Leftover(leftover) = &step.artifact else {
        return Err(defect(step));
    };
    match worst {
        None => {
            let _running = begun(step, world)?;
            secret::remove(leftover, world).await
        }
        Some(class) => Err(Failure::new(
            class,
            format!(
                "{} is not deleted: something else failed in this pass",
                step.artifact
            ),
        )
        .hint("it goes in the next pass in which all goes well")),
    }
}

fn defect(step: &Step) -> Failure {
    let word = step.action.word();
    Failure::new(
        Class::Bug,
        format!("{}: not a thing to {word}", step.artifact),
    )
}
