//! `check`: checks the configuration without any network; on request also the content of encrypted
//! files and file targets.

mod report;

use super::grants::Mode;
use super::missing_rights::{self, AccessReport};
use super::one_pass::verdict;
use super::{Ended, until_stopped};
use crate::base::failure::{Class, Failure};
use crate::base::printable;
use crate::base::style::Format;
use crate::config::expand::holds_secret;
use crate::config::{ComputedField, Config, Delivery, Target};
use crate::pass::outcome::{Failed, counted, foreseen};
use crate::pass::pipeline;
use crate::pass::source;
use crate::pass::source::inspect::{self, Inspected};
use crate::pass::world::World;
use crate::plan::{Action, Change, DeliveryPlan, Plan};
use crate::render;
use crate::render::fetched::Fetched;
use crate::sidecar::pending_reactions::PendingReactions;

use report::{Difference, Report};

/// What is read in addition to the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Nothing.
    Configuration,
    /// Encrypted files are opened.
    Keys,
    /// And file targets are compared.
    Targets,
}

/// The arguments of a check.
#[derive(Debug, Clone, Copy)]
pub struct CheckRequest {
    /// What is read in addition to the configuration.
    pub depth: Depth,
    /// The mode whose rights are asked for.
    pub access: Option<Mode>,
    /// The format of the report.
    pub format: Format,
}

/// Checks, and gives the text to print.
pub async fn run(
    config: Config,
    world: World,
    wanted: CheckRequest,
    now: jiff::Timestamp,
) -> (Ended, String) {
    let CheckRequest {
        depth,
        access,
        format,
    } = wanted;
    PendingReactions::warn(&config);
    let mut report = Report {
        deliveries: config.deliveries.len(),
        vault_servers: config.vaults.len(),
        manifests: config.manifests.iter().map(|set| set.files.len()).sum(),
        ..Report::default()
    };
    // Keys may have come from Vault: the token for them is given back.
    let done = until_stopped(world.looking(), async |world| {
        if let Some(mode) = access {
            report.access = Some(missing_rights::ask(&config, world, mode).await);
        }
        let failures = report.access.iter().flat_map(refused).collect();
        let ended = check_targets(config, world, depth, now, &mut report).await;
        worse(failures, ended)
    });
    match done.await {
        Err(stop) => (Ended::Signal(stop), String::new()),
        Ok(ended) => (ended, report.show(format)),
    }
}

/// The failures for missing rights and for providers that could not be asked.
fn refused(access: &AccessReport) -> Vec<Failed> {
    let failures = access.failures.iter().cloned();
    let mut all: Vec<Failed> = failures.map(Failed::of_the_run).collect();
    let missing = access.necessary().count();
    if missing > 0 {
        let what = format!("{} missing", counted(missing, "right is", "rights are"));
        let failure = Failure::new(Class::Denied, what).hint(
            "`keyferry grants kubernetes` and `keyferry grants vault` print what grants them",
        );
        all.push(Failed::of_the_run(failure));
    }
    all
}

/// Joins both: the lowest class decides, and all other failures are kept beside it.
fn worse(mut failures: Vec<Failed>, ended: Ended) -> Ended {
    if let Ended::Failed(mut failed) = ended {
        let others = std::mem::take(&mut failed.others);
        failures.push(failed);
        failures.extend(others);
        return Failed::worst(&failures).map_or_else(|| Ended::Well(String::new()), Ended::Failed);
    }
    Failed::worst(&failures).map_or(ended, Ended::Failed)
}

async fn check_targets(
    mut config: Config,
    world: &World,
    depth: Depth,
    now: jiff::Timestamp,
    report: &mut Report,
) -> Ended {
    warn_of_clear(&config);
    if depth == Depth::Configuration {
        report.absent = absent(&config);
        return Ended::Well("the configuration is valid".to_owned());
    }
    let (keys, sources) = inspect::inspect_all(&config, world).await;
    let mut failures = failures_of(&sources);
    report.keys = keys;
    report.sources = sources;
    config.deliveries.retain(is_local);
    report.from_servers = report.deliveries - config.deliveries.len();
    if depth == Depth::Keys {
        let fetched = source::fetch_all(&config, world).await;
        report.unrendered = unrendered(&config, &fetched, now);
        failures.extend(report.unrendered.iter().cloned());
        return Failed::worst(&failures)
            .map_or_else(|| Ended::Well(well(&report.sources)), Ended::Failed);
    }
    config.manifests.clear();
    for delivery in &mut config.deliveries {
        delivery
            .to
            .retain(|target| matches!(target, Target::File(_) | Target::Files(_)));
    }
    let plan = pipeline::plan(&config, world, now).await;
    report.differences = differences(&plan);
    // A source that does not open was reported already, with all deliveries that read it.
    let closed = |one: &&Inspected| one.opened_by.is_empty() && !one.failures.is_empty();
    let told: Vec<&String> = report
        .sources
        .iter()
        .filter(closed)
        .flat_map(|one| &one.deliveries)
        .collect();
    let is_new = |failed: &Failed| {
        let delivery = failed.delivery.as_ref();
        delivery.is_none_or(|delivery| !told.contains(&delivery))
    };
    let new: Vec<Failed> = foreseen(&plan).into_iter().filter(is_new).collect();
    let whole = |failed: &&Failed| failed.target.is_none();
    report.unrendered = new.iter().filter(whole).cloned().collect();
    failures.extend(new);
    Failed::worst(&failures).map_or_else(|| verdict(&plan, &config), Ended::Failed)
}

/// Files that the configuration names and that do not exist here. In CI this is usual for keys, and
/// a mistake for sources.
fn absent(config: &Config) -> Vec<String> {
    let sources = config.sources();
    let sources = sources.filter_map(|(_, source)| Some((source.name().0, source.file()?)));
    let age = config.keys.age.iter().flat_map(|age| age.key.files());
    let age = age.map(|file| ("age key file", file));
    let sealed = config
        .keys
        .sealed
        .iter()
        .filter_map(|sealed| sealed.key.file());
    let sealed = sealed.map(|file| ("sealing key file", file));
    let mut absent: Vec<String> = Vec::new();
    for (kind, file) in sources.chain(age).chain(sealed) {
        let text = format!("{kind} {}", file.display());
        if !file.exists() && !absent.contains(&text) {
            absent.push(text);
        }
    }
    absent
}

/// Warns of a computed field that is not a template and has the name of a password: it holds a
/// password in clear text.
fn warn_of_clear(config: &Config) {
    for delivery in &config.deliveries {
        let clear = |field: &&ComputedField| {
            holds_secret(&field.name) && !field.template.is_empty() && !field.template.contains('{')
        };
        for field in delivery.fields.iter().filter(clear) {
            tracing::warn!(
                "{}: `{}` in `fields` looks like a password in clear: put it into Vault or an \
                 encrypted file, and replace it",
                field.at,
                printable::name(&field.name)
            );
        }
    }
}

/// Whether every source is a file on this machine.
fn is_local(delivery: &Delivery) -> bool {
    delivery
        .from
        .iter()
        .all(|from| from.source.file().is_some())
}

/// Each failure of a source once, with the first delivery that reads it.
fn failures_of(sources: &[Inspected]) -> Vec<Failed> {
    let mut all = Vec::new();
    for source in sources {
        for failure in &source.failures {
            all.push(Failed {
                delivery: source.deliveries.first().cloned(),
                ..Failed::of_the_run(failure.clone())
            });
        }
    }
    all
}

/// Deliveries and manifests that cannot be rendered although their sources open: a field is
/// missing, or a name is invalid.
fn unrendered(config: &Config, fetched: &Fetched, now: jiff::Timestamp) -> Vec<Failed> {
    // Only names are checked here, and no name depends on our own namespace.
    let namespace = Ok("default".to_owned());
    let wanted = render::delivered(config, fetched, &namespace, now);
    let both = config.deliveries.iter().zip(wanted);
    let opens = |delivery: &Delivery| {
        delivery
            .from
            .iter()
            .all(|from| match fetched.get_in_part(&from.source) {
                Ok(_) => true,
                Err(failure) => failure.absent && from.optional,
            })
    };
    let mut all: Vec<Failed> = both
        .filter(|(delivery, _)| opens(delivery))
        .filter_map(|(delivery, wanted)| Some((delivery, wanted.artifacts.err()?)))
        .flat_map(|(delivery, failure)| {
            let each: Vec<Failure> = failure.each().collect();
            each.into_iter()
                .map(|one| Failed::in_delivery(&delivery.name, one))
        })
        .collect();
    // The namespaces of a manifest can depend on our own namespace, which only the cluster knows.
    let offline = Failure::new(Class::Configuration, "our own namespace is not known here");
    let files = config.manifests.iter().flat_map(|set| &set.files);
    let described = render::described(config, fetched, &Err(offline.clone()), now);
    for (file, wanted) in files.zip(described) {
        if let (Ok(_), Err(failure)) = (fetched.get_in_part(file), wanted.artifacts)
            && failure != offline
        {
            all.push(Failed::in_delivery(&wanted.delivery, failure));
        }
    }
    all
}

fn well(sources: &[Inspected]) -> String {
    let clear: usize = sources.iter().map(|one| one.clear_secrets.len()).sum();
    match clear {
        0 => "everything opens".to_owned(),
        clear => format!("everything opens; {clear} clear values look like secrets"),
    }
}

/// For each variable or file, what is missing or different.
fn differences(plan: &Plan) -> Vec<Difference> {
    let mut found = Vec::new();
    for DeliveryPlan {
        delivery, steps, ..
    } in &plan.deliveries
    {
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
                // Only cluster targets are deleted, and those are not compared here; only in a
                // sidecar does a step wait.
                Action::Delete | Action::Wait => {}
                Action::Keep => add(None, "agrees"),
                Action::Create => add(None, "is missing"),
                Action::Refuse(failure) => add(None, &format!("is refused: {}", failure.class)),
                Action::Update(reason) | Action::Recreate(reason) => {
                    let mut named = false;
                    for key in step.keys().iter() {
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
