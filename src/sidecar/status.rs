//! The status of everything, in one form: `/status` writes it, `keyferry status` reads it, the page
//! shows it. Names, times and reasons; never a value.
//!
//! A field that an older keyferry does not send is empty: the client may be newer than the server.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::artifact::SourceVersion;
use crate::config::{Delivery, Reflect, Source, Target};
use crate::reflector::ReflectorStatus;

/// The status of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Version of keyferry.
    pub version: String,
    /// `sidecar`, `reflector`, or both.
    pub mode: String,
    /// The pod, or else the machine.
    pub instance: Option<String>,
    /// Why the configuration on disk is not in use.
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
    /// Whether the last request reached a working server.
    pub up: bool,
    /// Whether the last login was granted; nothing before the first login.
    pub logged_in: Option<bool>,
}

/// One delivery, or one file of manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeliveryStatus {
    /// Its name.
    pub name: String,
    /// Its sources.
    pub sources: Vec<RouteEnd>,
    /// Its targets.
    pub targets: Vec<RouteEnd>,
    /// Whether the delivered data can be used.
    pub ready: bool,
    /// Why it cannot be used.
    pub reason: Option<String>,
    /// When everything in it was last in order.
    pub last_success: Option<String>,
    /// Whether an earlier process put it in order.
    pub cached: bool,
    /// Age of the delivered data.
    pub age_seconds: Option<u64>,
    /// Seconds until the next pass; nothing while a pass is running.
    pub next_attempt_seconds: Option<u64>,
    /// Seconds until the first of its leases ends.
    pub lease_seconds: Option<u64>,
    /// Changes that wait for a window.
    pub waiting: Option<WaitingStatus>,
    /// The state that it is held at, in words.
    pub held: Option<String>,
    /// Its Secrets, as the last pass found them.
    pub secrets: Option<SecretsStatus>,
    /// Number of targets that were written.
    pub changes: u64,
    /// Number of passes that failed.
    pub failures: u64,
    /// The failure of the last pass.
    pub failure: Option<FailureStatus>,
}

/// A source or a target: its kind, and its name as in messages.
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
    /// Number of targets with such changes.
    pub targets: usize,
    /// When a pass first found such a change.
    pub since: String,
    /// When the window opens.
    pub opens: String,
    /// The same in words.
    pub text: String,
}

/// The Secrets of a delivery, and their sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretsStatus {
    /// How many there are.
    pub count: usize,
    /// The first names in order.
    pub names: Vec<String>,
    /// Name of the configuration that they belong to.
    pub configuration: String,
    /// The sources with the versions that were read.
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
    /// What failed, and where.
    pub what: String,
    /// The next step for a person.
    pub hint: Option<String>,
}

/// The state in one word. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusLine {
    /// The delivered data cannot be used.
    NotReady,
    /// The delivered data stays, but the last pass failed.
    Failing,
    /// A change waits for its window.
    Waiting,
    /// Everything is in order.
    Good,
}

impl DeliveryStatus {
    /// The state in one word.
    pub fn standing(&self) -> StatusLine {
        match (self.ready, &self.failure, &self.waiting) {
            (false, _, _) => StatusLine::NotReady,
            (true, Some(_), _) => StatusLine::Failing,
            (true, None, Some(_)) => StatusLine::Waiting,
            (true, None, None) => StatusLine::Good,
        }
    }

    /// Why it is not in order, or at an earlier state; empty if everything is normal.
    pub fn why(&self) -> String {
        match (&self.reason, &self.failure, &self.waiting) {
            (Some(reason), _, _) => reason.clone(),
            (None, Some(failure), _) => format!("{}: {}", failure.class, failure.what),
            (None, None, Some(waiting)) => waiting.text.clone(),
            (None, None, None) => self.held.clone().unwrap_or_default(),
        }
    }

    /// Its targets: Secrets by the names of the last pass, at most `most` of them.
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

    /// Its sources, with the versions of the last pass.
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

    /// A Secret by its name.
    pub fn secret(name: &str) -> Self {
        Self::new(SECRET, name)
    }

    fn is_in_cluster(&self) -> bool {
        self.kind == SECRET || self.kind == COPIES
    }

    /// A source as messages name it.
    pub fn of_source(source: &Source) -> Self {
        let (kind, name) = source.name_beside(Path::new(""));
        Self::new(kind, name)
    }

    /// A target and its copies as messages name them.
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

/// Sources and targets of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Its sources.
    pub sources: Vec<RouteEnd>,
    /// Its targets.
    pub targets: Vec<RouteEnd>,
}

impl Route {
    /// The sources and targets in the configuration.
    pub fn from_delivery(delivery: &Delivery) -> Self {
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
        let route = Route::from_delivery(&of_text(text).deliveries[0]);
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
