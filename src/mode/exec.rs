//! `exec`: fetch, then become another program with the fields of one delivery in its environment.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{Ended, FAREWELL, stopped};
use crate::config::{Config, Delivery};
use crate::hygiene::{SECRET_VARIABLES, soft_core_limit};
use crate::material::SecretBytes;
use crate::outcome::Failed;
use crate::render;
use crate::report::{Class, Failure};
use crate::source;
use crate::world::World;

/// Fetches the environment of one delivery; the caller then [`become_program`]s.
pub async fn environment(
    config: &Config,
    world: World,
    name: Option<&str>,
) -> Result<Vec<(String, SecretBytes)>, Ended> {
    let delivery = chosen(config, name).map_err(|failure| Ended::Failed(Failed::whole(failure)))?;
    let stopped = stopped();
    let fetched = tokio::select! {
        fetched = source::fetch_all(config, &world) => Ok(fetched),
        stop = stopped => Err(Ended::Signal(stop)),
    };
    let _ = tokio::time::timeout(FAREWELL, world.close()).await;
    render::environment(delivery, &fetched?).map_err(|failure| {
        Ended::Failed(Failed {
            delivery: Some(delivery.name.clone()),
            failure,
        })
    })
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
            "the configuration has not exactly one delivery",
        )
        .hint(format!("name one with --delivery: {}", names()))),
    }
}

/// Replaces this process; returns only when that fails.
pub fn become_program(
    command: &[OsString],
    environment: Vec<(String, SecretBytes)>,
    core_limit: Option<u64>,
) -> Failure {
    let Some((program, arguments)) = command.split_first() else {
        return Failure::new(Class::Usage, "no program was named").hint("write it after `--`");
    };
    let mut child = Command::new(program);
    child.args(arguments);
    for name in SECRET_VARIABLES {
        child.env_remove(name);
    }
    for (name, value) in &environment {
        child.env(name, OsString::from_vec(value.expose().to_vec()));
    }
    // The program is not ours to forbid a core.
    let _ = soft_core_limit(core_limit);
    let error = child.exec();
    Failure::new(
        Class::Usage,
        format!("cannot run {}: {error}", program.to_string_lossy()),
    )
    .hint("give the path of a program, or one that PATH finds")
}
