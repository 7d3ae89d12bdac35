//! Reactions that are owed, on disk: written before the change, struck out after the reaction, so that no restart loses one.
//!
//! A file per delivery beside its first file target, or in the folder that `sidecar.state` names. It holds names and places
//! in the configuration, nothing else, and is there only while something is owed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::artifact::Access;
use crate::config::{Config, Delivery, Reaction, Target};
use crate::disk::{Folder, SinkError};
use crate::lock::locked;
use crate::material::SecretBytes;
use crate::plan::Owed;

/// What is owed, by delivery.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<String, Page>>);

#[derive(Debug, Default)]
struct Page {
    /// Nothing where nothing can be remembered.
    file: Option<PathBuf>,
    /// The delivery's reactions, in its order.
    reactions: Vec<Reaction>,
    owed: BTreeSet<Line>,
}

/// One reaction as it is written: its place and its kind, which must still agree when it is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Line {
    place: usize,
    kind: String,
}

#[derive(Serialize, Deserialize)]
struct Written {
    delivery: String,
    owed: BTreeSet<Line>,
}

impl Ledger {
    /// Takes a configuration, and gives what an earlier process still owed.
    pub fn take(&self, config: &Config) -> Vec<Owed> {
        let mut pages = self.pages();
        let mut before = std::mem::take(&mut *pages);
        let mut found = Vec::new();
        for delivery in config
            .deliveries
            .iter()
            .filter(|delivery| !delivery.on_change.is_empty())
        {
            let file = place(delivery, config.sidecar.state.as_deref());
            let known = before.remove(&delivery.name);
            if file.is_none() && known.is_none() {
                warn_of_a_loss(&delivery.name);
            }
            let owed = match known {
                Some(page) => page.owed,
                None => file
                    .as_deref()
                    .map(|file| read(file, &delivery.name))
                    .unwrap_or_default(),
            };
            let still = |line: &Line| {
                let reaction = delivery.on_change.get(line.place)?;
                (reaction.word() == line.kind).then(|| Owed {
                    delivery: delivery.name.clone(),
                    reaction: reaction.clone(),
                    targets: delivery.to.iter().map(Target::to_string).collect(),
                    keys: Vec::new(),
                    versions: Vec::new(),
                })
            };
            found.extend(owed.iter().filter_map(still));
            pages.insert(
                delivery.name.clone(),
                Page {
                    file,
                    reactions: delivery.on_change.clone(),
                    owed: owed
                        .into_iter()
                        .filter(|line| still(line).is_some())
                        .collect(),
                },
            );
        }
        found
    }

    /// Says of each delivery whose reactions no restart remembers that it is so.
    pub fn warn(config: &Config) {
        let state = config.sidecar.state.as_deref();
        let reacts = |delivery: &&Delivery| !delivery.on_change.is_empty();
        for delivery in config.deliveries.iter().filter(reacts) {
            if place(delivery, state).is_none() {
                warn_of_a_loss(&delivery.name);
            }
        }
    }

    /// These are owed from now on.
    pub fn note(&self, owed: &[Owed]) {
        let mut pages = self.pages();
        let mut touched = BTreeSet::new();
        for one in owed {
            if let Some(page) = pages.get_mut(&one.delivery) {
                page.owed.extend(line(page, &one.reaction));
                touched.insert(&one.delivery);
            }
        }
        for name in touched {
            if let Some(page) = pages.get(name) {
                page.write(name);
            }
        }
    }

    /// This is owed no more.
    pub fn strike(&self, deliveries: &BTreeSet<String>, reaction: &Reaction) {
        let mut pages = self.pages();
        for name in deliveries {
            if let Some(page) = pages.get_mut(name)
                && let Some(line) = line(page, reaction)
                && page.owed.remove(&line)
            {
                page.write(name);
            }
        }
    }

    fn pages(&self) -> MutexGuard<'_, BTreeMap<String, Page>> {
        locked(&self.0)
    }
}

fn line(page: &Page, reaction: &Reaction) -> Option<Line> {
    let place = page.reactions.iter().position(|known| known == reaction)?;
    Some(Line {
        place,
        kind: reaction.word().to_owned(),
    })
}

impl Page {
    /// A reaction that cannot be remembered is done all the same, if we live.
    fn write(&self, delivery: &str) {
        let Some(file) = &self.file else { return };
        if let Err(error) = self.store(file, delivery) {
            tracing::warn!(
                delivery,
                "owed reactions are not remembered over a restart: {error}"
            );
        }
    }

    fn store(&self, file: &Path, delivery: &str) -> Result<(), SinkError> {
        let (Some(parent), Some(name)) = (
            file.parent(),
            file.file_name().and_then(|name| name.to_str()),
        ) else {
            return Ok(());
        };
        let Some(folder) = Folder::find(parent, None, &access())? else {
            return Ok(());
        };
        if self.owed.is_empty() {
            return folder.remove(name);
        }
        let written = Written {
            delivery: delivery.to_owned(),
            owed: self.owed.clone(),
        };
        let text = serde_json::to_string(&written).unwrap_or_default();
        folder.replace(name, &SecretBytes::from(text), &access())
    }
}

/// Ours alone.
fn access() -> Access {
    Access {
        mode: 0o600,
        ..Access::PRIVATE
    }
}

fn warn_of_a_loss(delivery: &str) {
    tracing::warn!(
        delivery,
        hint = "name a folder that outlives a restart with `sidecar.state`",
        "a restart between a change and its reactions loses these: no file target is there to note them beside"
    );
}

fn place(delivery: &Delivery, state: Option<&Path>) -> Option<PathBuf> {
    let folder = state.or_else(|| {
        delivery.to.iter().find_map(|target| match target {
            Target::File(file) => file.path.parent(),
            Target::Files(files) => Some(files.dir.as_path()),
            Target::Secret(_) => None,
        })
    })?;
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = delivery.name.chars().map(plain).take(100).collect();
    Some(folder.join(format!(".keyferry.owed.{name}")))
}

fn read(file: &Path, delivery: &str) -> BTreeSet<Line> {
    let Ok(text) = fs::read_to_string(file) else {
        return BTreeSet::new();
    };
    match serde_json::from_str::<Written>(&text) {
        Ok(written) if written.delivery == delivery => written.owed,
        Ok(_) | Err(_) => {
            tracing::warn!(file = %file.display(), "a note of owed reactions cannot be read and is passed over");
            BTreeSet::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::of_text;

    fn config(folder: &Path, reactions: &str) -> Config {
        let folder = folder.display();
        let text = format!(
            "deliveries: [{{name: a/b, fields: {{x: y}}, to: [{{file: {{path: {folder}/a.env}}}}], onChange: [{reactions}]}}]"
        );
        of_text(&text)
    }

    fn owed(config: &Config, place: usize) -> Owed {
        let delivery = &config.deliveries[0];
        Owed {
            delivery: delivery.name.clone(),
            reaction: delivery.on_change[place].clone(),
            targets: Vec::new(),
            keys: Vec::new(),
            versions: Vec::new(),
        }
    }

    #[test]
    fn what_is_owed_outlives_the_process_and_is_struck_out_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let both = "{run: {command: ['true']}}, {signal: {process: app}}";
        let config = config(folder.path(), both);
        let count = || fs::read_dir(folder.path()).expect("it is there").count();

        let first = Ledger::default();
        assert_eq!(first.take(&config), []);
        first.note(&[owed(&config, 0), owed(&config, 1)]);
        assert_eq!(count(), 1);
        drop(first);

        let second = Ledger::default();
        let found = second.take(&config);
        let words: Vec<&str> = found.iter().map(|owed| owed.reaction.word()).collect();
        assert_eq!(words, ["run", "signal"]);
        let names = BTreeSet::from(["a/b".to_owned()]);
        second.strike(&names, &found[0].reaction);
        assert_eq!(second.take(&config).len(), 1, "a reload keeps what is owed");
        second.strike(&names, &found[1].reaction);
        assert_eq!(count(), 0, "nothing owed, no file");
        assert_eq!(Ledger::default().take(&config), []);
    }

    #[test]
    fn a_reaction_that_is_not_configured_any_more_is_not_owed() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = config(folder.path(), "{run: {command: ['true']}}");
        let ledger = Ledger::default();
        ledger.take(&before);
        ledger.note(&[owed(&before, 0)]);
        let after = config(folder.path(), "{signal: {process: app}}");
        assert_eq!(Ledger::default().take(&after), []);
    }
}
