//! What encrypted sources are: who can read them, which key opens them, whether they are whole. For
//! `check --keys`.
//!
//! The same readers and the same keys as in a pass; only that a file that does not open is
//! described as far as it can be.

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::failure::Failure;
use crate::config::{Config, KeyKind, Source};
use crate::disk::{read_by, read_document};
use crate::envelope::age;
use crate::envelope::policy::RecipientPolicy;
use crate::envelope::sealed::SealedSecret;
use crate::envelope::sops;
use crate::format::document::DocumentFormat;
use crate::pass::world::World;

use super::age::within;
use super::{keys, sealed};

/// One encrypted source as it was found.
#[derive(Debug)]
pub struct Inspected {
    /// The source as the configuration names it.
    pub source: Source,
    /// The deliveries and manifests that read it.
    pub deliveries: Vec<String>,
    /// What it holds, or the scope of a SealedSecret.
    pub format: String,
    /// Everyone who can open it, as far as it tells.
    pub recipients: Vec<Recipient>,
    /// Recipients or fingerprints of the keys that opened it.
    pub opened_by: Vec<String>,
    /// Whether it is as it was written.
    pub integrity: Integrity,
    /// Clear leaves that look like secrets.
    pub clear_secrets: Vec<String>,
    /// How many leaves nothing protects.
    pub unverified: usize,
    /// What is wrong with it.
    pub failures: Vec<Failure>,
}

/// Somebody who can open a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Kind of the key.
    pub kind: String,
    /// Its public half, fingerprint or name; empty where it is anonymous.
    pub name: String,
    /// Whether a key of this kind can be used here.
    pub supported: bool,
    /// Whether `keys.recipients` has it, or is empty; unknown for the anonymous.
    pub listed: Option<bool>,
}

/// Whether a source is as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// All of it is authentic.
    Good,
    /// It was changed.
    Bad,
    /// No key opened it, so nobody can know.
    Unknown,
}

impl Integrity {
    /// For reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

/// Keys that are at hand, by their public halves.
#[derive(Debug, Default)]
pub struct AtHand {
    /// Recipients of the age identities.
    pub age: Vec<String>,
    /// Fingerprints of the sealing keys.
    pub sealing: Vec<String>,
}

/// Looks into every encrypted source of a configuration, once each.
pub async fn inspect_all(config: &Config, world: &World) -> (AtHand, Vec<Inspected>) {
    let mut readers: BTreeMap<&Source, Vec<String>> = BTreeMap::new();
    for (name, source) in config.sources() {
        if source.opened_by().is_some() {
            readers.entry(source).or_default().push(name);
        }
    }
    let mut all = Vec::new();
    for (source, mut readers) in readers {
        let mut inspected = inspect(source, config, world).await;
        let from = config.deliveries.iter().flat_map(|delivery| &delivery.from);
        let forgiving = from.filter(|from| from.optional && from.source == *source);
        let optional = forgiving.count() == readers.len();
        inspected
            .failures
            .retain(|failure| !(optional && failure.absent));
        readers.dedup();
        inspected.deliveries = readers;
        all.push(inspected);
    }
    (at_hand(config, world, &all).await, all)
}

/// Keys are loaded already where they were needed, and not asked for where they were not.
async fn at_hand(config: &Config, world: &World, all: &[Inspected]) -> AtHand {
    let mut at_hand = AtHand::default();
    let used = |kind| all.iter().any(|one| one.source.opened_by() == Some(kind));
    if used(KeyKind::Age)
        && let Ok(identities) = world.identities(keys::age(&config.keys, world)).await
    {
        let recipients = identities.iter().map(|key| key.recipient().to_owned());
        at_hand.age = recipients.collect();
    }
    if used(KeyKind::Sealed)
        && let Ok(keyring) = world.keyring(keys::sealed(&config.keys, world)).await
    {
        at_hand.sealing = keyring
            .fingerprints()
            .into_iter()
            .map(str::to_owned)
            .collect();
    }
    at_hand
}

async fn inspect(source: &Source, config: &Config, world: &World) -> Inspected {
    let mut found = Inspected {
        source: source.clone(),
        deliveries: Vec::new(),
        format: String::new(),
        recipients: Vec::new(),
        opened_by: Vec::new(),
        integrity: Integrity::Unknown,
        clear_secrets: Vec::new(),
        unverified: 0,
        failures: Vec::new(),
    };
    let done = match source {
        Source::Sops {
            file,
            format,
            allow_unauthenticated,
            commit: _,
        } => {
            let policy = sops::SopsPolicy {
                allow_unauthenticated: *allow_unauthenticated,
            };
            found.sops(file, *format, policy, config, world).await
        }
        Source::Age { file, format } => found.age(file, *format, config, world).await,
        Source::Sealed { file, object } => {
            match sealed::one(file, object.as_deref(), world).await {
                Ok(one) => found.sealed(vec![one], Some(file), config, world).await,
                Err(failure) => Err(failure),
            }
        }
        Source::SealedManifests { file } => match sealed::read(file, world).await {
            Ok((all, _)) => found.sealed(all, Some(file), config, world).await,
            Err(failure) => Err(failure),
        },
        Source::SealedObject(at) => match sealed::of_cluster(at, world).await {
            Ok(one) => found.sealed(vec![one], None, config, world).await,
            Err(failure) => Err(failure),
        },
        Source::Vault(_) | Source::Secret(_) => Ok(()),
    };
    found.failures.extend(done.err());
    found
}

impl Inspected {
    async fn sops(
        &mut self,
        file: &Path,
        format: DocumentFormat,
        policy: sops::SopsPolicy,
        config: &Config,
        world: &World,
    ) -> Result<(), Failure> {
        self.format = format.word().to_owned();
        let bytes = read_by(read_document, file, "SOPS file", world.time_limit.of_disk()).await?;
        let recipients =
            sops::recipients(bytes.expose(), format).map_err(|error| within(file, error))?;
        let listed = RecipientPolicy(&config.keys.recipients);
        self.recipients = recipients
            .iter()
            .map(|one| Recipient {
                kind: one.kind.to_owned(),
                name: one.name.clone(),
                supported: one.is_supported(),
                listed: Some(listed.names(&one.name)),
            })
            .collect();
        let outside = listed.of_sops(&recipients);
        self.failures
            .extend(outside.err().map(|error| within(file, error)));
        let opened = super::sops::open(bytes, file, format, policy, config, world).await;
        let opened = opened.map_err(|unopened| {
            if unopened.changed {
                self.integrity = Integrity::Bad;
            }
            unopened.failure
        })?;
        self.integrity = Integrity::Good;
        self.opened_by = opened.by;
        if opened.clear_is_unverified {
            self.unverified = opened.clear.len();
        }
        let secrets = opened.clear.iter().filter(|leaf| leaf.looks_secret);
        self.clear_secrets = secrets
            .map(|leaf| leaf.steps.join(".").escape_debug().to_string())
            .collect();
        Ok(())
    }

    async fn age(
        &mut self,
        file: &Path,
        format: DocumentFormat,
        config: &Config,
        world: &World,
    ) -> Result<(), Failure> {
        self.format = format.word().to_owned();
        let bytes = read_by(read_document, file, "age file", world.time_limit.of_disk()).await?;
        let recipients = age::recipients(bytes.expose()).map_err(|error| within(file, error))?;
        let listed = RecipientPolicy(&config.keys.recipients);
        self.recipients = recipients
            .iter()
            .map(|one| Recipient {
                kind: one.kind.clone(),
                name: one.tag.clone().unwrap_or_default(),
                supported: one.is_supported(),
                listed: one
                    .tag
                    .as_ref()
                    .map(|_| listed.of_age(std::slice::from_ref(one)).is_ok()),
            })
            .collect();
        let outside = listed.of_age(&recipients);
        self.failures
            .extend(outside.err().map(|error| within(file, error)));
        let identities = world.identities(keys::age(&config.keys, world)).await?;
        let opened = age::open(bytes.expose(), &identities).map_err(|error| {
            if error.says_changed() {
                self.integrity = Integrity::Bad;
            }
            within(file, error)
        })?;
        self.integrity = Integrity::Good;
        self.opened_by.push(opened.by);
        // What opens must also be what its name says, or a pass fails where this did not.
        let parsed = crate::format::document::parse(opened.plaintext, format);
        parsed.map_err(|error| within(file, error))?;
        Ok(())
    }

    /// A value names no key, so only those that opened it are known.
    async fn sealed(
        &mut self,
        all: Vec<SealedSecret>,
        file: Option<&Path>,
        config: &Config,
        world: &World,
    ) -> Result<(), Failure> {
        let mut scopes: Vec<String> = all.iter().map(|one| one.scope.to_string()).collect();
        scopes.dedup();
        self.format = scopes.join(", ");
        let count = all.len();
        let mut opened = 0;
        for one in all {
            match sealed::open(one, &config.keys, world).await {
                Ok(unsealed) => {
                    opened += 1;
                    for key in unsealed.opened_by {
                        if !self.opened_by.contains(&key) {
                            self.opened_by.push(key);
                        }
                    }
                }
                Err(failure) => self.failures.push(match file {
                    Some(file) => within(file, failure),
                    None => failure,
                }),
            }
        }
        if opened == count {
            self.integrity = Integrity::Good;
        }
        let listed = RecipientPolicy(&config.keys.recipients);
        for key in &self.opened_by {
            self.recipients.push(Recipient {
                kind: "sealing key".to_owned(),
                name: key.clone(),
                supported: true,
                listed: Some(listed.of_sealing_keys(std::slice::from_ref(key)).is_ok()),
            });
        }
        listed.of_sealing_keys(&self.opened_by)?;
        Ok(())
    }
}
