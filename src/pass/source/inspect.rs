//! Describes encrypted sources: who can read them, which key opens them, whether they are
//! unchanged. For `check --keys`.
//!
//! It uses the same readers and keys as a pass, but describes a file that does not open as far as
//! possible.

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::failure::Failure;
use crate::config::{Config, KeyKind, Source};
use crate::disk::{read_by, read_document};
use crate::envelope::age;
use crate::envelope::allowed_recipients::RecipientPolicy;
use crate::envelope::sealed::SealedSecret;
use crate::envelope::sops;
use crate::format::document::DocumentFormat;
use crate::pass::world::World;

use super::age::within;
use super::{decryption_keys, sealed};

/// The result for one encrypted source.
#[derive(Debug)]
pub struct Inspected {
    /// The source as the configuration names it.
    pub source: Source,
    /// The deliveries and manifests that read it.
    pub deliveries: Vec<String>,
    /// Format of its content, or the scope of a SealedSecret.
    pub format: String,
    /// Everyone who can open it, as far as the file says so.
    pub recipients: Vec<Recipient>,
    /// Recipients or fingerprints of the keys that opened it.
    pub opened_by: Vec<String>,
    /// Whether it is unchanged since it was written.
    pub integrity: Integrity,
    /// Unencrypted leaves that look like secrets.
    pub clear_secrets: Vec<String>,
    /// Number of leaves that no checksum protects.
    pub unverified: usize,
    /// Everything that is wrong with the source.
    pub failures: Vec<Failure>,
}

/// A recipient who can open a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Kind of the key.
    pub kind: String,
    /// Its public key, fingerprint or name; empty if it is anonymous.
    pub name: String,
    /// Whether keyferry can use a key of this kind.
    pub supported: bool,
    /// Whether `keys.recipients` contains it, or is empty; unknown if the recipient is anonymous.
    pub listed: Option<bool>,
}

/// Whether a source is unchanged since it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// Everything is authentic.
    Good,
    /// It was changed.
    Bad,
    /// No key opened it, so this is unknown.
    Unknown,
}

impl Integrity {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

/// The available keys, by their public parts.
#[derive(Debug, Default)]
pub struct AtHand {
    /// Recipients of the age identities.
    pub age: Vec<String>,
    /// Fingerprints of the sealing keys.
    pub sealing: Vec<String>,
}

/// Inspects every encrypted source of a configuration, each once.
pub async fn inspect_all(config: &Config, world: &World) -> (AtHand, Vec<Inspected>) {
    let mut readers: BTreeMap<&Source, Vec<String>> = BTreeMap::new();
    for (name, source) in config.sources() {
        if source.opened_by().is_some() {
            readers.entry(source).or_default().push(name);
        }
    }
    let mut all = Vec::new();
    for (source, mut readers) in readers {
        let mut inspected = Inspected::new(source);
        let done = inspect(source, &mut inspected, config, world).await;
        inspected.failures.extend(done.err());
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

/// Keys that were needed are loaded already, and keys that were not needed are not asked for.
async fn at_hand(config: &Config, world: &World, all: &[Inspected]) -> AtHand {
    let mut at_hand = AtHand::default();
    let used = |kind| all.iter().any(|one| one.source.opened_by() == Some(kind));
    if used(KeyKind::Age)
        && let Ok(identities) = world
            .identities(decryption_keys::age(&config.keys, world))
            .await
    {
        let recipients = identities.iter().map(|key| key.recipient().to_owned());
        at_hand.age = recipients.collect();
    }
    if used(KeyKind::Sealed)
        && let Ok(keyring) = world
            .keyring(decryption_keys::sealed(&config.keys, world))
            .await
    {
        at_hand.sealing = keyring
            .fingerprints()
            .into_iter()
            .map(str::to_owned)
            .collect();
    }
    at_hand
}

/// Describes an encrypted source as far as possible, and says why it does not open.
async fn inspect(
    source: &Source,
    found: &mut Inspected,
    config: &Config,
    world: &World,
) -> Result<(), Failure> {
    match source {
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
            let one = sealed::read_one(file, object.as_deref(), world).await?;
            found.sealed(vec![one], Some(file), config, world).await
        }
        Source::SealedManifests { file } => {
            let (all, _) = sealed::read(file, world).await?;
            found.sealed(all, Some(file), config, world).await
        }
        Source::SealedObject(at) => {
            let one = sealed::of_cluster(at, world).await?;
            found.sealed(vec![one], None, config, world).await
        }
        Source::Vault(_) | Source::Secret(_) => Ok(()),
    }
}

impl Inspected {
    fn new(source: &Source) -> Self {
        Self {
            source: source.clone(),
            deliveries: Vec::new(),
            format: String::new(),
            recipients: Vec::new(),
            opened_by: Vec::new(),
            integrity: Integrity::Unknown,
            clear_secrets: Vec::new(),
            unverified: 0,
            failures: Vec::new(),
        }
    }

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
        let identities = world
            .identities(decryption_keys::age(&config.keys, world))
            .await?;
        let opened = age::open(bytes.expose(), &identities).map_err(|error| {
            if error.says_changed() {
                self.integrity = Integrity::Bad;
            }
            within(file, error)
        })?;
        self.integrity = Integrity::Good;
        self.opened_by.push(opened.by);
        // The content must also match the format of the file's name; otherwise a pass fails where
        // this check did not.
        let parsed = crate::format::document::parse(opened.plaintext, format);
        parsed.map_err(|error| within(file, error))?;
        Ok(())
    }

    /// An encrypted value names no key, so only the keys that opened it are known.
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
