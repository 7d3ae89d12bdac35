//! `job`, `init` and `plan`: one pass, then the end.

use super::{Ended, FAREWELL, Stop, stopped};
use crate::config::Config;
use crate::cycle;
use crate::outcome::{Failed, Outcome, foreseen};
use crate::plan::{Format, Plan, show};
use crate::world::World;

/// Makes one pass. A signal stops it between two writes, never in one; tokens are given back either way.
pub async fn run(config: &Config, world: World, now: jiff::Timestamp) -> (Ended, Option<Outcome>) {
    remind(config);
    let stopped = stopped();
    let done = tokio::select! {
        applied = cycle::run(config, &world, now) => Ok(applied),
        stop = stopped => Err(stop),
    };
    close(world).await;
    match done {
        Err(stop) => (Ended::Signal(stop), None),
        Ok(applied) => {
            let outcome = Outcome::of(&applied);
            let ended = match Failed::worst(&outcome.failures) {
                Some(worst) => Ended::Failed(worst),
                None => Ended::Well(outcome.summary()),
            };
            (ended, Some(outcome))
        }
    }
}

/// Makes half a pass: what would change, as text.
pub async fn plan(
    config: &Config,
    world: World,
    format: Format,
    now: jiff::Timestamp,
) -> (Ended, String) {
    remind(config);
    let stopped = stopped();
    let done: Result<Plan, Stop> = tokio::select! {
        plan = cycle::plan(config, &world, now) => Ok(plan),
        stop = stopped => Err(stop),
    };
    close(world).await;
    match done {
        Err(stop) => (Ended::Signal(stop), String::new()),
        Ok(plan) => (verdict(&plan), show(&plan, format)),
    }
}

/// What a plan means to the caller: a failure first, then differences.
pub(super) fn verdict(plan: &Plan) -> Ended {
    match Failed::worst(&foreseen(plan)) {
        Some(worst) => Ended::Failed(worst),
        None if plan.has_changes() => Ended::Differs("there are changes".to_owned()),
        None => Ended::Well("nothing to do".to_owned()),
    }
}

async fn close(world: World) {
    // The token is worth a short wait and no more.
    let _ = tokio::time::timeout(FAREWELL, world.close()).await;
}

/// Who runs a job with such a configuration may wait for copies in vain.
fn remind(config: &Config) {
    if config.reflector.is_some() {
        tracing::warn!(
            "`reflector` is for `keyferry sidecar`: one pass makes no copies by annotation"
        );
    }
}
