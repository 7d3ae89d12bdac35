//! How everything stands, in one form: `/status` writes it, `keyferry status` reads it, the page
//! shows it. Names, times and reasons; never a value.
//!
//! What an older keyferry does not tell is empty: who asks may be newer than who answers.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::artifact::SourceVersion;
use crate::config::{Delivery, Reflect, Source, Target};
use crate::reflector::ReflectorStatus;

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Which keyferry it is.
    pub version: String,
    /// `sidecar`, `reflector`, or both.
    pub mode: String,
    /// The pod, or else the machine.
    pub instance: Option<String>,
    /// Why the configuration on disk is not the one in use.
    pub configuration: Option<String>,
    /// The Vault servers that were asked.
    pub vaults: Vec<VaultStatus>,
    /// The reflector, where there is one.
    pub reflector: Option<ReflectorStatus>,
    /// Deliveries and manifests, by name.
    pub deliveries: Vec<DeliveryStatus>,
}

/// One Vault server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VaultStatus {
    /// Its name in the configuration.
    pub server: String,
    /// Whether the last request met a server that does its work.
    pub up: bool,
    /// Whether the last login was granted; nothing before there was one.
    pub logged_in: Option<bool>,
}

/// One delivery, or one file of manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeliveryStatus {
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub sources: Vec<RouteEnd>,
    /// Where it goes.
    pub targets: Vec<RouteEnd>,
    /// Whether it can be used.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
    /// When all of it was last in order.
    pub last_success: Option<String>,
    /// Whether it was an earlier run that put it in order.
    pub cached: bool,
    /// How long ago that was.
    pub age_seconds: Option<u64>,
    /// When it is looked at again; nothing while it is.
    pub next_attempt_seconds: Option<u64>,
    /// How long the first of its leases holds.
    pub lease_seconds: Option<u64>,
    /// What waits for a window.
    pub waiting: Option<WaitingStatus>,
    /// The state that it is held at, in words.
    pub held: Option<String>,
    /// Its Secrets, as the last pass found them.
    pub secrets: Option<SecretsStatus>,
    /// Targets that were written.
    pub changes: u64,
    /// Passes that failed.
    pub failures: u64,
    /// How the last pass failed.
    pub failure: Option<FailureStatus>,
}

/// What is read or written: its kind, and its name as messages have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteEnd {
    /// `vault`, `sops file`, `file`, `secret`, …
    pub kind: String,
    /// Path, or namespace and name.
    pub name: String,
}

/// Changes that wait for a window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WaitingStatus {
    /// Of how many targets.
    pub targets: usize,
    /// Since when.
    pub since: String,
    /// Until when.
    pub opens: String,
    /// The same in words.
    pub text: String,
}

/// Secrets of a delivery, and what they are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretsStatus {
    /// How many there are.
    pub count: usize,
    /// The first of them.
    pub names: Vec<String>,
    /// Whose they are.
    pub configuration: String,
    /// In which versions their sources were read.
    pub sources: Vec<SourceVersion>,
    /// The same in words.
    pub text: String,
}

/// A failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FailureStatus {
    /// The word for its class.
    pub class: String,
    /// What and where.
    pub what: String,
    /// The next move.
    pub hint: Option<String>,
}

/// What a person sees first. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusLine {
    /// It cannot be used.
    NotReady,
    /// What was delivered stays, and the last pass failed.
    Failing,
    /// A change waits for its window.
    Waiting,
    /// Nothing is the matter.
    Good,
}

impl DeliveryStatus {
    /// How it stands.
    pub fn standing(&self) -> StatusLine {
        match (self.ready, &self.failure, &self.waiting) {
            (false, _, _) => StatusLine::NotReady,
            (true, Some(_), _) => StatusLine::Failing,
            (true, None, Some(_)) => StatusLine::Waiting,
            (true, None, None) => StatusLine::Good,
        }
    }

    /// Why it does not stand well, or at an earlier state; empty where all is usual.
    pub fn why(&self) -> String {
        match (&self.reason, &self.failure, &self.waiting) {
            (Some(reason), _, _) => reason.clone(),
            (None, Some(failure), _) => format!("{}: {}", failure.class, failure.what),
            (None, None, Some(waiting)) => waiting.text.clone(),
            (None, None, None) => self.held.clone().unwrap_or_default(),
        }
    }

    /// Where it goes: the Secrets by the names that the last pass found, at most `most` of them.
    pub fn goes_to(&self, most: usize) -> Vec<String> {
        let Some(secrets) = &self.secrets else {
            return self.targets.iter().map(ToString::to_string).collect();
        };
        let others = self.targets.iter().filter(|place| !place.is_in_cluster());
        let named = secrets.names.iter().take(most);
        let left = secrets.count.saturating_sub(most.min(secrets.names.len()));
        let others = others.map(ToString::to_string);
        let named = named.map(|name| format!("secret {name}"));
        let left = (left > 0).then(|| format!("{left} more"));
        others.chain(named).chain(left).collect()
    }

    /// What it is made of: in the versions that the last pass found.
    pub fn comes_from(&self) -> Vec<String> {
        match &self.secrets {
            Some(secrets) => secrets.sources.iter().map(ToString::to_string).collect(),
            None => self.sources.iter().map(ToString::to_string).collect(),
        }
    }
}

const SECRET: &str = "secret";
const COPIES: &str = "copies";

impl RouteEnd {
    fn new(kind: &str, name: impl Into<String>) -> Self {
        let (kind, name) = (kind.to_owned(), name.into());
        Self { kind, name }
    }

    /// What a Secret is called.
    pub fn secret(name: &str) -> Self {
        Self::new(SECRET, name)
    }

    fn is_in_cluster(&self) -> bool {
        self.kind == SECRET || self.kind == COPIES
    }

    /// What a source is called.
    pub fn of_source(source: &Source) -> Self {
        let (kind, name) = source.name_beside(Path::new(""));
        Self::new(kind, name)
    }

    /// What a target is called, and its copies.
    fn of_target(target: &Target) -> Vec<Self> {
        match target {
            Target::File(file) => vec![Self::new("file", file.path.display().to_string())],
            Target::Files(set) => vec![Self::new("files", set.dir.display().to_string())],
            Target::Secret(secret) => {
                let copies = secret.reflect.as_ref();
                let home = copies.is_none_or(|copies| copies.home);
                let home = home.then(|| Self::secret(&secret.at.to_string()));
                let copies = copies.map(|copies| Self::of_copies(copies, &secret.at.name));
                home.into_iter().chain(copies).collect()
            }
        }
    }

    fn of_copies(copies: &Reflect, name: &str) -> Self {
        let namespaces: Vec<&str> = copies.namespaces.iter().map(|glob| glob.as_str()).collect();
        let name = copies.rename.as_deref().unwrap_or(name);
        let by_label = copies.selector.is_some();
        let place = match (namespaces.as_slice(), by_label) {
            (["*"], true) => "namespaces by label".to_owned(),
            (names, true) => format!("{} by label", names.join(", ")),
            (names, false) => names.join(", "),
        };
        Self::new(COPIES, format!("of {name} in {place}"))
    }
}

impl fmt::Display for RouteEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// Where a delivery comes from and goes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Its sources.
    pub sources: Vec<RouteEnd>,
    /// Its targets.
    pub targets: Vec<RouteEnd>,
}

impl Route {
    /// As the configuration says it.
    pub fn of(delivery: &Delivery) -> Self {
        let from = delivery.from.iter();
        Self {
            sources: from.map(|from| RouteEnd::of_source(&from.source)).collect(),
            targets: delivery.to.iter().flat_map(RouteEnd::of_target).collect(),
        }
    }
}

/// `42s`, `3m`, `5h`, `2d`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::of_text;

    #[test]
    fn a_route_names_sources_and_targets_as_messages_do() {
        let text = "name: test\nmarkKey: {}\nkeys: {age: [{file: age.key}]}\nvault: \
            {address: 'http://127.0.0.1:1', auth: {token: {file: t}}}\nvaults: {other: {address: \
            'http://127.0.0.1:2', auth: {token: {file: t}}}}\ndeliveries:\n- name: a\n  from: \
            [{vault: kv/x}, {vault: kv/y, server: other, prefix: Y_}, {age: a.env.age, prefix: \
            A_}, {secret: {namespace: n, name: s}, prefix: S_}]\n  to:\n  - {file: {path: \
            a.env}}\n  - {files: {dir: parts}}\n  - {secret: {name: a, namespace: n}, reflect: \
            {namespaces: ['team-*', b]}}\n  - {secret: {name: b}, reflect: {selector: x=y, home: \
            false, rename: c}}\n";
        let route = Route::of(&of_text(text).deliveries[0]);
        let shown = |places: &[RouteEnd]| {
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            places.join("; ")
        };
        assert_eq!(
            shown(&route.sources),
            "vault kv/x; vault other: kv/y; age file /c/a.env.age; secret n/s"
        );
        assert_eq!(
            shown(&route.targets),
            "file /c/a.env; files /c/parts; secret n/a; copies of a in team-*, b; copies of c in \
             namespaces by label"
        );
    }

    #[test]
    fn the_worst_is_what_a_person_sees() {
        let failure = || Some(FailureStatus::default());
        let waiting = || Some(WaitingStatus::default());
        for (ready, failure, waiting, want) in [
            (false, None, None, StatusLine::NotReady),
            (false, failure(), waiting(), StatusLine::NotReady),
            (true, failure(), waiting(), StatusLine::Failing),
            (true, None, waiting(), StatusLine::Waiting),
            (true, None, None, StatusLine::Good),
        ] {
            let delivery = DeliveryStatus {
                ready,
                failure,
                waiting,
                ..DeliveryStatus::default()
            };
            assert_eq!(delivery.standing(), want, "{delivery:?}");
        }
    }

    #[test]
    fn secrets_are_named_as_they_were_found() {
        let mut delivery = DeliveryStatus {
            targets: vec![
                RouteEnd::new("file", "a.env"),
                RouteEnd::secret("a"),
                RouteEnd::new(COPIES, "of a in team-*"),
            ],
            ..DeliveryStatus::default()
        };
        assert_eq!(
            delivery.goes_to(3).join(", "),
            "file a.env, secret a, copies of a in team-*"
        );
        for (count, most, want) in [
            (1, 3, "file a.env, secret n/1"),
            (3, 3, "file a.env, secret n/1, secret n/2, secret n/3"),
            (5, 2, "file a.env, secret n/1, secret n/2, 3 more"),
        ] {
            delivery.secrets = Some(SecretsStatus {
                count,
                names: (1..=count).map(|number| format!("n/{number}")).collect(),
                ..SecretsStatus::default()
            });
            assert_eq!(delivery.goes_to(most).join(", "), want);
        }
    }
}
