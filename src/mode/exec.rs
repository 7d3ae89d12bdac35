//! `exec`: fetch, then become another program with the fields of one delivery in its environment.

use std::pin::pin;

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};

use super::program::Environment;
use super::{Ended, stopped};
use crate::base::failure::{Class, Failure};
use crate::config::{Config, Delivery};
use crate::pass::outcome::Failed;
use crate::pass::source;
use crate::pass::world::World;
use crate::render;
use crate::render::fetched::Fetched;

/// Fetches the environment of one delivery, for a program that takes our place. A signal is obeyed
/// until that is done.
pub async fn environment(
    mut config: Config,
    world: World,
    name: Option<&str>,
) -> Result<Environment, Ended> {
    // The standard library ignores it, and a program would inherit that; what has a handler it gets
    // as the kernel's default.
    drop(signal(SignalKind::pipe()));
    let chosen = chosen(&config, name).map(|delivery| delivery.name.clone());
    let chosen = chosen.map_err(|failure| Ended::Failed(Failed::whole(failure)))?;
    // What the others need is not read.
    config.deliveries.retain(|delivery| delivery.name == chosen);
    config.manifests.clear();
    let mut stopped = pin!(stopped());
    let fetched = tokio::select! {
        fetched = source::fetch_all(&config, &world) => Ok(fetched),
        stop = &mut stopped => Err(Ended::Signal(stop)),
    };
    let environment = match fetched {
        Err(ended) => Err(ended),
        Ok(fetched) => {
            let environment = config.deliveries.first().map_or_else(
                || Ok(Vec::new()),
                |delivery| rendered(delivery, &fetched, &world),
            );
            environment.map_err(|failure| Ended::Failed(Failed::of(&chosen, failure)))
        }
    };
    world.close().await;
    // One that came while the token was given back; the driver is asked once more whether one has
    // come.
    tokio::task::yield_now().await;
    if environment.is_ok()
        && let Some(stop) = stopped.now_or_never()
    {
        return Err(Ended::Signal(stop));
    }
    environment
}

/// The environment of a delivery. What is leased in it must outlive us: the program has it next.
pub(super) fn rendered(
    delivery: &Delivery,
    fetched: &Fetched,
    world: &World,
) -> Result<Environment, Failure> {
    let environment = render::environment(delivery, fetched)?;
    for session in source::leases(delivery, fetched, world) {
        session.outlive();
    }
    Ok(environment)
}

/// The delivery that was named, or the only one.
pub fn chosen<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Delivery, Failure> {
    let names = || {
        config
            .deliveries
            .iter()
            .map(|delivery| delivery.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (name, config.deliveries.as_slice()) {
        (Some(name), deliveries) => deliveries
            .iter()
            .find(|delivery| delivery.name == name)
            .ok_or_else(|| {
                Failure::new(Class::Usage, format!("no delivery is called `{name}`"))
                    .hint(format!("there are: {}", names()))
            }),
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::new(
            Class::Usage,
            "`exec` takes one delivery, and the configuration has another number",
        )
        .hint(format!("name one with --delivery: {}", names()))),
    }
}
