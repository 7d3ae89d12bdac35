//! The binary: parses the arguments, runs one command, ends with its exit code.

mod cli;

use std::process::ExitCode;

use clap::CommandFactory as _;

use cli::{Cli, Common, LogFormat, Parsed, finish, manner, parse};
use keyferry::base::failure::{Class, Failure};
use keyferry::base::style::Style;
use keyferry::mode::Ended;
use keyferry::pass::outcome::{Failed, defect};
use keyferry::process::hardening;
use keyferry::process::logging;

fn main() -> ExitCode {
    let core_limit = rustix::process::getrlimit(rustix::process::Resource::Core).current;
    let unhardened = hardening::harden();
    let manner = manner();
    if is_secret_given() {
        let what = "a secret was given as an argument, where every process can read it";
        let hint = "put it into a file and name the file; and replace it, it was seen";
        return finish(&refuse(what, hint), &manner);
    }
    let Cli { common, command } = match parse(&manner) {
        Parsed::Command(cli) => cli,
        Parsed::Shown => return ExitCode::SUCCESS,
        Parsed::Refused(failure) => {
            return finish(&Ended::Failed(Failed::of_the_run(failure)), &manner);
        }
    };
    let coloured = common.error_style() == Style::Coloured;
    let json = common.log_format == LogFormat::Json;
    if let Err(what) = logging::start(common.filter(), json, coloured) {
        return finish(&refuse(&what, "see `keyferry --help`"), &common);
    }
    for what in unhardened {
        tracing::warn!("not hardened: {what}");
    }
    end_at_a_defect(common.clone());
    let ended = cli::run(&common, command, core_limit, Cli::command);
    finish(&ended, &common)
}

/// A defect in any thread ends the process, with the last line and the exit code for a defect:
/// release builds do not unwind.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "nobody is left to return to"
)]
fn end_at_a_defect(common: Common) {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        finish(&Ended::Failed(defect()), &common);
        std::process::exit(Class::Bug.exit_code().into())
    }));
}

fn is_secret_given() -> bool {
    std::env::args_os()
        .skip(1)
        .take_while(|argument| argument != "--")
        .any(|argument| hardening::is_secret(&argument))
}

fn refuse(what: &str, hint: &str) -> Ended {
    Ended::Failed(Failed::of_the_run(
        Failure::new(Class::Usage, what).hint(hint),
    ))
}
