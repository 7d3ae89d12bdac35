//! `job --to`, `job --rev` and `job --release`: a delivery goes back to an earlier state and stays
//! there until somebody releases it.
//!
//! A delivery is held only after a plan has shown that the earlier state can be read and delivered.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::{Ended, until_stopped};
use crate::base::failure::{Class, Failure};
use crate::base::history::{HistoryEntry, Hold, Journal};
use crate::config::{Config, Delivery, EarlierVersions, From, NO_VERSION_0};
use crate::disk::git::{self, COMMITS};
use crate::envelope::sops::Locked;
use crate::pass::history;
use crate::pass::outcome::{Failed, foreseen};
use crate::pass::pipeline;
use crate::pass::world::World;

/// The state that the user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// The state before the last change.
    Previous,
    /// A version of the one secret in Vault.
    Version(u64),
    /// The state that was delivered at this time.
    Time(Timestamp),
    /// A commit of the SOPS files.
    Commit(String),
    /// The newest state, and no hold any more.
    Newest,
}

impl To {
    /// Parses `previous`, a version, or a time; a time without a zone is UTC.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "previous" {
            return Ok(Self::Previous);
        }
        match text.parse() {
            Ok(0) => return Err(NO_VERSION_0.to_owned()),
            Ok(version) => return Ok(Self::Version(version)),
            Err(_) => {}
        }
        let utc = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok();
        let time = text.parse::<Timestamp>().ok();
        let time = time.or_else(|| text.parse::<DateTime>().ok().and_then(utc));
        let time = time.or_else(|| text.parse::<Date>().ok().and_then(|day| utc(day.into())));
        time.map(Self::Time).ok_or_else(|| {
            "write `previous`, a version such as 3, or a time such as 2026-11-28T14:00:00Z"
                .to_owned()
        })
    }
}

/// The state that the user asks for, and the deliveries; without names, all that keep a history.
#[derive(Debug, Clone)]
pub struct RollbackRequest {
    /// The state.
    pub to: To,
    /// Names of the deliveries.
    pub deliveries: Vec<String>,
}

/// By the name of the delivery.
pub type Holds = BTreeMap<String, Option<Hold>>;

/// Finds the versions for the request. Nothing is written.
pub async fn find(
    config: &Config,
    world: World,
    request: &RollbackRequest,
) -> Result<Holds, Ended> {
    let found = async |world: &World| found(config, world, request).await;
    let done = until_stopped(world.looking(), found).await;
    done.map_err(Ended::Signal)?
}

/// Holds or releases the deliveries, for the pass that follows and all later ones.
pub async fn prepare(
    config: &Config,
    world: World,
    request: &RollbackRequest,
) -> Result<(), Ended> {
    let done = until_stopped(world.looking(), async |world| {
        let holds = found(config, world, request).await?;
        if request.to != To::Newest {
            let tried = world.for_a_pass().with_holds(holds.clone());
            let plan = pipeline::plan(config, &tried, Timestamp::now()).await;
            let mut failures = foreseen(&plan);
            failures.retain(|failed| {
                let name = failed.delivery.as_ref();
                name.is_some_and(|name| holds.contains_key(name))
            });
            if let Some(worst) = Failed::worst_placed(&failures, config) {
                return Err(Ended::Failed(worst));
            }
        }
        let mut failures = Vec::new();
        for delivery in &config.deliveries {
            if let Some(hold) = holds.get(&delivery.name)
                && let Err(failure) = history::hold(delivery, hold.clone(), world).await
            {
                failures.push(Failed::in_delivery(&delivery.name, failure));
            }
        }
        match Failed::worst_placed(&failures, config) {
            Some(worst) => Err(Ended::Failed(worst)),
            None => Ok(()),
        }
    });
    done.await.map_err(Ended::Signal)?
}

async fn found(config: &Config, world: &World, request: &RollbackRequest) -> Result<Holds, Ended> {
    let whole = |failure| Ended::Failed(Failed::of_the_run(failure));
    let chosen = chosen(config, &request.deliveries).map_err(whole)?;
    let (mut holds, mut failures) = (Holds::new(), Vec::new());
    for delivery in chosen {
        match roll_back(delivery, &request.to, world).await {
            Ok(hold) => drop(holds.insert(delivery.name.clone(), hold)),
            Err(failure) => failures.push(Failed::in_delivery(&delivery.name, failure)),
        }
    }
    match Failed::worst_placed(&failures, config) {
        Some(worst) => Err(Ended::Failed(worst)),
        None => Ok(holds),
    }
}

/// The deliveries of these names, or all with a history.
pub(super) fn chosen<'c>(
    config: &'c Config,
    names: &[String],
) -> Result<Vec<&'c Delivery>, Failure> {
    let kept = |delivery: &&Delivery| delivery.history.is_some();
    let hint = "add `history: 20` to the delivery; it remembers what is delivered from then on";
    if names.is_empty() {
        let all: Vec<_> = config.deliveries.iter().filter(kept).collect();
        return match all.is_empty() {
            true => {
                let what = "no delivery keeps a history";
                Err(Failure::new(Class::Configuration, what).hint(hint))
            }
            false => Ok(all),
        };
    }
    let named = names.iter().map(|name| {
        let found = config.deliveries.iter().find(|one| one.name == *name);
        let Some(delivery) = found else {
            let all = config.deliveries.iter().map(|one| one.name.as_str());
            let all: Vec<&str> = all.collect();
            let what = format!("there is no delivery `{name}`");
            let hint = format!("the deliveries are: {}", all.join(", "));
            return Err(Failure::new(Class::Usage, what).hint(hint));
        };
        match kept(&delivery) {
            true => Ok(delivery),
            false => {
                let what = format!("{}: delivery `{name}` keeps no history", delivery.at);
                Err(Failure::new(Class::Configuration, what).hint(hint))
            }
        }
    });
    named.collect()
}

async fn roll_back(delivery: &Delivery, to: &To, world: &World) -> Result<Option<Hold>, Failure> {
    let sources = match to {
        To::Newest => return Ok(None),
        To::Previous => {
            let journal = journal(delivery, world).await?;
            let what = "its history has no state before what is delivered now";
            let entry = journal.previous().ok_or_else(|| {
                let hint = "`keyferry history` shows what it has; `--to VERSION` needs no history";
                Failure::new(Class::Missing, what).hint(hint)
            })?;
            of_entry(delivery, entry, world).await?
        }
        To::Time(time) => {
            let journal = journal(delivery, world).await?;
            let entry = journal.at(*time).ok_or_else(|| too_early(&journal))?;
            of_entry(delivery, entry, world).await?
        }
        To::Version(version) => of_vault(delivery, *version)?,
        To::Commit(name) => of_commit(delivery, name, world).await?,
    };
    Ok(Some(history::begun(sources)))
}

async fn journal(delivery: &Delivery, world: &World) -> Result<Journal, Failure> {
    Ok(history::read(delivery, world).await?.unwrap_or_default())
}

fn too_early(journal: &Journal) -> Failure {
    let what = match journal.entries.last() {
        Some(first) => format!("its history begins at {:.0}", first.at),
        None => "its history is empty".to_owned(),
    };
    Failure::new(Class::Missing, what).hint("name a later time, or a version: `--to 3`")
}

/// A source, by its name in a journal, and its version or commit.
type Pin = (String, String);

/// The versions that a journal entry names, as far as they can still be read.
async fn of_entry(
    delivery: &Delivery,
    entry: &HistoryEntry,
    world: &World,
) -> Result<Vec<Pin>, Failure> {
    let mut pins = Vec::new();
    for from in &delivery.from {
        let name = from.name();
        let told = entry.sources.iter().find(|told| told.source == name);
        let Some(version) = told.and_then(|told| told.version.as_deref()) else {
            stays(&name);
            continue;
        };
        match pin(from, version, world).await? {
            Some(version) => pins.push((name, version)),
            None => stays(&name),
        }
    }
    match pins.is_empty() {
        false => Ok(pins),
        true => {
            let what = "none of its sources keeps earlier versions";
            let hint = "secrets of KV v2 and SOPS files in Git do";
            Err(Failure::new(Class::Configuration, what).hint(hint))
        }
    }
}

fn stays(name: &str) {
    tracing::warn!(
        source = name,
        "no earlier version of it can be read: it is read as it is now"
    );
}

async fn pin(from: &From, version: &str, world: &World) -> Result<Option<String>, Failure> {
    match from.source.versions() {
        None => Ok(None),
        Some(EarlierVersions::Numbers) => {
            Ok(version.parse::<u64>().ok().map(|number| number.to_string()))
        }
        Some(EarlierVersions::Commits(file, format)) => {
            let end = world.time_limit.of_disk();
            for commit in git::commits(file, end).await? {
                let Ok(bytes) = git::read(file, &commit, end).await else {
                    continue;
                };
                let locked = Locked::read(bytes.expose(), format);
                let modified = locked.and_then(|locked| locked.last_modified());
                if modified.is_ok_and(|modified| modified == version) {
                    return Ok(Some(commit));
                }
            }
            Err(uncommitted(file, version))
        }
    }
}

fn uncommitted(file: &Path, version: &str) -> Failure {
    let what = format!(
        "none of the last {COMMITS} commits of {} has the state of {version}",
        file.display()
    );
    Failure::new(Class::Missing, what).hint("name a commit: `--rev COMMIT`")
}

/// The only Vault secret of the delivery, at this version: each source that reads it.
fn of_vault(delivery: &Delivery, version: u64) -> Result<Vec<Pin>, Failure> {
    let free = |from: &&From| {
        let read = from.source.vault();
        read.is_some_and(|read| read.version.is_none())
    };
    let mut secrets = delivery.vault_secrets();
    for readers in &mut secrets {
        readers.retain(free);
    }
    secrets.retain(|readers| !readers.is_empty());
    match secrets.as_slice() {
        [only] => {
            let pins = only.iter().map(|from| (from.name(), version.to_string()));
            Ok(pins.collect())
        }
        [] => {
            let what = "it reads no secret in Vault whose version is free";
            let hint = "`--rev COMMIT` goes back to a commit of SOPS files";
            Err(Failure::new(Class::Usage, what).hint(hint))
        }
        several => {
            let count = several.len();
            let what = format!("it reads {count} secrets in Vault, so a number does not say which");
            let hint = "use `--to previous` or `--to TIME`";
            Err(Failure::new(Class::Usage, what).hint(hint))
        }
    }
}

async fn of_commit(delivery: &Delivery, name: &str, world: &World) -> Result<Vec<Pin>, Failure> {
    let mut pins = Vec::new();
    for from in &delivery.from {
        if let Some(EarlierVersions::Commits(file, _)) = from.source.versions() {
            let end = world.time_limit.of_disk();
            pins.push((from.name(), git::commit(file, name, end).await?));
        }
    }
    match pins.is_empty() {
        false => Ok(pins),
        true => {
            let what = "it reads no SOPS file, so a commit says nothing";
            Err(Failure::new(Class::Usage, what).hint("use `--to`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::of_text;

    fn pinned(sources: &str) -> Result<Vec<String>, String> {
        let one = "{address: 'https://a:1', auth: {token: {file: token}}}";
        let config = of_text(&format!(
            "vaults: {{default: {one}, b: {one}}}\ndeliveries: [{{name: a, from: [{sources}]}}]\n"
        ));
        let pins = of_vault(&config.deliveries[0], 3).map_err(|failure| failure.what)?;
        let pins = pins
            .into_iter()
            .map(|(name, version)| format!("{name} {version}"));
        Ok(pins.collect())
    }

    #[test]
    fn a_version_pins_each_source_of_the_one_secret() {
        for (sources, want) in [
            ("{vault: kv/app}", &["vault kv/app 3"][..]),
            (
                "{vault: kv/app, pick: [A], encoding: base64}, {vault: kv/app, pick: [B]}",
                &["vault kv/app 3", "vault kv/app 3"],
            ),
            (
                "{vault: /v1/kv/data/app, pick: [A]}, {vault: kv/app, pick: [B]}",
                &["vault kv/data/app 3", "vault kv/app 3"],
            ),
            (
                "{vault: kv/app}, {vault: kv/other, version: 7}, {vault: pki/issue/a, write: {}}",
                &["vault kv/app 3"],
            ),
        ] {
            let want = want.iter().map(|&pin| pin.to_owned()).collect();
            assert_eq!(pinned(sources), Ok(want), "{sources}");
        }
        for (sources, what) in [
            ("{vault: kv/app}, {vault: kv/other}", "it reads 2 secrets"),
            (
                "{vault: kv/app}, {vault: kv/app, server: b}",
                "it reads 2 secrets",
            ),
            ("{vault: kv/app, version: 7}", "it reads no secret in Vault"),
        ] {
            let why = pinned(sources).expect_err(sources);
            assert!(why.starts_with(what), "{sources}: {why}");
        }
    }

    #[test]
    fn a_state_is_named_in_one_of_three_ways() {
        let at = |text: &str| To::Time(text.parse().expect("a time"));
        for (text, want) in [
            ("previous", To::Previous),
            ("3", To::Version(3)),
            ("2026-11-28T14:00:00+01:00", at("2026-11-28T13:00:00Z")),
            ("2026-11-28T14:00:00", at("2026-11-28T14:00:00Z")),
            ("2026-11-28 14:00", at("2026-11-28T14:00:00Z")),
            ("2026-11-28", at("2026-11-28T00:00:00Z")),
        ] {
            assert_eq!(To::parse(text), Ok(want), "{text}");
        }
        for text in ["", "-1", "yesterday", "v3", "1.5"] {
            assert!(To::parse(text).is_err(), "{text}");
        }
        for text in ["0", "00", "+0"] {
            let why = To::parse(text).expect_err(text);
            assert!(why.contains("the first is 1"), "{text}: {why}");
        }
    }
}
