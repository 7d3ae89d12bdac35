//! Finds missing rights without using them: the API server answers a review of each verb, and Vault
//! tells the capabilities of our token at each path.

use std::time::Duration;

use futures_util::future::join_all;

use super::grants::cluster;
use super::grants::rights::Asked;
use super::grants::transit::{OfFiles, of_files};
use super::grants::{self, Mode, vault};
use crate::base::failure::Failure;
use crate::config::Config;
use crate::pass::world::World;
use crate::vault::rights::{Capability, Need, versioned};

/// How long the question after a refusal may take.
const AFTER_REFUSAL: Duration = Duration::from_secs(5);

/// A right that we need and do not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingRight {
    /// `kubernetes`, or the name of a Vault server.
    pub at: String,
    /// The verb or capability.
    pub verb: String,
    /// The object or path.
    pub on: String,
    /// What does not work without it, if everything else still works.
    pub lost: Option<String>,
}

impl std::fmt::Display for MissingRight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} {}", self.at, self.verb, self.on)
    }
}

/// The answers: which rights are missing.
#[derive(Debug, Default)]
pub struct AccessReport {
    /// How many rights were asked for.
    pub asked: usize,
    /// Rights that we do not have.
    pub missing: Vec<MissingRight>,
    /// Failures of servers that could not be asked.
    pub failures: Vec<Failure>,
}

impl AccessReport {
    /// The missing rights without which something fails.
    pub fn necessary(&self) -> impl Iterator<Item = &MissingRight> {
        self.missing.iter().filter(|one| one.lost.is_none())
    }
}

/// Asks for each right that a configuration needs in this mode.
pub async fn ask(config: &Config, world: &World, mode: Mode) -> AccessReport {
    let mut access = AccessReport::default();
    // A file that cannot be read fails by itself.
    let files = of_files(config).await;
    for server in config.vaults.keys() {
        let asked = of_vault(config, &files, world, server, mode).await;
        access.add(asked);
    }
    let asked = of_cluster(config, world, mode).await;
    access.add(asked);
    access.missing.sort();
    access.missing.dedup();
    access
}

/// After a refusal, logs all missing rights at once. A pass without a refusal asks nothing.
pub async fn log_missing_rights(config: &Config, world: &World, mode: Mode) {
    let asked = tokio::time::timeout(AFTER_REFUSAL, ask(config, world, mode)).await;
    for missing in asked.iter().flat_map(AccessReport::necessary) {
        tracing::error!(
            at = missing.at,
            verb = missing.verb,
            on = missing.on,
            "a right is missing"
        );
    }
}

impl AccessReport {
    fn add(&mut self, asked: Result<(usize, Vec<MissingRight>), Failure>) {
        match asked {
            Ok((asked, missing)) => {
                self.asked += asked;
                self.missing.extend(missing);
            }
            Err(failure) => self.failures.push(failure),
        }
    }
}

async fn of_cluster(
    config: &Config,
    world: &World,
    mode: Mode,
) -> Result<(usize, Vec<MissingRight>), Failure> {
    let described = grants::described(config).await?;
    let asked = |own: &str| cluster::rights(config, &described, own, mode).asked();
    // A configuration that needs no rights there needs no cluster. The list of rights depends on no
    // name, so any namespace will do here.
    let any = asked("default");
    if any.is_empty() {
        return Ok((0, Vec::new()));
    }
    let cluster = match world.kubernetes().await {
        Ok(cluster) => cluster,
        // A missing right to write Events is no failure.
        Err(_) if any.iter().all(|one| one.lost.is_some()) => return Ok((0, Vec::new())),
        Err(failure) => return Err(failure),
    };
    let asked = asked(&cluster.namespace);
    let answers = asked.iter().map(
        |Asked {
             verb,
             subject,
             lost,
         }| async move {
            let may = cluster.may(verb, subject).await?;
            Ok::<_, Failure>((!may).then(|| MissingRight {
                at: "kubernetes".to_owned(),
                verb: (*verb).to_owned(),
                on: subject.to_string(),
                lost: lost.map(str::to_owned),
            }))
        },
    );
    let answers: Result<Vec<_>, Failure> = join_all(answers).await.into_iter().collect();
    Ok((asked.len(), answers?.into_iter().flatten().collect()))
}

async fn of_vault(
    config: &Config,
    files: &OfFiles,
    world: &World,
    server: &str,
    mode: Mode,
) -> Result<(usize, Vec<MissingRight>), Failure> {
    let mut rights = vault::rights(config, files, server, mode)?;
    if rights.is_empty() {
        return Ok((0, Vec::new()));
    }
    let session = world.vault(server)?;
    // Vault does not tell what is mounted to a token without rights beneath the mount: then either
    // path will do.
    let _ = vault::choose_engines(&mut rights, session).await;
    let paths: Vec<&str> = rights.keys().map(|(path, _)| path.as_str()).collect();
    let held = session.capabilities(&paths).await?;
    let may = |path: &str, capability: Capability| {
        let held = held.get(path).map(Vec::as_slice).unwrap_or_default();
        held.iter()
            .any(|word| word == capability.word() || word == "root")
    };
    let mut missing = Vec::new();
    for ((path, capability), need) in &rights {
        let lost = match need {
            _ if may(path, *capability) => continue,
            Need::Necessary => None,
            Need::BesideAge => Some("SOPS files that no age key opens stay closed".to_owned()),
            Need::Helpful => Some("a sidecar reads the whole secret at each refresh".to_owned()),
            Need::EitherOf => match versioned(path) {
                Some((data, _)) if rights.contains_key(&(data.clone(), *capability)) => {
                    if may(&data, *capability) {
                        continue;
                    }
                    None
                }
                // The other of the two paths is asked for.
                Some(_) | None => continue,
            },
        };
        missing.push(MissingRight {
            at: format!("vault {server}"),
            verb: capability.word().to_owned(),
            on: path.clone(),
            lost,
        });
    }
    Ok((rights.len(), missing))
}
