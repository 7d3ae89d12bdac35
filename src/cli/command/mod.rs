//! The commands: one file each, with what it takes and what it does.

mod check;
mod completions;
mod exec;
mod explain;
mod grants;
mod history;
mod init;
mod install;
mod job;
mod man;
mod new;
mod plan;
mod ready;
mod schema;
mod sidecar;
mod status;
mod trace;

use clap::Subcommand;

use keyferry::mode::Ended;

use super::arguments::Common;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Job(job::Job),
    Init(init::Init),
    Sidecar(sidecar::Sidecar),
    Ready(ready::Ready),
    Status(status::Status),
    History(history::History),
    Trace(trace::Trace),
    Plan(plan::Plan),
    Exec(exec::Exec),
    Check(check::Check),
    Install(install::Install),
    #[command(subcommand)]
    Grants(grants::Grants),
    Explain(explain::Explain),
    New(new::New),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Runs a command. `core_limit` is the limit that a program in our place gets back; `all` describes
/// every command, for those that print it.
pub(crate) fn run(
    common: &Common,
    command: Command,
    core_limit: Option<u64>,
    all: fn() -> clap::Command,
) -> Ended {
    match command {
        Command::Job(command) => command.run(common),
        Command::Init(command) => command.run(common),
        Command::Sidecar(command) => command.run(common),
        Command::Ready(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::History(command) => command.run(common),
        Command::Trace(command) => command.run(common),
        Command::Plan(command) => command.run(common),
        Command::Exec(command) => command.run(common, core_limit),
        Command::Check(command) => command.run(common),
        Command::Install(command) => command.run(),
        Command::Grants(command) => command.run(common),
        Command::Explain(command) => command.run(),
        Command::New(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Completions(command) => command.run(all()),
        Command::Man(command) => command.run(all()),
    }
}
