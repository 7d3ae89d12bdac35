//! Fetches the sources: each distinct source is read once in a pass, all at once, and gives a
//! [`Material`] or a failure.

pub mod age;
pub mod decryption_keys;
pub mod inspect;
mod opening;
pub mod sealed;
pub mod secret;
pub mod sops;
pub mod transit;
pub mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

use crate::base::failure::Failure;
use crate::base::history::Hold;
use crate::base::material::Material;
use crate::config::{Config, Delivery, Source};
use crate::envelope::sops::SopsPolicy;
use crate::pass::world::World;
use crate::process::memory;
use crate::process::progress::waiting;
use crate::render::fetched::Fetched;

/// The reads of one pass. The first delivery that needs a source reads it, and all others get the
/// same result. The result is dropped after the last delivery got it.
pub struct Reads<'a> {
    config: &'a Config,
    world: &'a World,
}

impl<'a> Reads<'a> {
    /// For a configuration; nothing is read yet.
    pub fn new(config: &'a Config, world: &'a World) -> Self {
        let deliveries = config.deliveries.iter().map(of_delivery);
        let all = deliveries.chain([of_manifests(config)]);
        all.flatten().for_each(|source| world.expect(source));
        Self { config, world }
    }

    /// The content of a delivery's sources, all read at once; at the versions of a hold, if there
    /// is one.
    pub async fn read_sources(&self, delivery: &Delivery, hold: Option<&Hold>) -> Fetched {
        let Some(hold) = hold else {
            return self.these(of_delivery(delivery)).await;
        };
        let held = delivery.from.iter();
        let held: BTreeMap<_, _> = held
            .map(|from| (&from.source, from.held_at(hold)))
            .collect();
        let reads = held.into_iter().map(|(source, held)| async move {
            let gave = fetch(&held, self.config, self.world).await;
            self.world.asked(source);
            if held == *source {
                return (source.clone(), gave);
            }
            // This source was not announced, because only the hold names it.
            self.world.asked(&held);
            (source.clone(), gave.map_err(of_a_hold))
        });
        Fetched::from_parts(join_all(reads).await)
    }

    /// The content of all manifests.
    pub async fn of_manifests(&self) -> Fetched {
        self.these(of_manifests(self.config)).await
    }

    async fn these(&self, sources: BTreeSet<&Source>) -> Fetched {
        let reads = sources.into_iter().map(|source| async {
            let gave = fetch(source, self.config, self.world).await;
            self.world.asked(source);
            (source.clone(), gave)
        });
        Fetched::from_parts(join_all(reads).await)
    }
}

/// A missing old version does not mean that the source is gone: nothing may be deleted because of
/// it.
fn of_a_hold(failure: Failure) -> Failure {
    if !failure.absent {
        return failure;
    }
    let way = "the delivery is held there: `keyferry job --release` delivers the newest";
    let hint = match &failure.hint {
        Some(hint) => format!("{hint}; {way}"),
        None => way.to_owned(),
    };
    Failure {
        absent: false,
        ..failure.hint(hint)
    }
}

fn of_delivery(delivery: &Delivery) -> BTreeSet<&Source> {
    delivery.from.iter().map(|from| &from.source).collect()
}

fn of_manifests(config: &Config) -> BTreeSet<&Source> {
    let sets = config.manifests.iter();
    sets.flat_map(|set| &set.files).collect()
}

/// Reads every source once, all at once.
pub async fn fetch_all(config: &Config, world: &World) -> Fetched {
    let sources = config.sources().map(|(_, source)| source);
    Reads::new(config, world).these(sources.collect()).await
}

async fn fetch(source: &Source, config: &Config, world: &World) -> Result<Arc<Material>, Failure> {
    let waited = async {
        let source = &vault::named(source, world).await?;
        let fetched = async {
            if let (Source::Vault(read), Some(lease_cache)) = (source, &world.lease_cache) {
                return lease_cache.fetch(world.vault(&read.server)?, read).await;
            }
            let material = read(source, config, world).await?;
            memory::check()?;
            Ok(Arc::new(material))
        };
        world.source(source.clone(), fetched).await
    };
    waiting(awaited(source), world.time_limit.deadline(), waited).await
}

/// The message that a terminal shows while we wait for a source.
fn awaited(source: &Source) -> String {
    match (source.vault(), source.file()) {
        (Some(read), _) => format!("vault `{}`", read.server),
        (None, Some(file)) => format!("what opens {}", file.display()),
        (None, None) => source.to_string(),
    }
}

/// Each kind has a separate future: a read of one kind does not need the memory of the largest.
fn read<'a>(
    source: &'a Source,
    config: &'a Config,
    world: &'a World,
) -> BoxFuture<'a, Result<Material, Failure>> {
    match source {
        Source::Vault(read) => vault::fetch(read, world).boxed(),
        Source::Age { file, format } => age::fetch(file, *format, &config.keys, world).boxed(),
        Source::Sops {
            file,
            format,
            allow_unauthenticated,
            commit,
        } => {
            let policy = SopsPolicy {
                allow_unauthenticated: *allow_unauthenticated,
            };
            sops::fetch(file, *format, commit.as_deref(), policy, config, world).boxed()
        }
        Source::Sealed { file, object } => {
            sealed::fetch(file, object.as_deref(), &config.keys, world).boxed()
        }
        Source::SealedObject(at) => sealed::object(at, &config.keys, world).boxed(),
        Source::SealedManifests { file } => sealed::manifests(file, &config.keys, world).boxed(),
        Source::Secret(at) => secret::fetch(at, world).boxed(),
    }
}
