//! What people are told: a line in the log for each refusal, and one Event per object and reason, however many places it is of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::artifact::ObjectName;
use crate::kubernetes::Kubernetes;
use crate::kubernetes::event::Notice;
use crate::reflect::index::{News, Told};
use crate::reflect::place::{Kind, Place};

/// So long more of the same is waited for: one Event then tells of all of it.
const GATHER: Duration = Duration::from_secs(1);

/// Places that are named.
const NAMED: usize = 5;

/// Events of one turn; the others wait for the next, a second later.
const TURN: usize = 10;

/// Objects and reasons that are remembered; more at once tell a person nothing.
const MOST: usize = 2000;

/// An Event that was not told again for so long begins anew: the API server has forgotten it by then.
const FORGET: Duration = Duration::from_secs(3600);

type Key = (Kind, Place, &'static str);

/// What is to be told.
#[derive(Default)]
pub(super) struct Teller {
    open: BTreeMap<Key, Topic>,
}

struct Topic {
    places: BTreeSet<Place>,
    why: String,
    /// Since when it waits to be told; nothing when it was.
    waits: Option<Instant>,
    told: Instant,
    since: String,
    count: u64,
}

/// One Event, ready to be sent.
pub(super) struct Letter {
    kind: Kind,
    at: Place,
    reason: &'static str,
    message: String,
    count: u64,
    since: String,
}

impl Teller {
    /// Takes in news, and logs them.
    pub(super) fn take(&mut self, told: Told, lease: &ObjectName) {
        let Told { kind, at, what } = told;
        match what {
            News::Remark(what) => {
                tracing::warn!(%kind, %at, what, "an annotation");
                self.add((kind, at, "Annotation"), None, what);
            }
            News::Refused(place, refusal) => {
                let reason = refusal.word();
                tracing::warn!(%kind, %at, %place, reason, %refusal, "refused");
                let mut why = refusal.to_string();
                if let Some(order) = refusal.order() {
                    why = format!("{why}; {}", order.hint(lease));
                }
                self.add((kind, at, reason), Some(place), why);
            }
        }
    }

    fn add(&mut self, key: Key, place: Option<Place>, why: String) {
        if self.open.len() >= MOST && !self.open.contains_key(&key) {
            return;
        }
        let now = Instant::now();
        let topic = self.open.entry(key).or_insert_with(|| Topic {
            places: BTreeSet::new(),
            why: String::new(),
            waits: None,
            told: now,
            since: format!("{:.0}", jiff::Timestamp::now()),
            count: 0,
        });
        topic.places.extend(place);
        topic.why = why;
        topic.waits.get_or_insert(now);
    }

    /// Events whose time has come.
    pub(super) fn letters(&mut self) -> Vec<Letter> {
        let old = |topic: &Topic| topic.waits.is_none() && topic.told.elapsed() > FORGET;
        self.open.retain(|_, topic| !old(topic));
        let due = self
            .open
            .iter_mut()
            .filter(|(_, topic)| topic.waits.is_some_and(|since| since.elapsed() >= GATHER));
        due.take(TURN)
            .map(|((kind, at, reason), topic)| {
                topic.waits = None;
                topic.told = Instant::now();
                topic.count += 1;
                let places = std::mem::take(&mut topic.places);
                Letter {
                    kind: *kind,
                    at: at.clone(),
                    reason,
                    message: message(at, &places, &topic.why),
                    count: topic.count,
                    since: topic.since.clone(),
                }
            })
            .collect()
    }
}

fn message(at: &Place, places: &BTreeSet<Place>, why: &str) -> String {
    let others: Vec<String> = places
        .iter()
        .filter(|place| *place != at)
        .map(Place::to_string)
        .collect();
    match others.len() {
        0 => why.to_owned(),
        1..=NAMED => format!("{}: {why}", others.join(", ")),
        more => format!(
            "{} and {} more: {why}",
            others[..NAMED].join(", "),
            more - NAMED
        ),
    }
}

impl Letter {
    /// Sends it. That nobody may write Events stops nothing else.
    pub(super) async fn send(self, cluster: Kubernetes) {
        let topic = format!(
            "{}.keyferry.{}",
            self.kind.resource(),
            self.reason.to_lowercase()
        );
        let notice = Notice {
            kind: self.kind.name(),
            at: ObjectName {
                namespace: self.at.namespace.to_string(),
                name: self.at.name.to_string(),
            },
            uid: None,
            topic: &topic,
            normal: false,
            reason: self.reason,
            message: &self.message,
            count: self.count,
            since: &self.since,
        };
        if let Err(error) = cluster.tell(&notice).await {
            tracing::debug!(at = %self.at, %error, "an Event was not written");
        }
    }
}
