//! What several commands take.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use keyferry::base::style::Style;

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// What is logged: error, warn, info, debug, trace, or a filter such as keyferry=debug
    #[arg(
        help_heading = "Messages",
        long,
        global = true,
        value_name = "LEVEL",
        env = "KEYFERRY_LOG",
        default_value = "info"
    )]
    pub(crate) log: String,
    /// Only errors
    #[arg(
        help_heading = "Messages",
        short,
        long,
        global = true,
        conflicts_with_all = ["verbose", "log"]
    )]
    pub(crate) quiet: bool,
    /// More of what is done: as --log debug; -vv as --log trace
    #[arg(
        help_heading = "Messages",
        short,
        long,
        global = true,
        action = clap::ArgAction::Count,
        conflicts_with = "log"
    )]
    pub(crate) verbose: u8,
    /// Whether messages and tables are coloured; `auto`: on a terminal, unless NO_COLOR is set
    #[arg(
        help_heading = "Messages",
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        env = "KEYFERRY_COLOR",
        default_value = "auto"
    )]
    pub(crate) color: Color,
    /// How it is logged, on standard error
    #[arg(
        help_heading = "Messages",
        long,
        global = true,
        value_enum,
        env = "KEYFERRY_LOG_FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
    /// File that gets the last line when it exists: what Kubernetes shows of an ended container
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "KEYFERRY_TERMINATION_LOG",
        default_value = "/dev/termination-log",
        hide = true
    )]
    pub(crate) termination_log: PathBuf,
}

impl Common {
    /// The filter of the log.
    pub(crate) fn filter(&self) -> &str {
        match (self.quiet, self.verbose) {
            (true, _) => "error",
            (false, 0) => &self.log,
            (false, 1) => "debug",
            (false, _) => "trace",
        }
    }

    /// The style of standard output.
    pub(crate) fn output_style(&self) -> Style {
        self.color.style(std::io::stdout().is_terminal())
    }

    /// The style of standard error.
    pub(crate) fn error_style(&self) -> Style {
        match self.log_format {
            LogFormat::Text => self.color.style(std::io::stderr().is_terminal()),
            LogFormat::Json => Style::Plain,
        }
    }
}

/// When something is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    fn style(self, terminal: bool) -> Style {
        let unwanted = || {
            let no_color = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
            no_color || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
        };
        match self {
            Self::Always => Style::Coloured,
            Self::Auto if terminal && !unwanted() => Style::Coloured,
            Self::Auto | Self::Never => Style::Plain,
        }
    }
}

/// The configuration's files.
#[derive(Debug, Clone, Args)]
pub(crate) struct Paths {
    /// Configuration file, or folder of *.yaml files; may be given several times
    #[arg(
        help_heading = "Configuration",
        short,
        long,
        value_name = "PATH",
        env = "KEYFERRY_CONFIG",
        value_delimiter = ':'
    )]
    pub(crate) config: Vec<PathBuf>,
}

/// Where the configuration is. Of every command that reads one.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) paths: Paths,
    /// Refuse file targets outside this folder
    #[arg(
        help_heading = "Configuration",
        long,
        value_name = "DIR",
        env = "KEYFERRY_ROOT"
    )]
    pub(crate) root: Option<PathBuf>,
    /// Refuse key and token files that others may read, instead of a warning
    #[arg(help_heading = "Configuration", long, env = "KEYFERRY_STRICT")]
    pub(crate) strict: bool,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How long a command may wait; two commands have a default of their own.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Deadline {
    /// When all waiting ends: 90s, 2m, 1h30m, 7d
    #[arg(
        long,
        value_name = "DURATION",
        env = "KEYFERRY_DEADLINE",
        default_value = "2m",
        value_parser = duration
    )]
    pub(crate) deadline: Duration,
}

/// `90s`, `2m`, `1h30m`, `7d`, or seconds; at most 30 days.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let span = keyferry::config::duration::duration(text)
        .map_err(|what| format!("{what}; write 90s, 2m, 1h30m or 7d"))?;
    if span.is_zero() || span > Duration::from_secs(30 * 86_400) {
        return Err(format!("`{text}` must be between 1s and 30d"));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("24h", Some(86_400)),
            ("0s", None),
            ("7d", Some(604_800)),
            ("25h", Some(90_000)),
            ("31d", None),
            ("m", None),
        ] {
            assert_eq!(duration(text).ok().map(|d| d.as_secs()), seconds, "{text}");
        }
    }
}
