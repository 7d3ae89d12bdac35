//! Messages for people: a line in the log for each refusal, and one Event per object and reason,
//! even if the reason concerns many places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::artifact::ObjectName;
use crate::copy_rules::index::{IndexNotice, NoticeText};
use crate::copy_rules::place::{CopiedKind, ObjectPlace};
use crate::kubernetes::Kubernetes;
use crate::kubernetes::event::Notice;

/// How long more of the same is collected, so that one Event reports all of it.
const GATHER: Duration = Duration::from_secs(1);

/// How many places an Event names.
const NAMED: usize = 5;

/// Events of one turn; the others are sent a second later.
const TURN: usize = 10;

/// How many objects and reasons are remembered.
const MOST: usize = 2000;

/// How many of these may belong to one namespace, so that its owner cannot fill the space of
/// others. More Events at once do not help a person.
const MOST_OF_ONE: usize = 50;

/// After this time without a repetition an Event starts again: the API server has deleted it by
/// then.
const FORGET: Duration = Duration::from_secs(3600);

type Key = (CopiedKind, ObjectPlace, &'static str);

/// Events to be sent.
#[derive(Default)]
pub(super) struct EventQueue {
    open: BTreeMap<Key, EventTopic>,
    /// How many are remembered, by namespace.
    counts: BTreeMap<Arc<str>, usize>,
}

struct EventTopic {
    places: BTreeSet<ObjectPlace>,
    why: String,
    /// Since when it waits to be sent; nothing after it was sent.
    waits: Option<Instant>,
    told: Instant,
    since: String,
    count: u64,
}

/// One Event, ready to be sent.
pub(super) struct CopyEvent {
    kind: CopiedKind,
    at: ObjectPlace,
    reason: &'static str,
    message: String,
    count: u64,
    since: String,
}

impl EventQueue {
    /// Takes in messages, and logs them.
    pub(super) fn add_notice(&mut self, told: IndexNotice, lease: &ObjectName, now: Instant) {
        let IndexNotice { kind, at, what } = told;
        match what {
            NoticeText::Remark(what) => {
                tracing::warn!(%kind, %at, what, "an annotation");
                self.add((kind, at, "Annotation"), None, what, now);
            }
            NoticeText::Refused(place, refusal) => {
                let reason = refusal.word();
                tracing::warn!(%kind, %at, %place, reason, %refusal, "refused");
                let mut why = refusal.to_string();
                if let Some(order) = refusal.order(kind, &at) {
                    why = format!("{why}; {}", order.hint(lease));
                }
                self.add((kind, at, reason), Some(place), why, now);
            }
        }
    }

    fn add(&mut self, key: Key, place: Option<ObjectPlace>, why: String, now: Instant) {
        if !self.open.contains_key(&key) && !self.has_room(&key.1.namespace) {
            return;
        }
        let namespace = Arc::clone(&key.1.namespace);
        let topic = self.open.entry(key).or_insert_with(|| {
            *self.counts.entry(namespace).or_default() += 1;
            EventTopic {
                places: BTreeSet::new(),
                why: String::new(),
                waits: None,
                told: now,
                since: format!("{:.0}", jiff::Timestamp::now()),
                count: 0,
            }
        });
        topic.places.extend(place);
        topic.why = why;
        topic.waits.get_or_insert(now);
    }

    /// Whether one more may be remembered. An Event that was sent is forgotten first.
    fn has_room(&mut self, namespace: &Arc<str>) -> bool {
        let of_one = self.counts.get(namespace).copied().unwrap_or_default();
        if of_one < MOST_OF_ONE && self.open.len() < MOST {
            return true;
        }
        let crowded = of_one >= MOST_OF_ONE;
        let told = |(key, topic): &(&Key, &EventTopic)| {
            topic.waits.is_none() && (!crowded || key.1.namespace == *namespace)
        };
        let oldest = self
            .open
            .iter()
            .filter(told)
            .min_by_key(|(_, topic)| topic.told);
        let oldest = oldest.map(|(key, _)| key.clone());
        oldest.is_some_and(|key| self.forget(&key))
    }

    fn forget(&mut self, key: &Key) -> bool {
        let was_there = self.open.remove(key).is_some();
        if let Some(count) = self.counts.get_mut(&key.1.namespace) {
            *count -= usize::from(was_there);
            if *count == 0 {
                self.counts.remove(&key.1.namespace);
            }
        }
        was_there
    }

    /// Events that are due: one of each namespace before a second one of any.
    pub(super) fn letters(&mut self, now: Instant) -> Vec<CopyEvent> {
        let old = |topic: &EventTopic| topic.waits.is_none() && now - topic.told > FORGET;
        let old: Vec<Key> = self
            .open
            .iter()
            .filter(|(_, topic)| old(topic))
            .map(|(key, _)| key.clone())
            .collect();
        for key in old {
            self.forget(&key);
        }
        let mut turns: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let is_due = |topic: &EventTopic| topic.waits.is_some_and(|since| now - since >= GATHER);
        let due = self.open.iter_mut().filter(|(_, topic)| is_due(topic));
        let mut due: Vec<(usize, Instant, (&Key, &mut EventTopic))> = due
            .map(|(key, topic)| {
                let turn = turns.entry(Arc::clone(&key.1.namespace)).or_default();
                *turn += 1;
                (*turn, topic.waits.unwrap_or(topic.told), (key, topic))
            })
            .collect();
        due.sort_by_key(|(turn, since, _)| (*turn, *since));
        let due = due.into_iter().take(TURN);
        due.map(|(_, _, (key, topic))| topic.letter(key, now))
            .collect()
    }
}

impl EventTopic {
    fn letter(&mut self, (kind, at, reason): &Key, now: Instant) -> CopyEvent {
        self.waits = None;
        self.told = now;
        self.count += 1;
        let places = std::mem::take(&mut self.places);
        CopyEvent {
            kind: *kind,
            at: at.clone(),
            reason,
            message: message(at, &places, &self.why),
            count: self.count,
            since: self.since.clone(),
        }
    }
}

fn message(at: &ObjectPlace, places: &BTreeSet<ObjectPlace>, why: &str) -> String {
    let others: Vec<String> = places
        .iter()
        .filter(|place| *place != at)
        .map(ObjectPlace::to_string)
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

impl CopyEvent {
    /// Sends the Event. A missing right to write Events stops nothing else.
    pub(super) async fn send(self, cluster: Kubernetes) {
        let topic = format!(
            "{}.keyferry.{}",
            self.kind.resource(),
            self.reason.to_lowercase()
        );
        let notice = Notice {
            version: "v1",
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
        if let Err(error) = cluster.write_event(&notice).await {
            tracing::debug!(at = %self.at, %error, "an Event was not written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy_rules::reason::CopyRefusal;

    fn notice(namespace: &str, name: String) -> IndexNotice {
        let at = ObjectPlace::new(namespace, name);
        IndexNotice {
            kind: CopiedKind::Secret,
            at: at.clone(),
            what: NoticeText::Refused(at, CopyRefusal::Denied),
        }
    }

    /// The thousands of wrong mirrors of one tenant hide neither another tenant's mistakes nor its
    /// own next one.
    #[test]
    fn row_103_a_namespace_has_a_quota_of_events() {
        let lease = ObjectName {
            namespace: "keyferry".to_owned(),
            name: "lease".to_owned(),
        };
        let start = Instant::now();
        let later = start + GATHER;
        let mut teller = EventQueue::default();
        for number in 0..2050 {
            teller.add_notice(notice("evil", format!("m{number}")), &lease, start);
        }
        teller.add_notice(notice("good", "x".to_owned()), &lease, start);
        let first = teller.letters(later);
        assert_eq!(first.len(), TURN);
        assert!(first.iter().any(|letter| &*letter.at.namespace == "good"));
        let mut all = first.len();
        while let sent @ 1.. = teller.letters(later).len() {
            all += sent;
        }
        assert_eq!(all, MOST_OF_ONE + 1);
        teller.add_notice(notice("evil", "next".to_owned()), &lease, later);
        assert_eq!(teller.letters(later + GATHER).len(), 1);
    }
}
