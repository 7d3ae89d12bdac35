//! Copies by annotation: what the reflector may do.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::declared_copies::usual_mark_key;
use super::located::{At, Shown};
use super::{Location, SecretRef};
use crate::base::deletion_brake::Limits;
use crate::copy_rules::annotations::Dialect;
use crate::copy_rules::glob::{Ceiling, Glob};
use crate::copy_rules::index::Rules;
use crate::copy_rules::pattern::Matching;

/// Copies by annotation: `keyferry sidecar` as a Deployment, in place of emberstack's reflector or
/// mittwald's replicator.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawReflector {
    /// Whose annotations are read (default: both).
    #[serde(default = "both")]
    pub dialects: Vec<Dialect>,
    /// As emberstack's reflector does it, where we would rather do something else: see
    /// docs/reflect.md.
    #[serde(default)]
    pub strict: bool,
    /// Objects may ask to be filled from a source that allows it.
    #[serde(default = "super::located::yes")]
    pub pull: bool,
    /// Put right what others change in a copy; `true` unless `strict`.
    pub repair: Option<bool>,
    /// Take over copies that the original controllers made.
    #[serde(default = "super::located::yes")]
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

fn both() -> Vec<Dialect> {
    vec![Dialect::Emberstack, Dialect::Mittwald]
}

/// Copies by annotation.
#[derive(Debug, Clone)]
pub struct Reflector {
    /// The rules: what is copied, and to which namespaces.
    pub rules: Rules,
    /// Labels of a source that its copies get.
    pub labels: Vec<Glob>,
    /// Annotations of a source that its copies get.
    pub annotations: Vec<Glob>,
    /// Writes under way at once.
    pub parallel: usize,
    /// How long a watch may hear nothing before its connection is given up.
    pub silence: Duration,
    /// The Lease that decides who of several replicas works.
    pub lease: SecretRef,
    /// The Secret that holds the keys of the marks.
    pub mark_key: SecretRef,
}

/// How long a watch may hear nothing by default. A server sends a bookmark about every minute: two
/// may be missed.
pub const SILENCE: Duration = Duration::from_secs(150);

/// Bounds of the silence: a shorter one lists in a busy loop, and a longer one fails the liveness
/// probe.
const SILENCES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// Namespaces without copies, unless the configuration says otherwise.
const SYSTEM: &str = "kube-*";

/// The name of the Lease by default.
const LEASE: &str = "keyferry-reflector";

/// Writes under way at once by default; more would only wait in the API server.
const PARALLEL: usize = 16;

/// How long no change may come before deletions are decided.
const SETTLE: Duration = Duration::from_millis(300);

impl Checker<'_> {
    /// Copies by annotation.
    pub(super) fn reflector(&mut self, written: At<RawReflector>) -> Reflector {
        let at = self.location(&written);
        let RawReflector {
            dialects,
            strict,
            pull,
            repair,
            adopt,
            sources,
            targets,
            namespaces,
            labels,
            annotations,
            brake,
            parallel,
            silence,
            lease,
        } = written.value;
        if sources.namespaces.is_none() {
            self.problem(
                &at,
                "`reflector` does not say which namespaces may offer copies",
                "add `sources: {namespaces: [platform]}`; `[\"*\"]` lets everyone who may write \
                 annotations in any namespace put objects into others, as \
                 emberstack's reflector does",
            );
        }
        let system = if strict { None } else { Some(SYSTEM) };
        let names: Vec<String> = namespaces.iter().map(|name| self.namespace(name)).collect();
        let rules = Rules {
            dialects: self.dialects(dialects, &at),
            matching: if strict {
                Matching::LeftmostFirst
            } else {
                Matching::Whole
            },
            pull,
            repair: repair.unwrap_or(!strict),
            adopt,
            sources: self.ceiling(sources, None),
            targets: self.ceiling(targets, system),
            limits: self.limits(&brake, &at),
            settle: SETTLE,
            namespaces: (!names.is_empty()).then_some(names),
        };
        Reflector {
            rules,
            labels: self.key_patterns(&labels),
            annotations: self.key_patterns(&annotations),
            parallel: parallel.map_or(PARALLEL, |number| {
                self.bounded(&number, "parallel", 1..=256, "write a number from 1 to 256")
            }),
            silence: silence.map_or(SILENCE, |silence| self.silence(&silence)),
            lease: self.lease(lease),
            // `check::merge` replaces it: all files share one key.
            mark_key: usual_mark_key(),
        }
    }

    fn dialects(&mut self, mut dialects: Vec<Dialect>, at: &Location) -> Vec<Dialect> {
        dialects.sort_unstable();
        dialects.dedup();
        if dialects.is_empty() {
            self.problem(
                at,
                "a reflector without `dialects` does nothing",
                "name `emberstack`, `mittwald` or both",
            );
        }
        dialects
    }

    fn ceiling(&mut self, written: RawCeiling, system: Option<&str>) -> Ceiling {
        let RawCeiling {
            namespaces,
            exclude,
        } = written;
        let parsed = |text: &str| Glob::parse(text).into_iter().collect();
        Ceiling {
            namespaces: match namespaces {
                Some(names) => self.globs(&names),
                None => parsed("*"),
            },
            exclude: match exclude {
                Some(names) => self.globs(&names),
                None => system.map(parsed).unwrap_or_default(),
            },
        }
    }

    fn limits(&mut self, written: &RawBrake, at: &Location) -> Limits {
        let usual = Limits::default();
        let number = |value: Option<u32>, usual: usize| {
            value.map_or(usual, |value| usize::try_from(value).unwrap_or(usual))
        };
        let percent = number(written.percent, usual.percent);
        if percent > 100 {
            self.problem(
                at,
                format!("`percent: {percent}` is more than all"),
                "write a number from 0 to 100",
            );
        }
        Limits {
            least: number(written.least, usual.least),
            percent,
        }
    }

    fn silence(&mut self, written: &At<Shown>) -> Duration {
        let silence = self.duration(written).unwrap_or(SILENCE);
        let (least, most) = SILENCES;
        if !(least..=most).contains(&silence) {
            self.problem(
                written,
                format!("`silence: {}` is out of bounds", &*written.value),
                "write a time from 5s to 5m",
            );
        }
        silence
    }

    fn lease(&mut self, written: Option<At<RawLease>>) -> SecretRef {
        let written = written.map(|lease| (lease.value.namespace, lease.value.name));
        let (namespace, name) = written.unwrap_or_default();
        self.object_or(LEASE, namespace, name, "the Lease's name")
    }

    fn key_patterns(&mut self, written: &[At<Shown>]) -> Vec<Glob> {
        self.each_glob(written, Glob::parse_key, "no key of a label or annotation")
    }
}
