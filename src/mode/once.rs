//! `job`, `init` and `plan`: one pass, then the end.

use std::pin::pin;

use tokio::time::{timeout, timeout_at};

use super::grants::Mode;
use super::{Ended, Stop, access, stopped};
use crate::base::failure::{Class, Failure};
use crate::config::{Config, Reflector};
use crate::pass::outcome::{Failed, Outcome, foreseen};
use crate::pass::pipeline;
use crate::pass::world::World;
use crate::plan::{Format, Plan, show};
use crate::process::shutdown;
use crate::reflect::preview::Foresight;
use crate::reflector;

/// Makes one pass. After a signal nothing new is begun, and what is being written gets a moment to
/// end; tokens are given back either way.
pub async fn run(
    config: &Config,
    world: World,
    mode: Mode,
    now: jiff::Timestamp,
) -> (Ended, Option<Outcome>) {
    remind(config);
    let stopped = stopped();
    let done = {
        let mut pass = pin!(pipeline::run(config, &world, now));
        tokio::select! {
            applied = &mut pass => Ok(applied),
            stop = stopped => {
                world.shutdown.ask();
                if let Ok(applied) = timeout(shutdown::LIMIT, pass).await {
                    Failed::log_worst(&Outcome::of(&applied).failures);
                }
                Err(stop)
            }
        }
    };
    let done = done.map(|applied| Outcome::of(&applied));
    if let Ok(outcome) = &done
        && outcome.was_refused()
    {
        access::tell(config, &world, mode).await;
    }
    world.close().await;
    match done {
        Err(stop) => (Ended::Signal(stop), None),
        Ok(outcome) => {
            let ended = match Failed::worst(&outcome.failures) {
                Some(worst) => Ended::Failed(worst),
                None => Ended::Well(outcome.summary()),
            };
            (ended, Some(outcome))
        }
    }
}

/// Makes half a pass: what would change, as text. Copies by annotation are not of a pass: they are
/// shown where `reflector` is asked for.
pub async fn plan(
    config: &Config,
    world: World,
    format: Format,
    reflector: bool,
    now: jiff::Timestamp,
) -> (Ended, String) {
    if !reflector {
        remind(config);
    }
    let world = world.looking();
    let stopped = stopped();
    let whole = async {
        let asked = config.reflector.as_ref().filter(|_| reflector);
        let plan = pipeline::plan(config, &world, now);
        let (plan, reflector) = tokio::join!(plan, copies(asked, &world));
        Plan { reflector, ..plan }
    };
    let done: Result<Plan, Stop> = tokio::select! {
        plan = whole => Ok(plan),
        stop = stopped => Err(stop),
    };
    world.close().await;
    match done {
        Err(stop) => (Ended::Signal(stop), String::new()),
        Ok(plan) => (verdict(&plan), show(&plan, format)),
    }
}

/// What copies by annotation would come to, if the sidecar with this configuration started now.
async fn copies(config: Option<&Reflector>, world: &World) -> Option<Result<Foresight, Failure>> {
    let config = config?;
    let foreseen = async { reflector::foresee(config, world.kubernetes().await?).await };
    let spent = |_| {
        let what = "the copies of `reflector` were not all looked at before the deadline";
        Err(Failure::new(Class::Unavailable, what).hint("use a longer --deadline"))
    };
    let end = world.time_limit.deadline();
    Some(timeout_at(end, foreseen).await.unwrap_or_else(spent))
}

/// What a plan means to the caller: a failure first, then differences.
pub(super) fn verdict(plan: &Plan) -> Ended {
    match Failed::worst(&foreseen(plan)) {
        Some(worst) => Ended::Failed(worst),
        None if plan.has_changes() => Ended::Differs("there are changes".to_owned()),
        None => Ended::Well("nothing to do".to_owned()),
    }
}

/// Who runs a job with such a configuration may wait for copies in vain.
fn remind(config: &Config) {
    if config.reflector.is_some() {
        tracing::warn!(
            "`reflector` is for `keyferry sidecar`: one pass makes no copies by annotation; \
             `keyferry plan` shows what they would be"
        );
    }
}
