//! `check`: configuration and templates without any network; on request what encrypted files and file targets hold.

mod report;

use super::once::verdict;
use super::{Ended, FAREWELL, stopped};
use crate::config::{Config, Delivery, Target};
use crate::cycle;
use crate::outcome::Failed;
use crate::plan::{Action, Change, DeliveryPlan, Plan};
use crate::render;
use crate::report::Failure;
use crate::source::inspect::{self, Inspected};
use crate::world::World;

pub use report::Format;
use report::{Difference, Report};

/// What is looked at beside the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Nothing.
    Configuration,
    /// Encrypted files are opened.
    Keys,
    /// And file targets are compared.
    Targets,
}

/// Checks; gives the text to print.
pub async fn run(
    config: Config,
    world: World,
    depth: Depth,
    format: Format,
    now: jiff::Timestamp,
) -> (Ended, String) {
    let mut report = Report {
        deliveries: config.deliveries.len(),
        vault_servers: config.vaults.len(),
        ..Report::default()
    };
    if let Some(failure) = render::check_templates(&config).into_iter().next() {
        report.failure = Some(failure.clone());
        let ended = Ended::Failed(Failed::whole(failure));
        return (ended, report.show(format));
    }
    let stopped = stopped();
    let done = tokio::select! {
        ended = look(config, &world, depth, now, &mut report) => ended,
        stop = stopped => Ended::Signal(stop),
    };
    // Keys may have come from Vault: that token is given back.
    let _ = tokio::time::timeout(FAREWELL, world.close()).await;
    match done {
        Ended::Signal(stop) => (Ended::Signal(stop), String::new()),
        ended @ (Ended::Well(_) | Ended::Differs(_) | Ended::Failed(_)) => {
            (ended, report.show(format))
        }
    }
}

async fn look(
    mut config: Config,
    world: &World,
    depth: Depth,
    now: jiff::Timestamp,
    report: &mut Report,
) -> Ended {
    if depth == Depth::Configuration {
        return Ended::Well("the configuration is valid".to_owned());
    }
    let (keys, sources) = inspect::inspect_all(&config, world).await;
    report.keys = keys;
    report.sources = sources;
    let opened = worst(&report.sources);
    if depth == Depth::Keys {
        return opened.map_or_else(|| Ended::Well(well(&report.sources)), Ended::Failed);
    }
    config.deliveries.retain(is_local);
    report.not_compared = report.deliveries - config.deliveries.len();
    for delivery in &mut config.deliveries {
        delivery
            .to
            .retain(|target| matches!(target, Target::File(_) | Target::Files(_)));
    }
    let plan = cycle::plan(&config, world, now).await;
    report.differences = differences(&plan);
    match (verdict(&plan), opened) {
        (Ended::Failed(failed), Some(first)) if failed.failure.class < first.failure.class => {
            Ended::Failed(failed)
        }
        (_, Some(first)) => Ended::Failed(first),
        (ended, None) => ended,
    }
}

/// Whether every source is a file here.
fn is_local(delivery: &Delivery) -> bool {
    delivery.from.iter().all(|from| from.source.is_local())
}

/// The failure that decides the exit code: the lowest code of all.
fn worst(sources: &[Inspected]) -> Option<Failed> {
    let failures = sources.iter().flat_map(|source| {
        let failures = source.failures.iter();
        failures.map(|failure| (source.deliveries.first(), failure))
    });
    let worst = failures.min_by_key(|(_, failure): &(_, &Failure)| failure.class);
    worst.map(|(delivery, failure)| Failed {
        delivery: delivery.cloned(),
        ..Failed::whole(failure.clone())
    })
}

fn well(sources: &[Inspected]) -> String {
    let clear: usize = sources.iter().map(|one| one.clear_secrets.len()).sum();
    match clear {
        0 => "everything opens".to_owned(),
        clear => format!("everything opens; {clear} clear values look like secrets"),
    }
}

/// Per variable or file what is missing or differs.
fn differences(plan: &Plan) -> Vec<Difference> {
    let mut found = Vec::new();
    for DeliveryPlan { delivery, steps } in &plan.deliveries {
        for step in steps.iter().flatten() {
            let mut add = |key: Option<&str>, state: &str| {
                found.push(Difference {
                    delivery: delivery.clone(),
                    target: step.artifact.to_string(),
                    key: key.map(str::to_owned),
                    state: state.to_owned(),
                });
            };
            match &step.action {
                Action::Keep => add(None, "agrees"),
                Action::Create => add(None, "is missing"),
                Action::Refuse(failure) => add(None, &format!("is refused: {}", failure.what)),
                Action::Update(reason) | Action::Recreate { reason, .. } => {
                    let mut named = false;
                    for key in &step.keys {
                        let word = match key.change {
                            Change::Added => "is missing",
                            Change::Changed => "differs",
                            Change::Removed => "is not declared",
                            Change::Same => continue,
                        };
                        named = true;
                        add(Some(&key.key), word);
                    }
                    if !named {
                        add(None, &format!("differs: {reason}"));
                    }
                }
            }
        }
    }
    found
}
