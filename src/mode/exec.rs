//! `exec`: fetches, then becomes another program that has the fields of one delivery in its
//! environment.

use std::pin::pin;

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};

use super::child_program::Environment;
use super::{Ended, stopped};
use crate::base::failure::{Class, Failure};
use crate::config::{Config, Delivery};
use crate::pass::outcome::Failed;
use crate::pass::source;
use crate::pass::world::World;
use crate::render;
use crate::render::fetched::Fetched;

/// Fetches the environment of one delivery, for a program that replaces this process. Until then a
/// signal ends the run.
pub async fn environment(
    mut config: Config,
    world: World,
    name: Option<&str>,
) -> Result<Environment, Ended> {
    // The standard library ignores SIGPIPE, and the program would inherit that. A signal with a
    // handler gets the kernel's default in the new program.
    drop(signal(SignalKind::pipe()));
    let chosen = chosen(&config, name).map(|delivery| delivery.name.clone());
    let chosen = chosen.map_err(|failure| Ended::Failed(Failed::of_the_run(failure)))?;
    // The sources of other deliveries are not read.
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
            environment.map_err(|failure| Ended::Failed(Failed::in_delivery(&chosen, failure)))
        }
    };
    world.close().await;
    // A signal may have come while the token was given back; the driver gets one more turn to
    // notice it.
    tokio::task::yield_now().await;
    if environment.is_ok()
        && let Some(stop) = stopped.now_or_never()
    {
        return Err(Ended::Signal(stop));
    }
    environment
}

/// The environment of a delivery. Its leases must outlive this process, because the program uses
/// them next.
pub(super) fn rendered(
    delivery: &Delivery,
    fetched: &Fetched,
    world: &World,
) -> Result<Environment, Failure> {
    let environment = render::environment(delivery, fetched)?;
    for session in source::vault::leases(delivery, fetched, world) {
        session.outlive();
    }
    Ok(environment)
}

/// The delivery with this name, or the only delivery.
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
