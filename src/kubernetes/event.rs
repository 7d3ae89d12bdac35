//! Events: messages for people at an object, shown by `kubectl get events`. One Event per object
//! and topic, with a count.

use crate::base::wiped::WipedBytes;
use serde_json::json;

use super::call::{ApiCall, Body, Verb};
use super::error::Error;
use super::object_kind::ObjectKind;
use super::{Kubernetes, MANAGER};
use crate::base::artifact::ObjectName;
use crate::base::failure::Class;
use crate::base::printable;

/// A message for people.
pub(crate) struct Notice<'a> {
    /// Group and version of the object, as in its manifest.
    pub(crate) version: &'a str,
    /// Kind of the object, as in its manifest.
    pub(crate) kind: &'a str,
    /// The object.
    pub(crate) at: ObjectName,
    /// Its uid, where it is known: other objects may have had the same name.
    pub(crate) uid: Option<&'a str>,
    /// A part of the Event's name that tells it from others of the same object.
    pub(crate) topic: &'a str,
    /// Whether there is nothing to worry about.
    pub(crate) normal: bool,
    /// The reason, in one word.
    pub(crate) reason: &'a str,
    /// What happened; never a value.
    pub(crate) message: &'a str,
    /// How often it happened.
    pub(crate) count: u64,
    /// When it happened first.
    pub(crate) since: &'a str,
}

/// The reason of an Event about a failure: one word that begins with a capital letter.
pub(crate) fn reason_of(class: Class) -> String {
    let mut chars = class.word().chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// Longest message; the API server's limit is 1024.
const LONGEST: usize = 1000;

/// Longest part of an object's name in the name of its Event, which may have 253 characters in all.
const LONGEST_NAME: usize = 160;

impl Notice<'_> {
    fn name(&self) -> String {
        let odd = |c: char| !c.is_alphanumeric();
        let name: String = self.at.name.chars().take(LONGEST_NAME).collect();
        format!("{}.{}", name.trim_matches(odd), self.topic)
    }
}

impl Kubernetes {
    /// Writes the Event, or writes it again with a new count.
    pub(crate) async fn write_event(&self, notice: &Notice<'_>) -> Result<(), Error> {
        let now = format!("{:.0}", jiff::Timestamp::now());
        let message = printable::line(notice.message);
        let fits = message.char_indices();
        let fits = fits.take_while(|(at, c)| at + c.len_utf8() <= LONGEST);
        let message: String = fits.map(|(_, c)| c).collect();
        let event = ObjectName {
            namespace: notice.at.namespace.clone(),
            name: notice.name(),
        };
        let mut object = json!({
            "apiVersion": notice.version, "kind": notice.kind,
            "namespace": notice.at.namespace, "name": notice.at.name,
        });
        if let Some(uid) = notice.uid {
            object["uid"] = uid.into();
        }
        let body = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": event.name, "namespace": event.namespace},
            "involvedObject": object,
            "reason": notice.reason, "message": message,
            "type": if notice.normal { "Normal" } else { "Warning" }, "count": notice.count,
            "source": {"component": MANAGER}, "firstTimestamp": notice.since, "lastTimestamp": now,
        });
        let call = ApiCall {
            query: format!("fieldManager={MANAGER}&force=true"),
            body: Body::apply(WipedBytes::from(body.to_string().into_bytes())),
            ..ApiCall::new(Verb::Patch, ObjectKind::Event, &event)
        };
        self.call(&call).await.map(drop)
    }
}
