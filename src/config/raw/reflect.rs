//! Copies as they are written: `reflect` beside a Secret, and `reflector`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Shown};

/// Copies of a Secret in other namespaces.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawReflect {
    /// Names of namespaces; `*` is any text, `?` any character. A plain name must
    /// exist. Default: all, where there is a `selector`.
    #[serde(default)]
    pub namespaces: Vec<At<Shown>>,
    /// Only namespaces with such labels, as `kubectl -l` takes them.
    pub selector: Option<At<Shown>>,
    /// Name of the copies (default: that of the Secret).
    pub rename: Option<At<Shown>>,
    /// Only these keys are copied.
    #[serde(default)]
    pub pick: Vec<At<Shown>>,
    /// Labels of the copies. Those of the Secret are not copied.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// `false`: the copies are all there is, and nothing is written at the Secret's own place.
    #[serde(default = "yes")]
    pub home: bool,
    /// Delete copies that this delivery made and declares no more.
    #[serde(default)]
    pub prune: bool,
}

/// Copies by annotation: `keyferry sidecar` as a Deployment, in place of emberstack's reflector or
/// mittwald's replicator.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawReflector {
    /// Whose annotations are read (default: both).
    #[serde(default = "both")]
    pub dialects: Vec<RawDialect>,
    /// As emberstack's reflector does it, where we would rather do something else: see
    /// docs/reflect.md.
    #[serde(default)]
    pub strict: bool,
    /// Objects may ask to be filled from a source that allows it.
    #[serde(default = "yes")]
    pub pull: bool,
    /// Put right what others change in a copy; `true` unless `strict`.
    pub repair: Option<bool>,
    /// Take over copies that the original controllers made.
    #[serde(default = "yes")]
    pub adopt: bool,
    /// Namespaces whose objects may offer copies. Its `namespaces` is required; `["*"]` is
    /// everyone.
    #[serde(default)]
    pub sources: RawCeiling,
    /// Where copies are made and deleted; never in `kube-*` unless `exclude` says something else,
    /// or `strict`.
    #[serde(default)]
    pub targets: RawCeiling,
    /// The only namespaces that are looked at, by name: then rights in these are enough. Labels of
    /// namespaces are unknown then.
    #[serde(default)]
    pub namespaces: Vec<At<Shown>>,
    /// Labels of a source that its copies get; `*` is any text.
    #[serde(default)]
    pub labels: Vec<At<Shown>>,
    /// Annotations of a source that its copies get; `*` is any text.
    #[serde(default)]
    pub annotations: Vec<At<Shown>>,
    /// How many copies may go without asking.
    #[serde(default)]
    pub brake: RawBrake,
    /// Writes under way at once.
    pub parallel: Option<At<u64>>,
    /// A connection on which nothing was heard for so long is given up: `5s` to `5m`, by default
    /// `150s`. A server sends something about every minute, so less than `90s` lists everything
    /// again again and again.
    pub silence: Option<At<Shown>>,
    /// The Lease that decides who of several replicas works.
    pub lease: Option<At<RawLease>>,
}

/// Whose annotations are read.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RawDialect {
    /// reflector.v1.k8s.emberstack.com/…
    Emberstack,
    /// replicator.v1.mittwald.de/…
    Mittwald,
}

/// Namespaces that count.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RawCeiling {
    /// Those that count. Of `targets`: all by default.
    pub namespaces: Option<Vec<At<Shown>>>,
    /// But not these.
    pub exclude: Option<Vec<At<Shown>>>,
}

/// How many copies may go without asking.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RawBrake {
    /// So many within a minute always (default: 3).
    pub least: Option<u32>,
    /// Or so many of a hundred (default: 20).
    pub percent: Option<u32>,
}

/// A Lease.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawLease {
    /// Our own namespace by default.
    pub namespace: Option<At<Shown>>,
    /// Its name (default: `keyferry-reflector`).
    pub name: Option<At<Shown>>,
}

/// The Secret that holds the keys of the marks. It is made when it is not there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawMarkKey {
    /// Our own namespace where it is left out.
    pub namespace: Option<At<Shown>>,
    /// Its name; `keyferry-marks` where it is left out.
    pub name: Option<At<Shown>>,
}

fn yes() -> bool {
    true
}

fn both() -> Vec<RawDialect> {
    vec![RawDialect::Emberstack, RawDialect::Mittwald]
}
