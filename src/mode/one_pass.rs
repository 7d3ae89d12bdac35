//! `job`, `init` and `plan`: make one pass, then end.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::grants::Mode;
use super::telemetry::Telemetry;
use super::{Ended, missing_rights, stopped, until_stopped};
use crate::base::artifact::ObjectName;
use crate::base::failure::{Class, Failure};
use crate::config::{Config, Reflector};
use crate::copy_rules::planned_copies::Foresight;
use crate::kubernetes::event::{Notice, reason_of};
use crate::kubernetes::pod::OwnJob;
use crate::pass::apply::Applied;
use crate::pass::outcome::{Failed, Outcome, foreseen};
use crate::pass::pipeline;
use crate::pass::world::World;
use crate::plan::Plan;
use crate::process::shutdown;
use crate::reflector;

/// Makes one pass. After a signal no new step begins, and running writes get a moment to end;
/// tokens are given back in both cases.
/// `logs` is false if a table will show the changes.
pub async fn run(
    config: &Config,
    world: World,
    mode: Mode,
    logs: bool,
    now: jiff::Timestamp,
) -> (Ended, Option<Outcome>) {
    let telemetry = Telemetry::start(config);
    let passed = |applied: &Applied| {
        if let Some(telemetry) = &telemetry {
            telemetry.passed(applied);
        }
        Outcome::from_applied(applied, config)
    };
    warn_without_copies(config);
    warn_without_targets(config);
    let stopped = stopped();
    let done = {
        let mut pass = pin!(pipeline::run(config, &world, now));
        tokio::select! {
            applied = &mut pass => Ok(passed(&applied)),
            stop = stopped => {
                world.shutdown.ask();
                if let Ok(applied) = timeout(shutdown::LIMIT, pass).await {
                    let outcome = passed(&applied);
                    outcome.log_changes();
                    outcome.failures.iter().for_each(Failed::log);
                }
                Err(stop)
            }
        }
    };
    if let Ok(outcome) = &done {
        if logs {
            outcome.log_changes();
        }
        if outcome.was_refused() {
            missing_rights::log_missing_rights(config, &world, mode).await;
        }
    }
    let worst = done
        .iter()
        .find_map(|outcome| Failed::worst_placed(&outcome.failures, config));
    if let Some(worst) = &worst
        && config.sidecar.events
        && let Some(job) = OwnJob::of_this_process()
    {
        tell_at_job(&job, worst, &world).await;
    }
    world.close().await;
    let (ended, outcome) = match done {
        Err(stop) => (Ended::Signal(stop), None),
        Ok(outcome) => {
            let ended = match worst {
                Some(worst) => Ended::Failed(worst),
                None => Ended::Well(outcome.summary()),
            };
            (ended, Some(outcome))
        }
    };
    if let Some(telemetry) = telemetry {
        telemetry.send(&ended).await;
    }
    (ended, outcome)
}

/// How long writing the Event at a Job may take.
const TELLING: Duration = Duration::from_secs(3);

/// Writes an Event at the Job of our pod: the Job's own condition has an exit code and no reason.
/// Without the right or without a cluster, no Event is written.
async fn tell_at_job(job: &OwnJob, worst: &Failed, world: &World) {
    let told = async {
        let cluster = world.kubernetes().await?;
        let now = format!("{:.0}", jiff::Timestamp::now());
        let notice = Notice {
            version: "batch/v1",
            kind: "Job",
            at: ObjectName {
                namespace: job.namespace.as_ref().unwrap_or(&cluster.namespace).clone(),
                name: job.name.clone(),
            },
            uid: job.uid.as_deref(),
            topic: worst.failure.class.word(),
            normal: false,
            reason: &reason_of(worst.failure.class),
            message: &worst.line(),
            count: 1,
            since: &now,
        };
        Ok::<(), Failure>(
            cluster
                .until(Instant::now() + TELLING)
                .write_event(&notice)
                .await?,
        )
    };
    let told = timeout(TELLING, told).await;
    if let Ok(Err(failure)) = told {
        tracing::debug!(reason = %failure.what, "no Event is written at the Job");
    }
}

/// Makes a pass without its writes: shows what would change. Copies by annotation do not belong to
/// a pass: they are shown only if `reflector` is asked for.
pub async fn plan(
    config: &Config,
    world: World,
    reflector: bool,
    now: jiff::Timestamp,
) -> (Ended, Option<Plan>) {
    if !reflector {
        warn_without_copies(config);
    }
    warn_without_targets(config);
    let done = until_stopped(world.looking(), async |world| {
        let asked = config.reflector.as_ref().filter(|_| reflector);
        let plan = pipeline::plan(config, world, now);
        let (plan, reflector) = tokio::join!(plan, copies(asked, world));
        Plan { reflector, ..plan }
    });
    match done.await {
        Err(stop) => (Ended::Signal(stop), None),
        Ok(plan) => (verdict(&plan, config), Some(plan)),
    }
}

/// What would happen to copies by annotation if the sidecar with this configuration started now.
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

/// The end of a plan: a failure counts first, then differences.
pub(super) fn verdict(plan: &Plan, config: &Config) -> Ended {
    match Failed::worst_placed(&foreseen(plan), config) {
        Some(worst) => Ended::Failed(worst),
        None if plan.has_changes() => Ended::Differs("there are changes".to_owned()),
        None => Ended::Well("nothing to do".to_owned()),
    }
}

/// Warns that a configuration with a reflector makes no copies in one pass.
fn warn_without_copies(config: &Config) {
    if config.reflector.is_some() {
        tracing::warn!(
            "`reflector` is for `keyferry sidecar`: one pass makes no copies by annotation; \
             `keyferry plan` shows what they would be"
        );
    }
}

/// Warns that a pass over these deliveries writes nothing.
fn warn_without_targets(config: &Config) {
    if let Some(first) = config.deliveries.first()
        && !config.has_targets()
    {
        tracing::warn!(
            "{}: no delivery has `to`, so nothing is written: add it, or give the fields to a \
             program with `keyferry exec -- CMD`",
            first.at
        );
    }
}
