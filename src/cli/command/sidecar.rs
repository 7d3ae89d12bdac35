//! `sidecar`: stays and keeps deliveries fresh.

use std::sync::Arc;

use clap::Args;

use keyferry::mode::Ended;
use keyferry::mode::sidecar::{self, Loaded, Settings};
use keyferry::pass::outcome::Failed;
use keyferry::pass::world::World;
use keyferry::sidecar::listen::Names;

use super::ready::Address;
use crate::cli::arguments::{Common, Place};
use crate::cli::load::{invalid, loaded, warn_of_secrets};
use crate::cli::runtime::block_on;
use crate::cli::setup::{STEP, in_actions};

/// Stay: deliver, keep fresh, react to changes, say how it is
///
/// In a pod best as an init container with `restartPolicy: Always` and `keyferry ready` as its
/// startup probe: it is init and sidecar in one. SIGHUP and a changed file take the
/// configuration again, a bad one keeps the old. SIGTERM ends it within 5 s: what was delivered
/// stays, tokens that only it used are revoked.
#[derive(Debug, Args)]
pub(crate) struct Sidecar {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    address: Address,
    /// Let `prune` and `onMissing: delete` delete up to N at once, where they refused so many. For
    /// one start: take it away again
    #[arg(
        long,
        value_name = "N",
        env = "KEYFERRY_ALLOW_DELETES",
        default_value_t = 0
    )]
    allow_deletes: usize,
    /// A name under which it may be asked, beside addresses, `localhost` and the pod's own name;
    /// may be given several times
    #[arg(
        long,
        value_name = "NAME",
        env = "KEYFERRY_ALLOW_HOST",
        value_delimiter = ','
    )]
    allow_host: Vec<String>,
}

impl Sidecar {
    pub(super) fn run(self, common: &Common) -> Ended {
        let Self {
            place,
            address,
            allow_deletes,
            allow_host,
        } = self;
        warn_of_secrets();
        let Loaded { config, files } = loaded(&place);
        let first = match config {
            Ok(config) => config,
            Err(problems) => return invalid(&problems),
        };
        if let Err(failure) = sidecar::has_work(&first) {
            return Ended::Failed(Failed::of_the_run(failure));
        }
        let (again, root) = (place.clone(), place.root.clone());
        let settings = Settings {
            listen: address.listen,
            names: Names::new(&allow_host),
            load: Arc::new(move || loaded(&again)),
            world: Box::new(move |config| {
                let world = World::staying(config, root.clone(), STEP);
                in_actions(world.with_allowed_deletes(allow_deletes))
            }),
        };
        block_on(common, sidecar::run(settings, first, files))
    }
}
