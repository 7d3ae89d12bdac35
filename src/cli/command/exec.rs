//! `exec`: runs the program in our place, or as our child.

use std::ffi::OsStr;

use clap::Args;

use keyferry::config::Config;
use keyferry::mode::child_program::{Program, is_path};
use keyferry::mode::exec_github::GithubStep;
use keyferry::mode::exec_watch::{OnChange, WatchedProgram};
use keyferry::mode::{Ended, exec, exec_watch};
use keyferry::pass::outcome::Failed;
use keyferry::pass::world::World;

use crate::cli::arguments::{Common, Deadline, Place};
use crate::cli::runtime::{ask_for_descriptors, block_on, to_its_end};
use crate::cli::setup::{STEP, in_actions, with_config, world};

/// Fetch, then become CMD with the fields of one delivery in its environment
///
/// No process of keyferry stays behind, except with --watch: then it restarts CMD when a field
/// changes, hands signals on and buries orphans. CMD gets the ignored signals and the mask that
/// keyferry was started with. With --watch it is looked for in a delivered PATH first. The exit
/// code is that of CMD. Targets are not written.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    #[command(flatten)]
    place: Place,
    /// The delivery, where the configuration has several
    #[arg(long, value_name = "NAME", env = "KEYFERRY_DELIVERY")]
    delivery: Option<String>,
    #[command(flatten)]
    limit: Deadline,
    /// Stay, and when a field changes do what --on-change says
    #[arg(long)]
    watch: bool,
    /// With --watch: `restart` CMD with the new environment (SIGTERM, after 10 s SIGKILL), or send
    /// it a signal such as HUP
    #[arg(
        long,
        value_name = "ACTION",
        default_value = "restart",
        requires = "watch",
        value_parser = OnChange::parse
    )]
    on_change: OnChange,
    /// Instead of a program: give the fields to the later steps of a job of GitHub Actions, hidden
    /// in its log, by the file that GITHUB_ENV names
    #[arg(long, conflicts_with_all = ["watch", "command"])]
    github_env: bool,
    /// With --github-env: as outputs of the step too, by the file that GITHUB_OUTPUT names
    #[arg(long, requires = "github_env")]
    github_output: bool,
    /// The program and its arguments, after `--`
    #[arg(
        last = true,
        required_unless_present = "github_env",
        value_name = "CMD"
    )]
    command: Vec<std::ffi::OsString>,
}

impl Exec {
    pub(super) fn run(self, common: &Common, core_limit: Option<u64>) -> Ended {
        with_config(&self.place, |config| {
            execute(common, config, &self, core_limit)
        })
    }
}

/// Looks for the program before any login, where no delivered `PATH` can change the result.
fn execute(common: &Common, config: Config, arguments: &Exec, core_limit: Option<u64>) -> Ended {
    if arguments.github_env {
        return for_github(common, config, arguments);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let found = Program::find(&arguments.command, &path);
    let named = arguments.command.first();
    let by_path = named.is_some_and(|program| is_path(program));
    let program = match (found, arguments.watch) {
        (Err(failure), watch) if by_path || !watch => {
            return Ended::Failed(Failed::of_the_run(failure));
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
            Ended::Failed(Failed::of_the_run(failure))
        }
    }
}

/// Looks for the step of GitHub Actions before any login, too.
fn for_github(common: &Common, config: Config, arguments: &Exec) -> Ended {
    let step = match GithubStep::open(|name| std::env::var_os(name), arguments.github_output) {
        Ok(step) => step,
        Err(failure) => return Ended::Failed(Failed::of_the_run(failure)),
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
    let program = WatchedProgram {
        command: &arguments.command,
        path,
        on_change: arguments.on_change,
        deadline: arguments.limit.deadline,
        core_limit,
    };
    let delivery = arguments.delivery.as_deref();
    ask_for_descriptors(common);
    // Signals are for the program, so nothing guards our own end.
    to_its_end(common, exec_watch::run(config, world, delivery, &program))
}
