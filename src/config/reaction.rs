//! Reactions to a change: a signal, a command, a restart, a call.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::located::{At, Hidden, Shown};
use super::process::Process;
use super::{Location, SecretRef};
use crate::base::address::is_private;

/// Exactly one reaction to a change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawReaction {
    /// Send a signal to a process.
    pub signal: Option<RawSignal>,
    /// Run a command, without a shell.
    pub run: Option<RawRun>,
    /// Restart a workload by an annotation on its pod template.
    pub restart: Option<RawRestart>,
    /// POST the names of what changed.
    pub webhook: Option<RawWebhook>,
}

/// A reaction to a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    /// Send a signal.
    Signal {
        /// The processes that get the signal.
        to: Process,
        /// The signal.
        signal: SignalName,
    },
    /// Run a command.
    Run {
        /// Program and arguments.
        command: Vec<String>,
        /// Time after which the command is killed.
        timeout: Duration,
    },
    /// Restart a workload.
    Restart {
        /// Its kind.
        kind: Workload,
        /// Its name; in our own namespace where none is written.
        at: SecretRef,
        /// How long its pods may take to be new and available (default: not waited for).
        wait: Option<Duration>,
    },
    /// Call a server.
    Webhook {
        /// Its address.
        url: String,
        /// The only trusted roots; `None`: the system's.
        ca_file: Option<PathBuf>,
        /// The key that signs the call.
        key_file: Option<PathBuf>,
    },
}

impl Reaction {
    /// The words for all reactions.
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
    /// The files that the reaction reads, and what each is.
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
            // Arguments may be long, so only the program is named.
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

impl Checker<'_> {
    pub(super) fn reaction(&mut self, written: At<RawReaction>) -> Option<Reaction> {
        let at = self.location(&written);
        let RawReaction {
            signal,
            run,
            restart,
            webhook,
        } = written.value;
        let given = [
            ("signal", signal.map(|written| self.signal(&at, written))),
            ("run", run.map(|written| self.command(&at, written))),
            ("restart", restart.map(|written| self.restart(&at, written))),
            ("webhook", webhook.map(|written| self.webhook(written))),
        ];
        self.only(&at, "a reaction", given)
    }
}

/// A signal to a process of this machine or pod.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawSignal {
    /// Name of the program; all processes of that name. In a pod it needs `shareProcessNamespace`.
    pub process: Option<At<Shown>>,
    /// File with the process id.
    pub pid_file: Option<At<Shown>>,
    /// The signal (default: HUP).
    pub signal: Option<SignalName>,
}

/// The signals that can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SignalName {
    /// Usually: read the configuration again.
    Hup,
    /// Interrupt.
    Int,
    /// Quit.
    Quit,
    /// Of the program's own meaning.
    Usr1,
    /// Of the program's own meaning.
    Usr2,
    /// End.
    Term,
    /// Some servers: end gracefully.
    Winch,
}

impl Checker<'_> {
    fn signal(&mut self, at: &Location, written: RawSignal) -> Option<Reaction> {
        let RawSignal {
            process,
            pid_file,
            signal,
        } = written;
        Some(Reaction::Signal {
            to: self.process(at, "`signal`", process, pid_file)?,
            signal: signal.unwrap_or(SignalName::Hup),
        })
    }
}

/// A command.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawRun {
    /// Program and arguments. KEYFERRY_DELIVERY names the delivery; no secret is in its
    /// environment.
    pub command: Vec<At<Hidden>>,
    /// When it is killed with all it started (default: "30s").
    pub timeout: Option<At<Shown>>,
}

const RUN: Duration = Duration::from_secs(30);

impl Checker<'_> {
    fn command(&mut self, at: &Location, written: RawRun) -> Option<Reaction> {
        let RawRun { command, timeout } = written;
        if command.is_empty() {
            self.problem(
                at,
                "`run` has no command",
                "write `command: [program, argument]`",
            );
            return None;
        }
        Some(Reaction::Run {
            command: command.iter().map(|part| self.text(part)).collect(),
            timeout: timeout.map_or(Some(RUN), |text| self.duration(&text))?,
        })
    }
}

/// A workload: exactly one of the three, as `name` or `namespace/name`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawRestart {
    /// A Deployment.
    pub deployment: Option<At<Shown>>,
    /// A StatefulSet.
    pub stateful_set: Option<At<Shown>>,
    /// A DaemonSet.
    pub daemon_set: Option<At<Shown>>,
    /// Wait this long until its pods are new and available, and call it a failure if they are not.
    pub wait: Option<At<Shown>>,
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

impl Checker<'_> {
    fn restart(&mut self, at: &Location, written: RawRestart) -> Option<Reaction> {
        let RawRestart {
            deployment,
            stateful_set,
            daemon_set,
            wait,
        } = written;
        let given = |kind, name: Option<At<Shown>>| name.map(|name| Some((kind, name)));
        let given = [
            ("deployment", given(Workload::Deployment, deployment)),
            ("statefulSet", given(Workload::StatefulSet, stateful_set)),
            ("daemonSet", given(Workload::DaemonSet, daemon_set)),
        ];
        let wait = wait.and_then(|text| self.duration(&text));
        let (kind, name) = self.only(at, "`restart`", given)?;
        let part = |value: &str| name.with(Shown(value.to_owned()));
        let text = self.text(&name);
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(part(namespace)), part(name)),
            None => (None, part(&text)),
        };
        Some(Reaction::Restart {
            kind,
            at: self.object(namespace, &name, "the workload's name"),
            wait,
        })
    }
}

/// A call to a server: an id, the time, the delivery's name, its targets and the names of changed
/// keys, never a value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawWebhook {
    /// `https://…`, or `http://` on this machine.
    pub url: At<Hidden>,
    /// The only roots that are trusted (default: the system's).
    pub ca_file: Option<At<Shown>>,
    /// File with the key of the HMAC-SHA256 in the header `X-Keyferry-Signature`, which covers an
    /// id and a time too.
    pub key_file: Option<At<Shown>>,
}

impl Checker<'_> {
    fn webhook(&mut self, written: RawWebhook) -> Option<Reaction> {
        let RawWebhook {
            url,
            ca_file,
            key_file,
        } = written;
        let text = self.text(&url);
        let uri: Option<http::Uri> = text.parse().ok();
        if !uri.is_some_and(|uri| is_private(&uri)) {
            self.problem(
                &url,
                "the webhook's address is not https://, nor http:// on this machine",
                "write it as https://host/path",
            );
            return None;
        }
        Some(Reaction::Webhook {
            url: text,
            ca_file: ca_file.map(|file| self.path(&file)),
            key_file: key_file.map(|file| self.path(&file)),
        })
    }
}
