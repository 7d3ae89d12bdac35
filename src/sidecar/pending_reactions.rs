//! Reactions that are owed, on disk: they are written before the change and removed after the
//! reaction, so a restart loses none.
//!
//! There is one file per delivery, beside its first file target or in the folder that
//! `sidecar.state` names. It contains only names and places in the configuration, and exists only
//! while a reaction is owed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::base::artifact::FileAccess;
use crate::base::lock::locked;
use crate::base::material::SecretBytes;
use crate::config::{Config, Delivery, Reaction, Target};
use crate::disk::{Folder, SinkError, call_at, read_text};
use crate::plan::OwedReaction;

/// The reactions that are owed, by delivery.
#[derive(Debug, Default)]
pub struct PendingReactions(Mutex<BTreeMap<String, Page>>);

#[derive(Debug, Default)]
struct Page {
    /// The file; nothing if reactions cannot be stored.
    place: Option<Spot>,
    /// The delivery's reactions, in its order.
    reactions: Vec<Reaction>,
    owed: BTreeSet<Line>,
}

/// The place of the file.
#[derive(Debug, Clone)]
struct Spot {
    file: PathBuf,
    root: Option<PathBuf>,
}

/// One reaction as it is written: its position and its kind, which must still match when it is
/// read.
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

impl PendingReactions {
    /// Takes a configuration, and gives the reactions that an earlier process still owed. With
    /// `root`, every file must be beneath it.
    pub async fn load(&self, config: &Config, root: Option<&Path>) -> Vec<OwedReaction> {
        let reacts = |delivery: &&Delivery| !delivery.on_change.is_empty();
        let deliveries = config.deliveries.iter().filter(reacts);
        let read = deliveries.map(async |delivery| {
            let place = spot(delivery, config.sidecar.state.as_deref(), root);
            let known = self
                .pages()
                .get(&delivery.name)
                .map(|page| page.owed.clone());
            let owed = match (known, &place) {
                (Some(owed), _) => owed,
                (None, Some(place)) => read(place, &delivery.name).await,
                (None, None) => {
                    warn_of_a_loss(&delivery.name);
                    BTreeSet::new()
                }
            };
            (delivery, place, owed)
        });
        let read = join_all(read).await;
        let mut pages = self.pages();
        pages.clear();
        let mut found = Vec::new();
        for (delivery, place, mut owed) in read {
            owed.retain(|line| still(delivery, line).is_some());
            found.extend(owed.iter().filter_map(|line| still(delivery, line)));
            let reactions = delivery.on_change.clone();
            let page = Page {
                place,
                reactions,
                owed,
            };
            pages.insert(delivery.name.clone(), page);
        }
        found
    }

    /// Warns of each delivery whose reactions a restart would lose.
    pub fn warn(config: &Config) {
        let state = config.sidecar.state.as_deref();
        let reacts = |delivery: &&Delivery| !delivery.on_change.is_empty();
        for delivery in config.deliveries.iter().filter(reacts) {
            if spot(delivery, state, None).is_none() {
                warn_of_a_loss(&delivery.name);
            }
        }
    }

    /// Stores these reactions as owed.
    pub async fn store(&self, owed: &[OwedReaction]) {
        let mut touched = BTreeSet::new();
        for one in owed {
            if let Some(page) = self.pages().get_mut(&one.delivery) {
                page.owed.extend(line(page, &one.reaction));
                touched.insert(one.delivery.clone());
            }
        }
        self.write(touched).await;
    }

    /// Removes a reaction that is not owed any more.
    pub async fn remove(&self, deliveries: &BTreeSet<String>, reaction: &Reaction) {
        let struck = |name: &&String| {
            let mut pages = self.pages();
            let page = pages.get_mut(*name);
            page.is_some_and(|page| {
                line(page, reaction).is_some_and(|line| page.owed.remove(&line))
            })
        };
        let touched = deliveries.iter().filter(struck).cloned().collect();
        self.write(touched).await;
    }

    /// If the write fails, the reaction is still done unless the process ends first.
    async fn write(&self, deliveries: BTreeSet<String>) {
        for delivery in deliveries {
            let page = self
                .pages()
                .get(&delivery)
                .map(|page| (page.place.clone(), page.owed.clone()));
            let Some((Some(place), owed)) = page else {
                continue;
            };
            let folder = place.file.parent().unwrap_or(&place.file).to_owned();
            let written = Written { delivery, owed };
            let name = written.delivery.clone();
            let stored = call_at(&folder, time_limit(), move |_| store(&place, &written)).await;
            if let Err(error) = stored.map_err(SinkError::from).flatten() {
                let delivery = name;
                tracing::warn!(
                    delivery,
                    "owed reactions are not remembered over a restart: {error}"
                );
            }
        }
    }

    fn pages(&self) -> MutexGuard<'_, BTreeMap<String, Page>> {
        locked(&self.0)
    }
}

/// How long a folder may take to write or read a file.
fn time_limit() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn line(page: &Page, reaction: &Reaction) -> Option<Line> {
    let place = page.reactions.iter().position(|known| known == reaction)?;
    Some(Line {
        place,
        kind: reaction.word().to_owned(),
    })
}

/// The reaction that a line names, if the delivery still has it.
fn still(delivery: &Delivery, line: &Line) -> Option<OwedReaction> {
    let reaction = delivery.on_change.get(line.place)?;
    let is_same = reaction.word() == line.kind;
    is_same.then(|| OwedReaction::to_all_targets(delivery, reaction))
}

fn store(place: &Spot, written: &Written) -> Result<(), SinkError> {
    let Spot { file, root } = place;
    let name = file.file_name().and_then(|name| name.to_str());
    let (Some(parent), Some(name)) = (file.parent(), name) else {
        return Ok(());
    };
    let Some(folder) = Folder::find(parent, root.as_deref(), &access())? else {
        return Ok(());
    };
    if written.owed.is_empty() {
        return folder.remove(name);
    }
    let text = serde_json::to_string(written).unwrap_or_default();
    folder.replace(name, &SecretBytes::from(text), &access())
}

/// Only we may read the file.
fn access() -> FileAccess {
    FileAccess {
        mode: 0o600,
        ..FileAccess::PRIVATE
    }
}

fn warn_of_a_loss(delivery: &str) {
    tracing::warn!(
        delivery,
        hint = "name a folder that outlives a restart with `sidecar.state`",
        "a restart between a change and its reactions loses these: no file target is there to \
         note them beside"
    );
}

fn spot(delivery: &Delivery, state: Option<&Path>, root: Option<&Path>) -> Option<Spot> {
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
    Some(Spot {
        file: folder.join(format!(".keyferry.owed.{name}")),
        root: root.map(Path::to_owned),
    })
}

async fn read(place: &Spot, delivery: &str) -> BTreeSet<Line> {
    let file = place.file.clone();
    let folder = file.parent().unwrap_or(&file).to_owned();
    let text = call_at(&folder, time_limit(), move |_| read_text(&file)).await;
    let Ok(Ok(text)) = text else {
        return BTreeSet::new();
    };
    match serde_json::from_str::<Written>(&text) {
        Ok(written) if written.delivery == delivery => written.owed,
        Ok(_) | Err(_) => {
            tracing::warn!(
                file = %place.file.display(),
                "a note of owed reactions cannot be read and is passed over",
            );
            BTreeSet::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::load::of_text;

    fn config(folder: &Path, reactions: &str) -> Config {
        let folder = folder.display();
        let text = format!(
            "deliveries: [{{name: a/b, fields: {{x: y}}, to: [{{file: {{path: \
             {folder}/a.env}}}}], onChange: [{reactions}]}}]"
        );
        of_text(&text)
    }

    fn owed(config: &Config, place: usize) -> OwedReaction {
        let delivery = &config.deliveries[0];
        OwedReaction {
            delivery: delivery.name.clone(),
            reaction: delivery.on_change[place].clone(),
            targets: Vec::new(),
            secrets: Vec::new(),
            keys: Vec::new(),
            versions: Vec::new(),
        }
    }

    #[tokio::test]
    async fn what_is_owed_outlives_the_process_and_is_struck_out_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let both = "{run: {command: ['true']}}, {signal: {process: app}}";
        let config = config(folder.path(), both);
        let count = || fs::read_dir(folder.path()).expect("it is there").count();

        let first = PendingReactions::default();
        assert_eq!(first.load(&config, None).await, []);
        first.store(&[owed(&config, 0), owed(&config, 1)]).await;
        assert_eq!(count(), 1);
        drop(first);

        let second = PendingReactions::default();
        let found = second.load(&config, None).await;
        let words: Vec<&str> = found.iter().map(|owed| owed.reaction.word()).collect();
        assert_eq!(words, ["run", "signal"]);
        let names = BTreeSet::from(["a/b".to_owned()]);
        second.remove(&names, &found[0].reaction).await;
        assert_eq!(
            second.load(&config, None).await.len(),
            1,
            "a reload keeps what is owed"
        );
        second.remove(&names, &found[1].reaction).await;
        assert_eq!(count(), 0, "nothing owed, no file");
        assert_eq!(PendingReactions::default().load(&config, None).await, []);
    }

    #[tokio::test]
    async fn a_reaction_that_is_not_configured_any_more_is_not_owed() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = config(folder.path(), "{run: {command: ['true']}}");
        let pending = PendingReactions::default();
        pending.load(&before, None).await;
        pending.store(&[owed(&before, 0)]).await;
        let after = config(folder.path(), "{signal: {process: app}}");
        assert_eq!(PendingReactions::default().load(&after, None).await, []);
    }
}
