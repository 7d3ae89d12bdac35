//! The state of one delivery, and whether it is good enough. Pure: the clock is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::failure_log::PresentFailures;
use super::made_secrets::MadeSecrets;
use super::status::{Route, WaitingStatus};
use crate::base::failure::{Class, Failure};
use crate::config::{OnFailure, Staleness};

/// Known facts of one delivery.
#[derive(Debug, Clone, Default)]
pub struct DeliveryHealth {
    /// Its rules about age.
    pub rules: Staleness,
    /// Its sources and targets.
    pub route: Route,
    /// When its next pass begins; nothing while a pass is running.
    pub next: Option<Instant>,
    /// When everything in it was last in order.
    pub good: Option<Good>,
    /// Why the last pass failed.
    pub failure: Option<Failure>,
    /// Which of its failures were reported.
    pub trouble: PresentFailures,
    /// Whether it was removed because its source is gone.
    pub withdrawn: bool,
    /// Its Secrets and their sources; nothing if it has no Secrets, or was not read yet.
    pub made: Option<MadeSecrets>,
    /// Changes that wait for a window.
    pub waiting: Option<Waiting>,
    /// The state that it is held at, in words.
    pub held: Option<String>,
    /// Number of targets that were written.
    pub changes: u64,
    /// Number of failures by class.
    pub failures: BTreeMap<Class, u64>,
    /// When the first of its leases ends.
    pub lease_end: Option<Instant>,
}

/// A time at which everything was in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Good {
    /// Time for people.
    pub at: Timestamp,
    /// Time for ages: no jump of the clock changes it.
    pub since: Instant,
    /// An earlier process put it in order.
    pub cached: bool,
}

/// Changes that are not made yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Number of targets with such changes.
    pub targets: usize,
    /// When a pass first found such a change.
    pub since: Timestamp,
    /// When the changes will be made.
    pub opens: Timestamp,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { targets, opens, .. } = self;
        write!(f, "a change of {targets} target(s) waits until {opens:.0}")
    }
}

impl Waiting {
    /// The form for people.
    pub fn status(self) -> WaitingStatus {
        WaitingStatus {
            targets: self.targets,
            since: self.since.to_string(),
            opens: self.opens.to_string(),
            text: self.to_string(),
        }
    }
}

impl DeliveryHealth {
    /// Age of the delivered data.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.good?.since))
    }

    /// Whether the delivered data can be used, or why not.
    pub fn ready(&self, now: Instant) -> Result<(), String> {
        let because = |failure: &Failure| format!("{}: {}", failure.class, failure.what);
        let Some(age) = self.age(now) else {
            return Err(match &self.failure {
                None => "not delivered yet".to_owned(),
                Some(failure) => format!("not delivered yet: {}", because(failure)),
            });
        };
        if let Some(failure) = &self.failure {
            if self.withdrawn {
                return Err(format!("removed: {}", because(failure)));
            }
            if self.rules.on_failure(failure.class) != OnFailure::Keep {
                return Err(because(failure));
            }
        }
        match self.rules.max_age {
            Some(most) if age > most => Err(format!(
                "{} s old, and maxAge is {} s",
                age.as_secs(),
                most.as_secs()
            )),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_61_readiness_follows_age_and_the_rules_of_the_delivery() {
        let now = Instant::now() + Duration::from_secs(10_000);
        let rules = |max_age, on_missing, on_denied, on_unavailable| Staleness {
            max_age: Option::map(max_age, Duration::from_secs),
            on_missing,
            on_denied,
            on_unavailable,
            ..Staleness::default()
        };
        use OnFailure::{Delete, Keep, Unready};
        // Each row: age, class of the failure, rules, and whether it is ready.
        let rows = [
            (None, None, rules(None, Keep, Keep, Keep), false),
            (
                None,
                Some(Class::Unavailable),
                rules(None, Keep, Keep, Keep),
                false,
            ),
            (Some(1), None, rules(None, Keep, Keep, Keep), true),
            (Some(99), None, rules(None, Unready, Unready, Unready), true),
            (Some(60), None, rules(Some(60), Keep, Keep, Keep), true),
            (Some(61), None, rules(Some(60), Keep, Keep, Keep), false),
            (
                Some(1),
                Some(Class::Unavailable),
                rules(None, Unready, Unready, Keep),
                true,
            ),
            (
                Some(1),
                Some(Class::Unavailable),
                rules(None, Keep, Keep, Unready),
                false,
            ),
            (
                Some(1),
                Some(Class::Denied),
                rules(None, Unready, Keep, Unready),
                true,
            ),
            (
                Some(1),
                Some(Class::Denied),
                rules(None, Keep, Unready, Keep),
                false,
            ),
            (
                Some(1),
                Some(Class::Missing),
                rules(None, Keep, Unready, Unready),
                true,
            ),
            (
                Some(1),
                Some(Class::Missing),
                rules(None, Unready, Keep, Keep),
                false,
            ),
            (
                Some(1),
                Some(Class::Missing),
                rules(None, Delete, Keep, Keep),
                false,
            ),
            (
                Some(1),
                Some(Class::Corrupt),
                rules(None, Delete, Unready, Unready),
                true,
            ),
            (
                Some(61),
                Some(Class::Sink),
                rules(Some(60), Keep, Keep, Keep),
                false,
            ),
        ];
        for (age, class, rules, want) in rows {
            let standing = DeliveryHealth {
                good: age.map(|age| Good {
                    at: Timestamp::UNIX_EPOCH,
                    since: now - Duration::from_secs(age),
                    cached: false,
                }),
                failure: class.map(|class| Failure::new(class, "why")),
                rules,
                ..DeliveryHealth::default()
            };
            let ready = standing.ready(now);
            assert_eq!(ready.is_ok(), want, "{age:?} {class:?}: {ready:?}");
        }
    }
}
