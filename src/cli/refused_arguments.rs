//! A refused command line ends as every failure does: one last line, its class, the next step, the
//! exit code.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, FromArgMatches, ValueEnum};

use super::arguments::{Color, Common, LogFormat};
use super::command_line::Cli;
use keyferry::base::failure::{Class, Failure};

/// The result of reading a command line.
pub(crate) enum Parsed {
    /// A command to run.
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
        // A reader that closed the pipe has read enough.
        let _ = error.print();
        return Parsed::Shown;
    }
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if is_without_command(&error) && manner.log_format == LogFormat::Text {
        let mut all = Cli::command();
        let help = match all.find_subcommand_mut(command(&arguments)) {
            Some(command) => command.render_help(),
            None => all.render_help(),
        };
        keyferry::process::stderr::write(format!("{help}\n").as_bytes());
    }
    Parsed::Refused(failure(&error, &arguments))
}

fn is_without_command(error: &clap::Error) -> bool {
    [
        ErrorKind::MissingSubcommand,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ]
    .contains(&error.kind())
}

/// The flags that decide how a refusal is shown. The command line as a whole may not be readable.
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

/// The value of a flag, written as two arguments or as one. Arguments behind `--` belong to another
/// program.
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

/// The command of a command line; empty where it has none.
fn command(arguments: &[OsString]) -> &str {
    let all = Cli::command();
    let mut words = arguments.iter().filter_map(|word| word.to_str());
    let command = words.find(|word| all.find_subcommand(word).is_some());
    command.unwrap_or_default()
}

/// The first sentence of Clap, which may list missing arguments on further lines; Clap's tip is the
/// next step.
fn failure(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let command = command(arguments);
    let hint = || match (command, error.kind()) {
        (_, ErrorKind::InvalidSubcommand) => {
            "`keyferry job` delivers once, `keyferry sidecar` stays; `keyferry --help` lists all"
                .to_owned()
        }
        ("exec", ErrorKind::MissingRequiredArgument | ErrorKind::UnknownArgument) => {
            "write the program behind `--`: `keyferry exec -- CMD`".to_owned()
        }
        ("", _) => "see `keyferry --help`".to_owned(),
        (command, _) => format!("see `keyferry {command} --help`"),
    };
    if is_without_command(error) {
        return match command {
            "" => Failure::new(Class::Usage, "no command was given")
                .hint("start with `keyferry check`; `keyferry --help` lists all"),
            command => Failure::new(Class::Usage, format!("`{command}` needs one more word"))
                .hint(format!("write one of {}", words_of(command))),
        };
    }
    if command == "trace" && error.kind() == ErrorKind::InvalidValue {
        let hint = "write `keyferry trace secret NAMESPACE/NAME`";
        return Failure::new(Class::Usage, "only a `secret` can be traced").hint(hint);
    }
    let unknown = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let is_file = |word: &String| word.ends_with(".yaml") || word.ends_with(".yml");
    if let Some(word) =
        unknown.filter(|word| is_file(word) || ["-f", "--file"].contains(&word.as_str()))
    {
        let file = if is_file(&word) { &word } else { "FILE" };
        return Failure::new(Class::Usage, format!("unexpected argument '{word}' found"))
            .hint(format!("name a configuration with `--config {file}`"));
    }
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(one_line);
    let what = parts.next().unwrap_or_default();
    let tip = parts.find_map(|part| part.strip_prefix("tip: ").map(str::to_owned));
    Failure::new(Class::Usage, what.trim_start_matches("error: ")).hint(tip.unwrap_or_else(hint))
}

/// The subcommands of a command, as users type them.
fn words_of(command: &str) -> String {
    let all = Cli::command();
    let found = all.find_subcommand(command);
    let words = found.into_iter().flat_map(clap::Command::get_subcommands);
    let words: Vec<String> = words
        .map(|word| format!("`keyferry {command} {}`", word.get_name()))
        .collect();
    words.join(", ")
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
                "`keyferry exec -- CMD`",
            ),
            (
                "exec true",
                "unexpected argument 'true' found",
                "`keyferry exec -- CMD`",
            ),
            (
                "grants",
                "`grants` needs one more word",
                "`keyferry grants kubernetes`, `keyferry grants vault`",
            ),
            (
                "trace my-secret",
                "only a `secret` can be traced",
                "trace secret NAMESPACE/NAME",
            ),
            (
                "run",
                "unrecognized subcommand 'run'",
                "`keyferry job` delivers once",
            ),
            (
                "job -f app.yaml",
                "unexpected argument '-f' found",
                "`--config FILE`",
            ),
            (
                "job app.yaml",
                "unexpected argument 'app.yaml' found",
                "`--config app.yaml`",
            ),
            ("", "no command was given", "`keyferry check`"),
        ] {
            let arguments: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
            let whole = std::iter::once("keyferry".into()).chain(arguments.clone());
            let error = Cli::try_parse_from(whole);
            let failure = failure(&error.expect_err("wrong"), &arguments);
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
