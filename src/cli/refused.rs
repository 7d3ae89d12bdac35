//! A command line that is refused ends as every failure does: one last line, its class, the next
//! step, the exit code.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, FromArgMatches, ValueEnum};

use super::arguments::{Cli, Color, Common, LogFormat};
use keyferry::base::failure::{Class, Failure};

/// What became of a command line.
pub(crate) enum Parsed {
    /// It can be done.
    Command(Cli),
    /// It asked for a text, which was printed.
    Shown,
    /// It is refused.
    Refused(Failure),
}

/// Reads the command line.
pub(crate) fn parse(manner: &Common) -> Parsed {
    let colour = match manner.color {
        Color::Auto => clap::ColorChoice::Auto,
        Color::Always => clap::ColorChoice::Always,
        Color::Never => clap::ColorChoice::Never,
    };
    let matches = Cli::command().color(colour).try_get_matches();
    let error = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => return Parsed::Command(cli),
        Err(error) => error,
    };
    if !error.use_stderr() {
        // Whoever closed the pipe has read enough.
        let _ = error.print();
        return Parsed::Shown;
    }
    if is_without_command(&error) && manner.log_format == LogFormat::Text {
        let help = Cli::command().render_help();
        keyferry::process::stderr::write(format!("{help}\n").as_bytes());
    }
    Parsed::Refused(failure(&error))
}

fn is_without_command(error: &clap::Error) -> bool {
    [
        ErrorKind::MissingSubcommand,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ]
    .contains(&error.kind())
}

/// The flags that decide how a refusal is told, of a command line that may not be readable as a
/// whole.
pub(crate) fn manner() -> Common {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let flag = |name: &str, variable: &str| {
        last_value(&arguments, name).or_else(|| std::env::var_os(variable))
    };
    let format = flag("--log-format", "KEYFERRY_LOG_FORMAT");
    let format = format.and_then(|text| LogFormat::from_str(text.to_str()?, true).ok());
    let log = flag("--termination-log", "KEYFERRY_TERMINATION_LOG");
    let color = flag("--color", "KEYFERRY_COLOR");
    let color = color.and_then(|text| Color::from_str(text.to_str()?, true).ok());
    Common {
        log: String::new(),
        quiet: false,
        verbose: 0,
        color: color.unwrap_or(Color::Auto),
        log_format: format.unwrap_or(LogFormat::Text),
        termination_log: log.map_or_else(|| "/dev/termination-log".into(), Into::into),
    }
}

/// What a flag says, written as two arguments or as one. Behind `--` stands the command line of
/// another program.
fn last_value(arguments: &[OsString], name: &str) -> Option<OsString> {
    let ours: Vec<&OsStr> = arguments
        .iter()
        .map(OsString::as_os_str)
        .take_while(|argument| *argument != "--")
        .collect();
    let mut values = ours.iter().enumerate().filter_map(|(at, argument)| {
        if *argument == name {
            return ours.get(at + 1).map(|value| (*value).to_owned());
        }
        let value = argument.to_str()?.strip_prefix(name)?.strip_prefix('=')?;
        Some(value.into())
    });
    values.next_back()
}

/// Clap's own first sentence, which may name what is missing on lines of their own; its tip is the
/// next step.
fn failure(error: &clap::Error) -> Failure {
    let hint = || {
        let context = error.get(ContextKind::Usage).map(ToString::to_string);
        let usage = context.unwrap_or_default();
        let mut words = usage
            .split_whitespace()
            .skip_while(|word| *word != "keyferry");
        let command = words
            .nth(1)
            .filter(|word| !word.starts_with(['[', '<', '-']));
        match command {
            Some(command) => format!("see `keyferry {command} --help`"),
            None => "see `keyferry --help`".to_owned(),
        }
    };
    if is_without_command(error) {
        return Failure::new(Class::Usage, "no command was given")
            .hint("start with `keyferry check`; `keyferry --help` lists all");
    }
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(one_line);
    let what = parts.next().unwrap_or_default();
    let tip = parts.find_map(|part| part.strip_prefix("tip: ").map(str::to_owned));
    Failure::new(Class::Usage, what.trim_start_matches("error: ")).hint(tip.unwrap_or_else(hint))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_flag_is_found_in_a_line_that_is_wrong() {
        for (line, want) in [
            ("job --nonsense --log-format json", Some("json")),
            ("--log-format=text job --log-format=json", Some("json")),
            ("job --log-format", None),
            ("exec --nonsense -- --log-format json", None),
            ("job --log-formatjson", None),
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(Into::into).collect();
            let found = last_value(&arguments, "--log-format");
            assert_eq!(found.as_deref(), want.map(OsStr::new), "{line}");
        }
    }

    #[test]
    fn a_refusal_is_one_line_with_a_next_step() {
        for (line, what, hint) in [
            (
                "job --nonsense",
                "unexpected argument '--nonsense' found",
                "see `keyferry job --help`",
            ),
            (
                "complete",
                "unrecognized subcommand 'complete'",
                "a similar subcommand exists: 'completions'",
            ),
            (
                "exec",
                "the following required arguments were not provided: <CMD>...",
                "see `keyferry exec --help`",
            ),
            ("", "no command was given", "`keyferry check`"),
        ] {
            let line = line.split_whitespace();
            let error = Cli::try_parse_from(std::iter::once("keyferry").chain(line));
            let failure = failure(&error.expect_err("wrong"));
            let next = failure.hint.clone().unwrap_or_default();
            assert!(
                failure.what.starts_with(what) && next.contains(hint),
                "{failure:?}"
            );
            assert!(
                !failure.what.contains('\n') && !next.contains('\n'),
                "{failure:?}"
            );
        }
    }
}
