//! What only a sidecar reads: how often, what to do about stale data, and whom to tell of a change.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::at::{At, Hidden, Shown};
use super::super::window::RawWindow;

/// How `keyferry sidecar` and `keyferry exec --watch` stay.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RawSidecar {
    /// How often sources that cannot be watched are read (default: "5m"). A tenth of it is left
    /// to chance.
    pub refresh: Option<At<Shown>>,
    /// Folder for notes of reactions that are due, so that they outlive a restart; for deliveries
    /// without a file target.
    pub state: Option<At<Shown>>,
    /// keyferry ends when this process ends: for a plain sidecar in a Job.
    pub end_with: Option<At<RawEndWith>>,
    /// Metrics, a span per pass and the log go there, those of `job` and `init` too:
    /// `grpc://collector:4317` is OTLP over gRPC, `http://collector:4318` over HTTP in JSON;
    /// `grpcs://` and `https://` are the same with TLS.
    pub otlp: Option<At<Shown>>,
    /// Tell of failures and recoveries with Events at our pod, else at the Secret that is
    /// delivered (default: true).
    pub events: Option<bool>,
    /// Show people a page at `/` of the listener: names, ages and reasons, never a value
    /// (default: true).
    pub status_page: Option<bool>,
    /// When delivered data may be changed (default: at any time). Data that would end is replaced
    /// at any time.
    pub windows: Vec<At<RawWindow>>,
}

/// A process of this machine or pod: exactly one of the two. keyferry waits for it to start.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawEndWith {
    /// Name of the program; the last process of that name. In a pod it needs
    /// `shareProcessNamespace`.
    pub process: Option<At<Shown>>,
    /// File with the process id.
    pub pid_file: Option<At<Shown>>,
}

/// What to do when a source fails that was delivered before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RawOnFailure {
    /// Keep the delivered data, and stay ready.
    Keep,
    /// Keep the delivered data, but be unready.
    Unready,
    /// Only `onMissing`: remove the delivered data once the source is definitely gone.
    Delete,
}

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

/// A signal to a process of this machine or pod.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawSignal {
    /// Name of the program; all processes of that name. In a pod it needs `shareProcessNamespace`.
    pub process: Option<At<Shown>>,
    /// File with the process id.
    pub pid_file: Option<At<Shown>>,
    /// The signal (default: HUP).
    pub signal: Option<RawSignalName>,
}

/// The signals that can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RawSignalName {
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
