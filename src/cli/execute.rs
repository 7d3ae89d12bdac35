//! `exec`: the program in our place, or as our child.

use std::ffi::OsStr;

use keyferry::config::Config;
use keyferry::mode::github::Step;
use keyferry::mode::program::{Program, is_path};
use keyferry::mode::watch::Watched;
use keyferry::mode::{Ended, exec, watch};
use keyferry::pass::outcome::Failed;
use keyferry::pass::world::World;

use super::arguments::{Common, Exec};
use super::commands::{STEP, in_actions, world};
use super::runtime::{ask_for_descriptors, block_on, to_its_end};

/// Whether there is a program at all is asked before any login, where no delivered `PATH` can say
/// otherwise.
pub(super) fn execute(
    common: &Common,
    config: Config,
    arguments: &Exec,
    core_limit: Option<u64>,
) -> Ended {
    if arguments.github_env {
        return for_github(common, config, arguments);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let found = Program::find(&arguments.command, &path);
    let named = arguments.command.first();
    let by_path = named.is_some_and(|program| is_path(program));
    let program = match (found, arguments.watch) {
        (Err(failure), watch) if by_path || !watch => {
            return Ended::Failed(Failed::whole(failure));
        }
        (Ok(program), false) => program,
        (Ok(_) | Err(_), _) => return watched(common, &config, arguments, &path, core_limit),
    };
    let world = world(&config, &arguments.place, arguments.limit.deadline);
    let delivery = arguments.delivery.as_deref();
    match block_on(common, exec::environment(config, world, delivery)) {
        Err(ended) => ended,
        Ok(environment) => {
            let failure = program.replace_us(&environment, core_limit);
            Ended::Failed(Failed::whole(failure))
        }
    }
}

/// Whether there is a step at all is asked before any login too.
fn for_github(common: &Common, config: Config, arguments: &Exec) -> Ended {
    let step = match Step::open(|name| std::env::var_os(name), arguments.github_output) {
        Ok(step) => step,
        Err(failure) => return Ended::Failed(Failed::whole(failure)),
    };
    let world = world(&config, &arguments.place, arguments.limit.deadline);
    let delivery = arguments.delivery.as_deref();
    match block_on(common, exec::environment(config, world, delivery)) {
        Err(ended) => ended,
        Ok(environment) => step.give(&environment),
    }
}

fn watched(
    common: &Common,
    config: &Config,
    arguments: &Exec,
    path: &OsStr,
    core_limit: Option<u64>,
) -> Ended {
    let world = in_actions(World::staying(config, arguments.place.root.clone(), STEP));
    let program = Watched {
        command: &arguments.command,
        path,
        on_change: arguments.on_change,
        deadline: arguments.limit.deadline,
        core_limit,
    };
    let delivery = arguments.delivery.as_deref();
    ask_for_descriptors(common);
    // Its signals are the program's, so nobody guards our own end.
    to_its_end(common, watch::run(config, world, delivery, &program))
}
