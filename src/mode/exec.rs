//! `exec`: fetch, then become another program with the fields of one delivery in its environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Ended, FAREWELL, stopped};
use crate::config::{Config, Delivery};
use crate::fetched::Fetched;
use crate::hygiene::{SECRET_VARIABLES, soft_core_limit};
use crate::material::SecretBytes;
use crate::outcome::Failed;
use crate::render;
use crate::report::{Class, Failure};
use crate::source;
use crate::world::World;

/// Fetches the environment of one delivery; the caller then [`become_program`]s.
pub async fn environment(
    mut config: Config,
    world: World,
    name: Option<&str>,
) -> Result<Vec<(String, SecretBytes)>, Ended> {
    let chosen = chosen(&config, name).map(|delivery| delivery.name.clone());
    let chosen = chosen.map_err(|failure| Ended::Failed(Failed::whole(failure)))?;
    // What the others need is not read.
    config.deliveries.retain(|delivery| delivery.name == chosen);
    config.manifests.clear();
    let stopped = stopped();
    let fetched = tokio::select! {
        fetched = source::fetch_all(&config, &world) => Ok(fetched),
        stop = stopped => Err(Ended::Signal(stop)),
    };
    let environment = fetched.and_then(|fetched| {
        let environment = config.deliveries.first().map_or_else(
            || Ok(Vec::new()),
            |delivery| rendered(delivery, &fetched, &world),
        );
        environment.map_err(|failure| Ended::Failed(Failed::of(&chosen, failure)))
    });
    let _ = tokio::time::timeout(FAREWELL, world.close()).await;
    environment
}

/// The environment of a delivery. What is leased in it must outlive us: the program has it next.
pub(super) fn rendered(
    delivery: &Delivery,
    fetched: &Fetched,
    world: &World,
) -> Result<Vec<(String, SecretBytes)>, Failure> {
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
            "the configuration has not exactly one delivery",
        )
        .hint(format!("name one with --delivery: {}", names()))),
    }
}

/// A program that was found, and what it is given.
pub struct Program {
    /// Where it is: looked up once, so that a variable of the delivery cannot lead elsewhere.
    path: PathBuf,
    command: Vec<OsString>,
}

/// Finds the program by our own `PATH`: asked before any login.
pub fn find_program(command: &[OsString], path: &OsStr) -> Result<Program, Failure> {
    let Some(program) = command.first() else {
        return Err(Failure::new(Class::Usage, "no program was named").hint("write it after `--`"));
    };
    let runs = |file: &PathBuf| {
        std::fs::metadata(file)
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let mut places: Vec<PathBuf> = match program.as_bytes().contains(&b'/') {
        true => vec![program.into()],
        // A folder of PATH without a name is this one.
        false => std::env::split_paths(path)
            .map(|folder| Path::new(".").join(folder).join(program))
            .collect(),
    };
    places.retain(runs);
    match places.into_iter().next() {
        Some(path) => Ok(Program {
            path,
            command: command.to_vec(),
        }),
        None => Err(cannot_run(program, "there is no such program")),
    }
}

pub(super) fn cannot_run(program: &OsStr, why: impl std::fmt::Display) -> Failure {
    let what = format!("cannot run {}: {why}", program.to_string_lossy());
    Failure::new(Class::Usage, what).hint("give the path of a program, or one that PATH finds")
}

/// A program with these variables, and none of ours that hold a secret.
pub(super) fn prepared(
    program: &OsStr,
    arguments: &[OsString],
    environment: &[(String, SecretBytes)],
) -> Command {
    let mut child = Command::new(program);
    child.args(arguments);
    for name in SECRET_VARIABLES {
        child.env_remove(name);
    }
    for (name, value) in environment {
        child.env(name, OsString::from_vec(value.expose().to_vec()));
    }
    child
}

/// Replaces this process; returns only when that fails.
pub fn become_program(
    program: &Program,
    environment: Vec<(String, SecretBytes)>,
    core_limit: Option<u64>,
) -> Failure {
    let Program { path, command } = program;
    let (name, arguments) = match command.split_first() {
        Some((name, arguments)) => (name.as_os_str(), arguments),
        None => (path.as_os_str(), [].as_slice()),
    };
    let mut child = prepared(path.as_os_str(), arguments, &environment);
    child.arg0(name);
    // The program is not ours to forbid a core.
    let _ = soft_core_limit(core_limit);
    cannot_run(name, child.exec())
}
