//! The command line as it is typed. `commands` decides what it means.

mod check;
mod exec;
mod grants;
mod history;
mod start;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use keyferry::base::style::Style;
use keyferry::mode;
use keyferry::plan::Format;
use keyferry::sidecar::client;
use keyferry::sidecar::listen::Listen;

pub(crate) use check::Check;
pub(crate) use exec::Exec;
pub(crate) use grants::{Granted, Grants, GrantsKubernetes, GrantsVault, Who};
pub(crate) use history::{Back, History};
pub(crate) use start::{Explain, Start};

/// Carries secrets from where they are kept to where they are used.
///
/// Reads Vault, OpenBao, SOPS files, SealedSecrets, age files and Kubernetes Secrets as one YAML
/// file says, and keeps files, .env files and typed Kubernetes Secrets equal to them. A second run
/// writes nothing. No value is ever shown, but to GitHub's runner, which hides it
/// (`exec --github-env`).
#[derive(Debug, Parser)]
#[command(
    name = "keyferry",
    version = VERSION,
    max_term_width = 110,
    after_help = EXIT_CODES,
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// With the commit where a release was built from Git.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("KEYFERRY_COMMIT"));

const EXIT_CODES: &str = "\
Exit codes:
  0   in sync                                    5   cannot be decrypted, or was tampered with
  2   configuration or usage is wrong            6   refused: foreign object, safety rule, rejected
  3   login or permission refused                7   provider unreachable or deadline spent: retry
  4   a source or field is missing               8   a file could not be written
  10  plan and check: there are differences      70  a defect of keyferry

Start with `keyferry check`, then `keyferry plan`, then `keyferry job`.";

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
    /// What is logged.
    pub(crate) fn filter(&self) -> &str {
        match (self.quiet, self.verbose) {
            (true, _) => "error",
            (false, 0) => &self.log,
            (false, 1) => "debug",
            (false, _) => "trace",
        }
    }

    /// How standard output is written.
    pub(crate) fn output_style(&self) -> Style {
        self.color.style(std::io::stdout().is_terminal())
    }

    /// How standard error is written.
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One pass: fetch, render, write what differs, exit
    ///
    /// For an Argo CD PreSync hook, a CronJob, a laptop. Deliveries are independent: one that fails
    /// stops no other.
    Job(Pass),
    /// One pass before a pod starts: as job, but waits for its token file
    ///
    /// For an init container: while the provider is down it waits until --deadline, then the pod
    /// restarts it.
    Init(Init),
    /// Stay: deliver, keep fresh, react to changes, say how it is
    ///
    /// In a pod best as an init container with `restartPolicy: Always` and `keyferry ready` as its
    /// startup probe: it is init and sidecar in one. SIGHUP and a changed file take the
    /// configuration again, a bad one keeps the old. SIGTERM ends it within 5 s: what was delivered
    /// stays, tokens that only it used are revoked.
    Sidecar(Sidecar),
    /// Ask a running sidecar whether everything was delivered (exec probe): exit code 0 or 7, and
    /// why
    Ready(Address),
    /// Show how a running sidecar stands: each delivery, its age, its lease, what failed, and what
    /// goes where
    Status(Status),
    /// Show what deliveries with `history` carried, when, and where from: names and versions, never
    /// values
    ///
    /// It also shows which versions Vault still has, where the token may read `kv/metadata/…`.
    /// `keyferry job --to previous` goes back.
    History(History),
    /// Say where a Secret of the cluster comes from: configuration, delivery, sources and their
    /// versions
    ///
    /// Reads what keyferry noted on the Secret itself, and none of its values: it needs no
    /// configuration and no Vault, only `get` on the Secret. `at or after version 7` means: the
    /// values are those of version 7 of the source; a later version with equal values writes
    /// nothing. A Secret that keyferry did not write is said to be so, with its field managers.
    Trace(Trace),
    /// Show what a pass would change and why: names, keys, sizes, never values
    ///
    /// Exits with 0 when nothing would change and with 10 when something would. With `reflector` in
    /// the configuration it also shows which copies a sidecar that started now would adopt, make,
    /// update, fill, delete or leave, and why; for this it only lists and reads.
    Plan(PlanArgs),
    /// Fetch, then become CMD with the fields of one delivery in its environment
    ///
    /// No process of keyferry stays behind, except with --watch: then it restarts CMD when a field
    /// changes, hands signals on and buries orphans. CMD gets the ignored signals and the mask that
    /// keyferry was started with. With --watch it is looked for in a delivered PATH first. The exit
    /// code is that of CMD. Targets are not written.
    Exec(Exec),
    /// Check configuration and templates without any network
    ///
    /// Says file:line:column of what is wrong. With --keys it also opens all that is encrypted and
    /// says who can read it, which key opens it, whether it was changed and what lies in it in
    /// clear; it asks a server only where keys or SealedSecrets come from one. With --targets it
    /// compares file targets too and names each variable that is missing or differs (exit code 10).
    Check(Check),
    /// Copy this program into a folder, as DIR/keyferry
    ///
    /// For an init container with a volume that it shares with a container of any image: that one
    /// then starts with `DIR/keyferry exec -- CMD` and has its environment, without a shell and
    /// without a change of its image. A copy that is there is replaced in one step. Mode 0755.
    Install {
        /// The folder: a volume that the containers share
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Print the rights that a configuration needs, ready to be granted
    ///
    /// From the configuration alone: each verb, name and path that its mode needs, and none more.
    /// What is only helpful is marked as optional, with what is lost without it.
    #[command(subcommand)]
    Grants(Grants),
    /// Say what can be written at a place of the configuration
    ///
    /// A place is the keys on the way to it: `keyferry explain deliveries.to.file`. Without one:
    /// the top.
    Explain(Explain),
    /// Print a configuration to start with, with comments
    ///
    /// `keyferry new init > keyferry.yaml`, then `keyferry check`. On a terminal it asks what it is
    /// for.
    New {
        /// What it is for
        #[arg(value_enum, value_name = "KIND")]
        kind: Option<Start>,
    },
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print a completion script
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page
    Man,
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

/// One pass.
#[derive(Debug, Args)]
pub(crate) struct Pass {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) limit: Deadline,
    /// Only show what would change, as `plan` does
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) back: Back,
    /// Let `prune` delete up to N Secrets of a set of manifests, or copies of a delivery, where it
    /// refused so many
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) allow_deletes: usize,
}

/// One pass before a pod starts.
#[derive(Debug, Args)]
#[command(mut_arg("deadline", |arg| arg.default_value("5m").help(
    "When all waiting ends, waiting for the token file included: 90s, 2m, 1h30m, 7d"
)))]
pub(crate) struct Init {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) limit: Deadline,
    /// Only show what would change, as `plan` does
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Stay.
#[derive(Debug, Args)]
pub(crate) struct Sidecar {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) address: Address,
    /// Let `prune` and `onMissing: delete` delete up to N at once, where they refused so many. For
    /// one start: take it away again
    #[arg(
        long,
        value_name = "N",
        env = "KEYFERRY_ALLOW_DELETES",
        default_value_t = 0
    )]
    pub(crate) allow_deletes: usize,
    /// A name under which it may be asked, beside addresses, `localhost` and the pod's own name;
    /// may be given several times
    #[arg(
        long,
        value_name = "NAME",
        env = "KEYFERRY_ALLOW_HOST",
        value_delimiter = ','
    )]
    pub(crate) allow_host: Vec<String>,
}

/// Where a running sidecar answers.
#[derive(Debug, Args)]
pub(crate) struct Address {
    /// Address of /livez, /readyz, /metrics, /status and of a page at /; `:9733` for all addresses
    /// of both families
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "KEYFERRY_LISTEN",
        default_value = "127.0.0.1:9733"
    )]
    pub(crate) listen: Listen,
}

/// How a running sidecar is.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) address: Address,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: client::Format,
}

/// What would change.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: Format,
    /// As for `job`: show what it would do with the same N
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) allow_deletes: usize,
    #[command(flatten)]
    pub(crate) limit: Deadline,
}

/// Where something comes from.
#[derive(Debug, Args)]
#[command(mut_arg("deadline", |arg| arg.default_value("30s")))]
pub(crate) struct Trace {
    /// What it is
    #[arg(value_enum, value_name = "KIND")]
    pub(crate) kind: TraceKind,
    /// NAMESPACE/NAME, or NAME in the namespace of the pod or of the kubeconfig's context
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: mode::Format,
    #[command(flatten)]
    pub(crate) limit: Deadline,
}

/// What can be traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TraceKind {
    /// A Secret of the cluster.
    Secret,
}

/// `90s`, `2m`, `1h30m`, `7d`, or seconds; at most 30 days.
fn duration(text: &str) -> Result<Duration, String> {
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
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

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
