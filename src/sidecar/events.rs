//! Reports news to people: in the log, and as Events of the cluster, once per change of reason.
//!
//! Events are sent beside the passes, so a slow API server delays no pass. Without a cluster or
//! without the right, none are sent.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::failure_log::FailureLog;
use crate::base::artifact::ObjectName;
use crate::base::failure::{Class, Failure};
use crate::base::lock::locked;
use crate::base::renewal::backoff;
use crate::config::{Delivery, SecretRef, Target, resolve};
use crate::kubernetes::event::{Notice, reason_of};
use crate::kubernetes::pod::Pod;
use crate::kubernetes::{Error, Kubernetes};
use crate::pass::world::World;
use crate::process::shutdown;
use crate::process::time_limit::chance;

/// The most Events that wait; more at once do not help a person.
const MOST: usize = 100;

/// Waits while the API server is away: the first, and the longest; then the number of attempts.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const TRIES: u32 = 6;

/// Reports news.
#[derive(Default)]
pub struct EventLog {
    pod: Option<Pod>,
    letters: Mutex<VecDeque<DeliveryEvent>>,
    stirred: Notify,
}

/// One Event, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DeliveryEvent {
    delivery: String,
    about: About,
    reason: String,
    normal: bool,
    message: String,
}

/// The object that an Event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    Pod(Pod),
    Secret(SecretRef),
}

impl EventLog {
    /// With a pod, Events can belong to it; nothing outside a pod.
    pub fn new(pod: Option<Pod>) -> Self {
        Self {
            pod,
            ..Self::default()
        }
    }

    /// Reports the news of one pass about a delivery; `failure` decides.
    pub fn announce(
        &self,
        name: &str,
        delivery: Option<&Delivery>,
        news: &FailureLog,
        failure: Option<&Failure>,
    ) {
        // A stop that was asked for is no failure.
        if failure == Some(&shutdown::stopped()) {
            return;
        }
        news.fresh.iter().for_each(|failed| failed.log());
        let known = news.known.iter();
        known.for_each(|failed| failed.log_again(news.still));
        if let Some(since) = news.over {
            tracing::info!(
                delivery = name,
                "recovered, after it failed since {since:.0}"
            );
        }
        if let Some(opens) = news.waits {
            tracing::info!(delivery = name, %opens, "a change waits for its window");
        }
        let letter = match (failure, news.over) {
            (Some(failure), _) if news.turned => self.warning(name, delivery, failure),
            (None, Some(since)) => {
                let message = format!("{name}: in order again, after it failed since {since:.0}");
                self.letter(name, delivery, "Recovered".to_owned(), message)
            }
            (Some(_) | None, _) => None,
        };
        if let Some(letter) = letter {
            let mut letters = self.letters();
            if letters.len() >= MOST {
                letters.pop_front();
            }
            letters.push_back(letter);
            self.stirred.notify_one();
        }
    }

    fn warning(
        &self,
        name: &str,
        of: Option<&Delivery>,
        failure: &Failure,
    ) -> Option<DeliveryEvent> {
        let Failure {
            class, what, hint, ..
        } = failure;
        let next = hint.as_deref().map(|hint| format!("; {hint}"));
        let message = format!("{name}: {what}{}", next.unwrap_or_default());
        let letter = self.letter(name, of, reason_of(*class), message)?;
        Some(DeliveryEvent {
            normal: false,
            ..letter
        })
    }

    fn letter(
        &self,
        name: &str,
        delivery: Option<&Delivery>,
        reason: String,
        message: String,
    ) -> Option<DeliveryEvent> {
        let secret = |target: &Target| match target {
            Target::Secret(secret) => Some(About::Secret(secret.at.clone())),
            Target::File(_) | Target::Files(_) => None,
        };
        let of_delivery = || delivery?.to.iter().find_map(secret);
        Some(DeliveryEvent {
            delivery: name.to_owned(),
            about: self.pod.clone().map(About::Pod).or_else(of_delivery)?,
            reason,
            normal: true,
            message: message.replace(['\n', '\r'], " "),
        })
    }

    /// Sends Events for ever; sends none if they are not wanted.
    pub async fn run(&self, wanted: bool, world: &World) {
        let mut told: BTreeMap<String, (u64, String)> = BTreeMap::new();
        let mut complained = false;
        loop {
            let letter = self.next().await;
            if !wanted {
                continue;
            }
            let cluster = match world.kubernetes().await {
                Ok(cluster) => cluster,
                Err(failure) if failure.class == Class::Configuration => {
                    tracing::debug!(reason = %failure.what, "no Events are written");
                    continue;
                }
                Err(failure) => {
                    complain(&mut complained, &failure);
                    continue;
                }
            };
            let now = || (0, format!("{:.0}", jiff::Timestamp::now()));
            let (count, since) = told.entry(letter.topic()).or_insert_with(now);
            *count += 1;
            if let Err(error) = letter.send(cluster, *count, since).await {
                complain(&mut complained, &error.into());
            }
        }
    }

    async fn next(&self) -> DeliveryEvent {
        loop {
            let letter = self.letters().pop_front();
            match letter {
                Some(letter) => return letter,
                None => self.stirred.notified().await,
            }
        }
    }

    fn letters(&self) -> MutexGuard<'_, VecDeque<DeliveryEvent>> {
        locked(&self.letters)
    }
}

/// Logs this once: a missing right is still missing at the next failure.
fn complain(complained: &mut bool, failure: &Failure) {
    if !std::mem::replace(complained, true) {
        let Failure { what, hint, .. } = failure;
        tracing::warn!(reason = %what, hint, "Events are not written; `sidecar: {{events: \
            false}}` does without");
    }
}

impl DeliveryEvent {
    /// Name of the Event, one per delivery and reason. It is valid for any delivery's name, and the
    /// same in each process.
    fn topic(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (&self.delivery, &self.reason).hash(&mut hasher);
        format!("keyferry.{:016x}", hasher.finish())
    }

    async fn send(&self, cluster: &Kubernetes, count: u64, since: &str) -> Result<(), Error> {
        let own = &cluster.namespace;
        let (kind, at, uid) = match &self.about {
            About::Secret(at) => ("Secret", resolve(at, own), None),
            About::Pod(pod) => {
                let namespace = pod.namespace.as_ref().unwrap_or(own).clone();
                let name = pod.name.clone();
                ("Pod", ObjectName { namespace, name }, pod.uid.as_deref())
            }
        };
        let topic = self.topic();
        let notice = Notice {
            version: "v1",
            kind,
            at,
            uid,
            topic: &topic,
            normal: self.normal,
            reason: &self.reason,
            message: &self.message,
            count,
            since,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            match cluster.write_event(&notice).await {
                Err(Error::Unavailable { .. }) if tries < TRIES => {
                    tokio::time::sleep(backoff(AGAIN.0, AGAIN.1, tries, chance())).await;
                }
                done => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::config::load::of_text;
    use crate::pass::outcome::Failed;

    fn delivery(to: &str) -> Delivery {
        let text =
            format!("name: app\ndeliveries: [{{name: app, fields: {{a: b}}, to: [{to}]}}]\n");
        let config = of_text(&text);
        config.deliveries.into_iter().next().expect("one delivery")
    }

    fn pod() -> Pod {
        Pod {
            namespace: None,
            name: "app-1".to_owned(),
            uid: None,
        }
    }

    fn turned(failure: &Failure) -> FailureLog {
        FailureLog {
            fresh: vec![Failed::in_delivery("app", failure.clone())],
            turned: true,
            ..FailureLog::default()
        }
    }

    #[test]
    fn row_18_a_change_of_reason_is_one_letter_to_the_pod_else_to_the_secret() {
        let denied = &Failure::new(Class::Denied, "may not\nread").hint("give it the right");
        let over = || FailureLog {
            over: Some(Timestamp::UNIX_EPOCH),
            ..FailureLog::default()
        };
        let same = || FailureLog {
            known: vec![Failed::in_delivery("app", denied.clone())],
            ..FailureLog::default()
        };
        let (file, secret) = ("file: {path: a.env}", "secret: {name: db, namespace: team}");
        let both = format!("{{{file}}}, {{{secret}}}");
        let (file, secret) = (format!("{{{file}}}"), format!("{{{secret}}}"));
        // Each row: our pod, targets, news, the deciding failure; then the Event's object, its
        // reason, whether it is normal.
        type Row<'a> = (
            Option<Pod>,
            &'a str,
            FailureLog,
            Option<&'a Failure>,
            Option<(&'a str, &'a str, bool)>,
        );
        let rows: [Row<'_>; 9] = [
            (
                Some(pod()),
                &file,
                turned(denied),
                Some(denied),
                Some(("pod", "Denied", false)),
            ),
            (
                Some(pod()),
                &both,
                turned(denied),
                Some(denied),
                Some(("pod", "Denied", false)),
            ),
            (
                None,
                &both,
                turned(denied),
                Some(denied),
                Some(("secret", "Denied", false)),
            ),
            (
                None,
                &secret,
                over(),
                None,
                Some(("secret", "Recovered", true)),
            ),
            (None, &file, turned(denied), Some(denied), None),
            (None, &file, over(), None, None),
            (Some(pod()), &file, same(), Some(denied), None),
            (Some(pod()), &file, FailureLog::default(), None, None),
            (
                Some(pod()),
                &file,
                turned(&shutdown::stopped()),
                Some(&shutdown::stopped()),
                None,
            ),
        ];
        for (number, (pod, to, news, failure, want)) in rows.into_iter().enumerate() {
            let event_log = EventLog::new(pod);
            event_log.announce("app", Some(&delivery(to)), &news, failure);
            let letter = event_log.letters().pop_front();
            let is = letter.as_ref().map(|letter| {
                let about = match letter.about {
                    About::Pod(_) => "pod",
                    About::Secret(_) => "secret",
                };
                (about, letter.reason.as_str(), letter.normal)
            });
            assert_eq!(is, want, "row {number}");
            if want.is_some_and(|(_, reason, _)| reason == "Denied") {
                let message = letter.map(|letter| letter.message);
                let words = "app: may not read; give it the right";
                assert_eq!(message.as_deref(), Some(words));
            }
        }
    }

    #[test]
    fn the_queue_is_bounded_and_keeps_the_newest() {
        let event_log = EventLog::new(Some(pod()));
        for number in 0..MOST + 7 {
            let failure = Failure::new(Class::Sink, number.to_string());
            event_log.announce("app", None, &turned(&failure), Some(&failure));
        }
        let letters = event_log.letters();
        assert_eq!(letters.len(), MOST);
        assert_eq!(
            letters.front().map(|letter| letter.message.as_str()),
            Some("app: 7")
        );
    }
}
