//! The history of a delivery: what it carried and when, and the state that it is held at. The
//! journal is beside the first target: a file in the same folder, or an annotation of the Secret.
//!
//! A hold is read before the sources, and again before anything is written: a hold that somebody
//! sets in between is obeyed by the next pass.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::base::artifact::{FileAccess, ObjectName};
use crate::base::coding::percent;
use crate::base::failure::{Class, Failure};
use crate::base::history::{HistoryEntry, Hold, Journal};
use crate::base::material::SecretBytes;
use crate::config::{Delivery, Target, resolve};
use crate::disk::{Folder, SinkError, WaitingCaller, call_at, place};
use crate::kubernetes::{Error, pod};
use crate::pass::world::World;
use crate::plan::{Action, DeliveryPlan};
use crate::render::fetched::Fetched;
use crate::render::provenance;

/// How often a journal is read and written again while others write the Secret.
const ROUNDS: usize = 8;

/// Only the owner needs the journal; its folder exists because the target is there.
const ACCESS: FileAccess = FileAccess {
    mode: 0o600,
    create_dirs: true,
    ..FileAccess::PRIVATE
};

/// Where the journal of a delivery lies.
enum Place {
    File { folder: PathBuf, name: String },
    Secret(ObjectName),
}

/// A change to a journal.
#[derive(Clone)]
enum Edit {
    /// Something was delivered. `known` counts if the journal was deleted together with its Secret.
    Add {
        entry: HistoryEntry,
        keep: usize,
        known: Journal,
    },
    /// The delivery is held, or released.
    Hold(Option<Hold>),
}

impl Edit {
    fn apply(self, journal: &mut Journal) {
        match self {
            Self::Add { entry, keep, known } => {
                if *journal == Journal::default() {
                    *journal = known;
                }
                journal.add(entry, keep);
            }
            Self::Hold(hold) => journal.held = hold,
        }
    }
}

/// The journal of a delivery, with the hold that this run asks for; nothing if the delivery keeps
/// no history.
pub async fn read(delivery: &Delivery, world: &World) -> Result<Option<Journal>, Failure> {
    let Some(place) = lies(delivery, world).await? else {
        return Ok(None);
    };
    let mut journal = match &place {
        Place::File { folder, name } => {
            let (at, name) = (folder.clone(), name.clone());
            let root = world.root.clone();
            let read = move |_: &WaitingCaller| read_now(&at, &name, root.as_deref());
            let read = call_at(folder, world.time_limit.of_disk(), read).await;
            read.map_err(SinkError::from)??
        }
        Place::Secret(at) => {
            let found = world.kubernetes().await?.journal(at).await?;
            let text = found.and_then(|(_, text)| text);
            text.map(|text| parsed(&text, &format!("secret {at}")))
                .transpose()?
                .unwrap_or_default()
        }
    };
    if let Some(hold) = world.holds.get(&delivery.name) {
        journal.held.clone_from(hold);
    }
    Ok(Some(journal))
}

/// Checks that the hold is still the one that this pass read.
pub async fn check(delivery: &Delivery, journal: &Journal, world: &World) -> Result<(), Failure> {
    let now = read(delivery, world).await?;
    if now.is_none_or(|now| now.held == journal.held) {
        return Ok(());
    }
    let what = "somebody held or released it during this pass";
    Err(Failure::new(Class::Unavailable, what).hint("run it again"))
}

/// Notes what was delivered now, if anything was.
pub async fn record(
    delivery: &Delivery,
    (plan, results): (&DeliveryPlan, &[Result<(), Failure>]),
    fetched: &Fetched,
    journal: Journal,
    world: &World,
) -> Result<(), Failure> {
    let steps = || plan.steps.iter().flatten().zip(results);
    let written = steps().filter(|(step, result)| step.action.is_change() && result.is_ok());
    let mut changed: Vec<String> = written.flat_map(|(step, _)| step.changed_keys()).collect();
    changed.sort();
    changed.dedup();
    let in_place = |action: &Action| action.is_change() || *action == Action::Keep;
    let all_in_place = steps().all(|(step, result)| in_place(&step.action) && result.is_ok());
    let begins = journal.entries.is_empty() && all_in_place;
    let Some(keep) = delivery.history.filter(|_| begins || !changed.is_empty()) else {
        return Ok(());
    };
    let sources = provenance::sources(delivery, fetched);
    let entry = HistoryEntry::new(now(), by(), sources, changed);
    let known = journal;
    edit(delivery, Edit::Add { entry, keep, known }, world).await
}

/// Holds a delivery, or releases it.
pub async fn hold(delivery: &Delivery, hold: Option<Hold>, world: &World) -> Result<(), Failure> {
    edit(delivery, Edit::Hold(hold), world).await
}

/// A hold that begins now.
pub fn begun(sources: impl IntoIterator<Item = (String, String)>) -> Hold {
    Hold {
        since: now(),
        by: by(),
        sources: sources.into_iter().collect(),
    }
}

/// The time in whole seconds, which is exact enough for people.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn by() -> String {
    pod::host_name().unwrap_or_else(|| "unknown".to_owned())
}

async fn lies(delivery: &Delivery, world: &World) -> Result<Option<Place>, Failure> {
    let (Some(_), Some(first)) = (delivery.history, delivery.to.first()) else {
        return Ok(None);
    };
    let own = format!(".keyferry-history.{}", percent::encode(&delivery.name));
    Ok(Some(match first {
        Target::File(file) => {
            let (folder, name) = place(&file.path)?;
            Place::File {
                folder: folder.to_owned(),
                name: format!("{own}.{name}"),
            }
        }
        Target::Files(set) => Place::File {
            folder: set.dir.clone(),
            name: own,
        },
        Target::Secret(secret) => {
            let own = &world.kubernetes().await?.namespace;
            Place::Secret(resolve(&secret.at, own))
        }
    }))
}

async fn edit(delivery: &Delivery, edit: Edit, world: &World) -> Result<(), Failure> {
    match lies(delivery, world).await? {
        None => Ok(()),
        Some(Place::File { folder, name }) => {
            let (at, root) = (folder.clone(), world.root.clone());
            let write = move |_: &WaitingCaller| edit_now(&at, &name, root.as_deref(), edit);
            let written = call_at(&folder, world.time_limit.of_disk(), write).await;
            written.map_err(SinkError::from)?
        }
        Some(Place::Secret(at)) => edit_secret(&at, edit, world).await,
    }
}

async fn edit_secret(at: &ObjectName, edit: Edit, world: &World) -> Result<(), Failure> {
    let cluster = world.kubernetes().await?;
    let mut round = 1;
    loop {
        let Some((basis, text)) = cluster.journal(at).await? else {
            let what = format!("secret {at} does not exist, so its delivery cannot be held");
            return Err(Failure::new(Class::Missing, what).hint("deliver it first"));
        };
        let text = text.map(|text| parsed(&text, &format!("secret {at}")));
        let mut journal = text.transpose()?.unwrap_or_default();
        edit.clone().apply(&mut journal);
        match cluster.keep_journal(at, &basis, &journal.text()).await {
            Err(Error::Raced(_)) if round < ROUNDS => round += 1,
            done => return Ok(done?),
        }
    }
}

fn read_now(folder: &Path, name: &str, root: Option<&Path>) -> Result<Journal, Failure> {
    match Folder::find(folder, root, &ACCESS)? {
        Some(folder) => read_journal(&folder, name),
        None => Ok(Journal::default()),
    }
}

fn read_journal(folder: &Folder, name: &str) -> Result<Journal, Failure> {
    let Some(standing) = folder.file(name, &ACCESS)? else {
        return Ok(Journal::default());
    };
    let text = standing.text(folder, name)?;
    let path = folder.path_of(name).display().to_string();
    parsed(text.expose_str().unwrap_or_default(), &path)
}

fn edit_now(folder: &Path, name: &str, root: Option<&Path>, edit: Edit) -> Result<(), Failure> {
    let folder = Folder::find_or_make(folder, root, &ACCESS)?;
    if matches!(edit, Edit::Hold(Some(_))) && folder.in_memory()? {
        let path = folder.path_of("").display().to_string();
        let what = format!("{path} lies in memory, where a hold would not last");
        let hint = "write the version into the configuration: `version: 3` beside `vault:`";
        return Err(Failure::new(Class::Refused, what).hint(hint));
    }
    let _lock = folder.lock()?;
    let mut journal = read_journal(&folder, name)?;
    edit.apply(&mut journal);
    let text = SecretBytes::from(journal.text() + "\n");
    Ok(folder.replace(name, &text, &ACCESS)?)
}

fn parsed(text: &str, place: &str) -> Result<Journal, Failure> {
    Journal::read(text).ok_or_else(|| {
        let what = format!("the history at {place} cannot be read");
        Failure::new(Class::Refused, what)
            .hint("move it away: the history begins again then, and no hold is kept")
    })
}
