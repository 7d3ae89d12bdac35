//! The world outside of a command, and the configuration before it.

use std::time::Duration;

use keyferry::config::Config;
use keyferry::mode::Ended;
use keyferry::pass::world::World;
use keyferry::vault::Runner;

use super::arguments::Place;
use super::load::{env_text, invalid, loaded, warn_of_secrets};

/// How long one step of a sidecar may take; a step that fails is tried again later.
pub(super) const STEP: Duration = Duration::from_secs(20);

/// The outside of one pass.
pub(super) fn world(config: &Config, place: &Place, deadline: Duration) -> World {
    in_actions(World::new(config, place.root.clone(), deadline))
}

/// The only place that asks the environment about a GitHub Actions job.
pub(super) fn in_actions(world: World) -> World {
    match Runner::from_variables(
        env_text("ACTIONS_ID_TOKEN_REQUEST_URL"),
        env_text("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ) {
        Some(runner) => world.with_runner(runner),
        None => world,
    }
}

/// Loads the configuration first; its problems are shown line by line.
pub(super) fn with_config(place: &Place, mode: impl FnOnce(Config) -> Ended) -> Ended {
    warn_of_secrets();
    match loaded(place).config {
        Ok(config) => mode(config),
        Err(problems) => invalid(&problems),
    }
}
