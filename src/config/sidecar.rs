//! Settings of a sidecar, which all deliveries share.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::located::{At, Shown};
use super::process::{Process, RawEndWith};
use super::window::{RawWindow, Window};
use crate::base::address::is_bare;

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

/// Settings that all deliveries share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    /// How often sources that cannot be watched are read (default: [`REFRESH`]).
    pub refresh: Option<Duration>,
    /// Folder for notes of due reactions, for deliveries without file targets.
    pub state: Option<PathBuf>,
    /// The process that keyferry ends with.
    pub end_with: Option<Process>,
    /// An OpenTelemetry collector.
    pub otlp: Option<Collector>,
    /// Whether Events of the cluster tell of failures.
    pub events: bool,
    /// Whether the listener shows a status page.
    pub status_page: bool,
    /// When changes may be made; empty: at any time.
    pub windows: Vec<Window>,
}

/// How often sources that cannot be watched are read by default.
pub const REFRESH: Duration = Duration::from_secs(300);

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

impl Checker<'_> {
    pub(super) fn sidecar(&mut self, written: At<RawSidecar>) -> Sidecar {
        let RawSidecar {
            refresh,
            state,
            end_with,
            otlp,
            events,
            status_page,
            windows,
        } = written.value;
        Sidecar {
            end_with: end_with.and_then(|written| self.end_with(written)),
            refresh: refresh.and_then(|text| self.duration(&text)),
            state: state.map(|folder| self.target_path(&folder)),
            otlp: otlp.and_then(|address| self.collector(&address)),
            events: events.unwrap_or(true),
            status_page: status_page.unwrap_or(true),
            windows: self.check_items(windows, Self::window),
        }
    }
}

/// A collector's address, `http://…` or `https://…` without a final slash, by protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collector {
    /// gRPC.
    Grpc(String),
    /// HTTP, and JSON in it.
    Http(String),
}

impl Checker<'_> {
    fn collector(&mut self, written: &At<Shown>) -> Option<Collector> {
        self.read(
            written,
            collector,
            "no address of a collector",
            "write it as grpc://host:4317 or http://host:4318, without a path; with TLS grpcs:// \
             or https://",
        )
    }
}

/// A gRPC address must name its port: gRPC has no default.
fn collector(text: &str) -> Option<Collector> {
    let uri: Option<http::Uri> = text.parse().ok();
    let uri = uri.filter(is_bare)?;
    let authority = uri.authority()?;
    match (uri.scheme_str()?, authority.port_u16()) {
        ("grpc", Some(_)) => Some(Collector::Grpc(format!("http://{authority}"))),
        ("grpcs", Some(_)) => Some(Collector::Grpc(format!("https://{authority}"))),
        (scheme @ ("http" | "https"), _) => {
            Some(Collector::Http(format!("{scheme}://{authority}")))
        }
        _ => None,
    }
}
