//! Copies: which namespaces, and what the reflector may do.

use std::time::Duration;

use super::super::at::{At, Shown};
use super::super::problem::Problem;
use super::super::raw::{
    RawBrake, RawCeiling, RawDialect, RawLease, RawMarkKey, RawReflect, RawReflector, RawSecret,
};
use super::super::{Delivery, Location, Reflect, Reflector, SILENCE, SecretRef, Target};
use super::Checker;
use crate::base::brake::Limits;
use crate::base::failure::Class;
use crate::reflect::glob::{Ceiling, Glob};
use crate::reflect::index::Rules;
use crate::reflect::offer::Dialect;
use crate::reflect::pattern::Matching;
use crate::reflect::selector::Selector;

/// Where nobody's copies belong unless somebody says so.
const SYSTEM: &str = "kube-*";

/// The name of the Lease by default.
const LEASE: &str = "keyferry-reflector";

/// The name of the Secret with the keys of the marks.
const MARK_KEY: &str = "keyferry-marks";

/// Writes under way at once by default; more would only wait in the API server.
const PARALLEL: u64 = 16;

/// Shorter is a busy loop of lists, and longer is what liveness calls stuck.
const SILENCES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// How long it must be quiet before deletions are judged.
const SETTLE: Duration = Duration::from_millis(300);

/// Where the keys of the marks are, where nothing else is configured.
pub(super) fn usual_mark_key() -> SecretRef {
    SecretRef {
        namespace: None,
        name: MARK_KEY.to_owned(),
    }
}

/// What would delete copies and could not tell them from what somebody else made to look like them.
pub(super) fn unsigned<'a>(
    deliveries: &'a [Delivery],
    mark_key: Option<&SecretRef>,
) -> impl Iterator<Item = Problem> + 'a {
    let prunes = |target: &Target| match target {
        Target::Secret(secret) => secret.reflect.as_ref().is_some_and(|reflect| reflect.prune),
        Target::File(_) | Target::Files(_) => false,
    };
    let signs = mark_key.is_some();
    let unsigned = deliveries
        .iter()
        .filter(move |delivery| !signs && delivery.to.iter().any(prunes));
    unsigned.map(|delivery| Problem {
        at: delivery.at.clone(),
        what: format!(
            "delivery `{}`: `prune` beside `reflect` needs `markKey`: without a key, anybody \
             could make what looks like a copy",
            delivery.name
        ),
        hint: Some(format!(
            "add `markKey: {{}}`: the Secret `{MARK_KEY}` in our own namespace then holds the \
             key, and is made when it is not there"
        )),
        class: Class::Configuration,
    })
}

impl Checker<'_> {
    /// Copies beside a Secret.
    pub(super) fn reflect(
        &mut self,
        written: At<RawReflect>,
        secret: Option<&At<RawSecret>>,
    ) -> Option<Reflect> {
        let at = self.at(&written);
        let RawReflect {
            namespaces,
            selector,
            rename,
            pick,
            labels,
            home,
            prune,
        } = written.value;
        let Some(secret) = secret else {
            self.problem(
                at,
                "`reflect` is of use only beside `secret`",
                "add `secret: {name: …}`",
            );
            return None;
        };
        if namespaces.is_empty() && selector.is_none() {
            self.problem(
                at.clone(),
                "`reflect` says no namespace",
                "add `namespaces: [\"team-*\"]` or `selector: …`",
            );
        }
        if !home && (secret.value.namespace.is_some()) {
            self.problem(
                at.clone(),
                "with `home: false` the Secret's own `namespace` means nothing",
                "remove one of the two",
            );
        }
        self.no_marks(&at, "label", &labels);
        let mut globs = self.globs(&namespaces);
        if namespaces.is_empty() {
            globs.extend(Glob::parse("*"));
        }
        Some(Reflect {
            namespaces: globs,
            selector: selector.and_then(|selector| self.selector(&selector)),
            rename: rename.map(|name| self.object_name(&name, "the copies' name")),
            pick: pick.iter().map(|key| self.name(key, "this key")).collect(),
            labels,
            home,
            prune,
        })
    }

    /// Copies by annotation.
    pub(super) fn reflector(&mut self, written: At<RawReflector>) -> Reflector {
        let at = self.at(&written);
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
                at.clone(),
                "`reflector` does not say which namespaces may offer copies",
                "add `sources: {namespaces: [platform]}`; `[\"*\"]` lets everyone who may write \
                 annotations in any namespace put objects into others, as \
                 emberstack's reflector does",
            );
        }
        let system = if strict { None } else { Some(SYSTEM) };
        let names: Vec<String> = namespaces.iter().map(|name| self.namespace(name)).collect();
        let rules = Rules {
            dialects: self.dialects(&dialects, &at),
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
            labels: self.keys(&labels),
            annotations: self.keys(&annotations),
            parallel: self.parallel(parallel.as_ref()),
            silence: silence.map_or(SILENCE, |silence| self.silence(&silence)),
            lease: self.lease(lease),
            // Of all files together: see where they are merged.
            mark_key: usual_mark_key(),
        }
    }

    fn dialects(&mut self, written: &[RawDialect], at: &Location) -> Vec<Dialect> {
        let mut dialects: Vec<Dialect> = written
            .iter()
            .map(|dialect| match dialect {
                RawDialect::Emberstack => Dialect::Emberstack,
                RawDialect::Mittwald => Dialect::Mittwald,
            })
            .collect();
        dialects.sort_unstable();
        dialects.dedup();
        if dialects.is_empty() {
            self.problem(
                at.clone(),
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
                at.clone(),
                format!("`percent: {percent}` is more than all"),
                "write a number from 0 to 100",
            );
        }
        Limits {
            least: number(written.least, usual.least),
            percent,
        }
    }

    fn parallel(&mut self, written: Option<&At<u64>>) -> usize {
        let number = written.map_or(PARALLEL, |written| written.value);
        match usize::try_from(number) {
            Ok(number @ 1..=256) => number,
            Ok(_) | Err(_) => {
                if let Some(written) = written {
                    let at = self.at(written);
                    self.problem(
                        at,
                        format!("`parallel: {number}` is out of bounds"),
                        "write a number from 1 to 256",
                    );
                }
                1
            }
        }
    }

    fn silence(&mut self, written: &At<Shown>) -> Duration {
        let silence = self.duration(written).unwrap_or(SILENCE);
        let (least, most) = SILENCES;
        if !(least..=most).contains(&silence) {
            let at = self.at(written);
            self.problem(
                at,
                format!("`silence: {}` is out of bounds", &*written.value),
                "write a time from 5s to 5m",
            );
        }
        silence
    }

    fn lease(&mut self, written: Option<At<RawLease>>) -> SecretRef {
        let (namespace, name) = match written {
            Some(At {
                value: RawLease { namespace, name },
                ..
            }) => (namespace, name),
            None => (None, None),
        };
        SecretRef {
            namespace: namespace.map(|namespace| self.namespace(&namespace)),
            name: name.map_or_else(
                || LEASE.to_owned(),
                |name| self.object_name(&name, "the Lease's name"),
            ),
        }
    }

    /// The Secret with the keys of the marks.
    pub(super) fn mark_key(&mut self, written: At<RawMarkKey>) -> SecretRef {
        let RawMarkKey { namespace, name } = written.value;
        SecretRef {
            namespace: namespace.map(|namespace| self.object_name(&namespace, "the namespace")),
            name: name.map_or_else(
                || usual_mark_key().name,
                |name| self.object_name(&name, "the name of the Secret"),
            ),
        }
    }

    fn selector(&mut self, written: &At<Shown>) -> Option<Selector> {
        let text = self.text(written);
        match Selector::parse(&text) {
            Ok(selector) => Some(selector),
            Err(error) => {
                let at = self.at(written);
                self.problem(at, error.to_string(), "write it as for `kubectl -l`");
                None
            }
        }
    }

    fn globs(&mut self, written: &[At<Shown>]) -> Vec<Glob> {
        self.each_glob(written, Glob::parse, "no name of a namespace")
    }

    fn keys(&mut self, written: &[At<Shown>]) -> Vec<Glob> {
        self.each_glob(written, Glob::parse_key, "no key of a label or annotation")
    }

    fn each_glob(
        &mut self,
        written: &[At<Shown>],
        parse: fn(&str) -> Option<Glob>,
        what: &str,
    ) -> Vec<Glob> {
        let mut globs = Vec::new();
        for written in written {
            let text = self.text(written);
            match parse(&text) {
                Some(glob) => globs.push(glob),
                None => {
                    let at = self.at(written);
                    self.problem(
                        at,
                        format!("`{text}` is {what}"),
                        "`*` stands for any text, `?` for any character",
                    );
                }
            }
        }
        globs
    }
}
