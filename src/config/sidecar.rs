//! How a sidecar stays: how often it looks, what it does about stale data, and whom it tells of a
//! change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SecretRef;
pub use super::raw::RawSignalName as SignalName;
use super::window::Window;

/// How often sources that cannot be watched are read by default.
pub const REFRESH: Duration = Duration::from_secs(300);

/// What all deliveries share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    /// How often (default: [`REFRESH`]).
    pub refresh: Option<Duration>,
    /// Where owed reactions are remembered for deliveries without file targets.
    pub state: Option<PathBuf>,
    /// The process whose end is ours.
    pub end_with: Option<Process>,
    /// An OpenTelemetry collector.
    pub otlp: Option<Collector>,
    /// Whether Events of the cluster tell of failures.
    pub events: bool,
    /// Whether people are shown a page.
    pub status_page: bool,
    /// When changes may be made; at any time where it is empty.
    pub windows: Vec<Window>,
}

impl Default for Sidecar {
    fn default() -> Self {
        Self {
            refresh: None,
            state: None,
            end_with: None,
            otlp: None,
            events: true,
            status_page: true,
            windows: Vec::new(),
        }
    }
}

/// A collector's address, `http://…` or `https://…` without a final slash, by what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collector {
    /// gRPC.
    Grpc(String),
    /// HTTP, and JSON in it.
    Http(String),
}

/// What one delivery says about its age.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Staleness {
    /// How often its sources are read, where it differs from the others.
    pub refresh: Option<Duration>,
    /// Older than this it is not ready.
    pub max_age: Option<Duration>,
    /// When changes may be made, where it differs from the others.
    pub windows: Vec<Window>,
    /// When a source or field is absent.
    pub on_missing: OnFailure,
    /// When a login or a right is refused.
    pub on_denied: OnFailure,
    /// When a provider cannot be reached.
    pub on_unavailable: OnFailure,
    /// Whether targets that an earlier run left count as delivered while a provider is down.
    pub accept_cached: bool,
}

/// What to do when a source fails that was delivered before.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Keep what was delivered.
    #[default]
    Keep,
    /// Keep it, but be unready.
    Unready,
    /// Remove it, if it is definitely gone.
    Delete,
}

/// What follows a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    /// Send a signal.
    Signal {
        /// To whom.
        to: Process,
        /// Which.
        signal: SignalName,
    },
    /// Run a command.
    Run {
        /// Program and arguments.
        command: Vec<String>,
        /// When it is killed.
        timeout: Duration,
    },
    /// Restart a workload.
    Restart {
        /// Its kind.
        kind: Workload,
        /// Its name; without a namespace our own.
        at: SecretRef,
        /// How long its pods may take to be new and available (default: not waited for).
        wait: Option<Duration>,
    },
    /// Call a server.
    Webhook {
        /// Its address.
        url: String,
        /// The only roots that are trusted.
        ca_file: Option<PathBuf>,
        /// The key that signs the call.
        key_file: Option<PathBuf>,
    },
}

/// Who gets a signal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// All processes of a program's name.
    Named(String),
    /// The one whose id is in a file.
    PidFile(PathBuf),
}

/// Workloads that can be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl Workload {
    /// As messages name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
        }
    }
}

impl Reaction {
    /// Each word that there is.
    pub const WORDS: [&'static str; 4] = ["signal", "run", "restart", "webhook"];

    /// The word for it in logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Signal { .. } => "signal",
            Self::Run { .. } => "run",
            Self::Restart { .. } => "restart",
            Self::Webhook { .. } => "webhook",
        }
    }
}

impl Reaction {
    /// The files that it reads, and what each is.
    pub fn files(&self) -> Vec<(&Path, &'static str)> {
        match self {
            Self::Webhook {
                ca_file, key_file, ..
            } => {
                let ca = ca_file.as_deref().map(|file| (file, "a CA file"));
                let key = key_file.as_deref().map(|file| (file, "a key"));
                ca.into_iter().chain(key).collect()
            }
            Self::Signal { .. } | Self::Run { .. } | Self::Restart { .. } => Vec::new(),
        }
    }
}

impl std::fmt::Display for Reaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signal { to, signal } => {
                let signal = format!("{signal:?}").to_uppercase();
                match to {
                    Process::Named(name) => write!(f, "signal {signal} to {name}"),
                    Process::PidFile(file) => {
                        write!(f, "signal {signal} to the process of {}", file.display())
                    }
                }
            }
            // Arguments may be long, and are the configuration's own affair.
            Self::Run { command, .. } => {
                write!(f, "run {}", command.first().map_or("", String::as_str))
            }
            Self::Restart { kind, at, .. } => write!(f, "restart {} {at}", kind.word()),
            // A path or query may hold a token.
            Self::Webhook { url, .. } => {
                let end = url.find("://").map_or(0, |at| at + 3);
                let host = url.get(end..).unwrap_or_default();
                write!(
                    f,
                    "webhook {}",
                    host.split(['/', '?', '#']).next().unwrap_or("")
                )
            }
        }
    }
}
