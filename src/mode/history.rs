//! `history`: shows what deliveries carried and when, and which versions Vault still has. Never a
//! value.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Ended, rollback, until_stopped};
use crate::base::artifact::SourceVersion;
use crate::base::failure::{Class, Failure};
use crate::base::history::{HistoryEntry, Journal};
use crate::base::printable;
use crate::base::style::Format;
use crate::config::{Config, Delivery};
use crate::pass::history;
use crate::pass::outcome::Failed;
use crate::pass::world::World;
use crate::vault::KnownVersion;

/// The history of one delivery.
struct DeliveryHistory<'c> {
    delivery: &'c Delivery,
    journal: Journal,
    versions: Vec<(String, Result<Vec<KnownVersion>, Failure>)>,
}

/// Shows the history of these deliveries; without names, of all deliveries that keep one.
pub async fn run(
    config: &Config,
    world: World,
    names: &[String],
    format: Format,
) -> (Ended, String) {
    let chosen = match rollback::chosen(config, names) {
        Ok(chosen) => chosen,
        Err(failure) => return (Ended::Failed(Failed::of_the_run(failure)), String::new()),
    };
    let told = until_stopped(world.looking(), async |world| {
        let (mut all, mut failures) = (Vec::new(), Vec::new());
        for delivery in chosen {
            match history::read(delivery, world).await {
                Ok(journal) => all.push(DeliveryHistory {
                    delivery,
                    journal: journal.unwrap_or_default(),
                    versions: versions(delivery, world).await,
                }),
                Err(failure) => failures.push(Failed::in_delivery(&delivery.name, failure)),
            }
        }
        (all, failures)
    });
    let (all, failures) = match told.await {
        Ok(told) => told,
        Err(stop) => return (Ended::Signal(stop), String::new()),
    };
    let text = match format {
        Format::Text => all.iter().map(text).collect::<Vec<_>>().join("\n"),
        Format::Json => {
            let all: Vec<Value> = all.iter().map(document).collect();
            format!("{:#}\n", json!({"deliveries": all}))
        }
    };
    let ended = match Failed::worst_placed(&failures, config) {
        Some(worst) => Ended::Failed(worst),
        None => Ended::Well(String::new()),
    };
    (ended, text)
}

/// What Vault knows of the versions of each secret that a delivery reads.
async fn versions(
    delivery: &Delivery,
    world: &World,
) -> Vec<(String, Result<Vec<KnownVersion>, Failure>)> {
    let mut all = Vec::new();
    for from in delivery
        .vault_secrets()
        .iter()
        .filter_map(|readers| readers.first())
    {
        let Some(read) = from.source.vault() else {
            continue;
        };
        let asked = async { world.vault(&read.server)?.versions(read).await };
        match asked.await {
            Ok(None) => {}
            Ok(Some(known)) => all.push((from.name(), Ok(known))),
            Err(failure) => all.push((from.name(), Err(failure))),
        }
    }
    all
}

fn text(told: &DeliveryHistory<'_>) -> String {
    let DeliveryHistory {
        delivery,
        journal,
        versions,
    } = told;
    let target = delivery.to.first().map(ToString::to_string);
    let mut out = String::new();
    let mut line = |text: &str| {
        let _ = writeln!(out, "{}", printable::line(text.trim_end()));
    };
    line(&format!(
        "{}: {}",
        delivery.name,
        target.unwrap_or_default()
    ));
    if let Some(held) = &journal.held {
        line(&format!("  {held}, asked for from {}", held.by));
        line("  `keyferry job --release` delivers the newest again");
    }
    if journal.entries.is_empty() {
        line("  nothing was delivered since `history` is configured");
    }
    for entry in &journal.entries {
        line(&format!(
            "  {:.0}  {}  {}",
            entry.at,
            entry.by,
            changed(entry)
        ));
        for source in &entry.sources {
            line(&format!("    {}", short(source)));
        }
    }
    for (name, known) in versions {
        line(&format!("  {name} in Vault"));
        match known {
            Ok(known) => {
                for KnownVersion {
                    number,
                    made,
                    state,
                } in known
                {
                    line(&format!("    version {number}  {made}  {}", state.word()));
                }
            }
            Err(failure) if failure.class == Class::Denied => {
                line("    not shown: the token may not read its metadata");
            }
            Err(failure) => line(&format!("    not shown: {}", failure.what)),
        }
    }
    out
}

/// The source with the exact version that was read.
fn short(source: &SourceVersion) -> String {
    match &source.version {
        Some(version) => format!("{} version {version}", source.source),
        None => format!("{}, no version", source.source),
    }
}

fn changed(entry: &HistoryEntry) -> String {
    match (entry.changed.is_empty(), entry.more) {
        (true, _) => "the history begins".to_owned(),
        (false, 0) => entry.changed.join(", "),
        (false, more) => format!("{} and {more} more", entry.changed.join(", ")),
    }
}

fn document(told: &DeliveryHistory<'_>) -> Value {
    let versions = told.versions.iter().map(|(name, known)| {
        let known = known.as_ref().ok().map(|known| {
            let one = |one: &KnownVersion| {
                json!({"version": one.number, "made": one.made, "state": one.state.word()})
            };
            known.iter().map(one).collect::<Vec<_>>()
        });
        json!({"source": name, "versions": known})
    });
    json!({
        "name": told.delivery.name,
        "target": told.delivery.to.first().map(ToString::to_string),
        "held": told.journal.held,
        "entries": told.journal.entries,
        "vault": versions.collect::<Vec<_>>(),
    })
}
