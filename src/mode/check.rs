//! `check`: configuration and templates without any network; on request what encrypted files and file targets hold.

use super::Ended;
use super::once::verdict;
use crate::config::{Config, Delivery, Target};
use crate::cycle;
use crate::outcome::Failed;
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
    if let Some(failure) = render::check_templates(&config).into_iter().next() {
        return (Ended::Failed(Failed::whole(failure)), String::new());
    }
    let all = config.deliveries.len();
    let mut lines = format!(
        "configuration: {all} deliveries, {} Vault servers\n",
        config.vaults.len()
    );
    if depth == Depth::Configuration {
        return (Ended::Well("the configuration is valid".to_owned()), lines);
    }
    config.deliveries.retain(is_local);
    let skipped = all - config.deliveries.len();
    if skipped > 0 {
        lines.push_str(&format!(
            "{skipped} deliveries read from a server and are not opened here: see `keyferry plan`\n"
        ));
    }
    if depth == Depth::Keys {
        return opened(&config, &world, lines).await;
    }
    config.manifests.clear();
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

async fn opened(config: &Config, world: &World, mut lines: String) -> (Ended, String) {
    let fetched = source::fetch_all(config, world).await;
    let mut worst: Option<Failed> = None;
    for (name, source) in config.sources() {
        match fetched.get(source) {
            Ok(_) => lines.push_str(&format!("{name}: {source} opens\n")),
            Err(failure) => {
                lines.push_str(&format!("{name}: {}\n", failure.what));
                let failed = Failed {
                    delivery: Some(name),
                    failure,
                };
                if worst
                    .as_ref()
                    .is_none_or(|worst| failed.failure.class < worst.failure.class)
                {
                    worst = Some(failed);
                }
            }
        }
    }
    let ended = worst.map_or_else(|| Ended::Well("everything opens".to_owned()), Ended::Failed);
    (ended, lines)
}

/// One line per variable or file that is missing or differs.
fn differences(plan: &Plan, lines: &mut String) {
    for DeliveryPlan { delivery, steps } in &plan.deliveries {
        for step in steps.iter().flatten() {
            let place = &step.artifact;
            match &step.action {
                // Only cluster targets are deleted, and those are not compared here.
                Action::Delete => {}
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
