//! `check`: configuration and templates without any network; on request what encrypted files and file targets hold.

use super::Ended;
use super::once::verdict;
use crate::config::{Config, Delivery, Target};
use crate::cycle;
use crate::outcome::{Failed, counted};
use crate::plan::{Action, Change, DeliveryPlan, Plan};
use crate::render;
use crate::source;
use crate::world::World;

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

/// Checks; gives the lines to print.
pub async fn run(
    mut config: Config,
    world: World,
    depth: Depth,
    now: jiff::Timestamp,
) -> (Ended, String) {
    let all = config.deliveries.len();
    let mut lines = format!(
        "configuration: {}, {}\n",
        counted(all, "delivery", "deliveries"),
        counted(config.vaults.len(), "Vault server", "Vault servers"),
    );
    if depth == Depth::Configuration {
        return (Ended::Well("the configuration is valid".to_owned()), lines);
    }
    config.deliveries.retain(is_local);
    let skipped = all - config.deliveries.len();
    if skipped > 0 {
        lines.push_str(&format!(
            "{} from a server, not opened here: see `keyferry plan`\n",
            counted(skipped, "delivery reads", "deliveries read"),
        ));
    }
    if depth == Depth::Keys {
        return opened(&config, &world, lines, now).await;
    }
    for delivery in &mut config.deliveries {
        delivery
            .to
            .retain(|target| matches!(target, Target::File(_) | Target::Files(_)));
    }
    let plan = cycle::plan(&config, &world, now).await;
    differences(&plan, &mut lines);
    (verdict(&plan), lines)
}

/// Whether every source is a file here.
fn is_local(delivery: &Delivery) -> bool {
    delivery.from.iter().all(|from| from.source.is_local())
}

async fn opened(
    config: &Config,
    world: &World,
    mut lines: String,
    now: jiff::Timestamp,
) -> (Ended, String) {
    let fetched = source::fetch_all(config, world).await;
    let mut failures: Vec<Failed> = Vec::new();
    for delivery in &config.deliveries {
        for from in &delivery.from {
            match fetched.get(&from.source) {
                Ok(_) => lines.push_str(&format!("{}: {} opens\n", delivery.name, from.source)),
                Err(failure) => {
                    lines.push_str(&format!("{}: {}\n", delivery.name, failure.what));
                    failures.push(Failed::of(&delivery.name, failure));
                }
            }
        }
    }
    // What does not open cannot be rendered either; of the others the names are known now.
    let broken: Vec<Option<String>> = failures
        .iter()
        .map(|failed| failed.delivery.clone())
        .collect();
    let namespace = Ok("default".to_owned());
    for wanted in render::desired(config, &fetched, &namespace, now).deliveries {
        let known = !broken.contains(&Some(wanted.delivery.clone()));
        if let (true, Err(failure)) = (known, wanted.artifacts) {
            lines.push_str(&format!("{}: {}\n", wanted.delivery, failure.what));
            failures.push(Failed::of(&wanted.delivery, failure));
        }
    }
    let ended = Failed::worst(&failures)
        .map_or_else(|| Ended::Well("everything opens".to_owned()), Ended::Failed);
    (ended, lines)
}

/// One line per variable or file that is missing or differs.
fn differences(plan: &Plan, lines: &mut String) {
    for DeliveryPlan { delivery, steps } in &plan.deliveries {
        if let Err(failure) = steps {
            lines.push_str(&format!("{delivery}: {}\n", failure.what));
        }
        for step in steps.iter().flatten() {
            let place = &step.artifact;
            match &step.action {
                Action::Keep => lines.push_str(&format!("{delivery}: {place} agrees\n")),
                Action::Create => lines.push_str(&format!("{delivery}: {place} is missing\n")),
                Action::Refuse(failure) => {
                    lines.push_str(&format!("{delivery}: {}\n", failure.what))
                }
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
                        lines.push_str(&format!("{delivery}: {place}: {} {word}\n", key.key));
                    }
                    if !named {
                        lines.push_str(&format!("{delivery}: {place}: {reason}\n"));
                    }
                }
            }
        }
    }
}
