//! An Event: what people are told at an object, with `kubectl get events`. One per object and reason; it counts.

use serde_json::json;
use zeroize::Zeroizing;

use super::call::{Body, Call, Verb};
use super::error::Error;
use super::subject::Kind;
use super::{Kubernetes, MANAGER};
use crate::artifact::ObjectName;
use crate::reflect::place::{self, Place};

/// Something to tell.
pub(crate) struct Notice<'a> {
    /// Kind of the object.
    pub(crate) kind: place::Kind,
    /// The object.
    pub(crate) at: &'a Place,
    /// One word.
    pub(crate) reason: &'a str,
    /// What happened; never a value.
    pub(crate) message: &'a str,
    /// How often it was told.
    pub(crate) count: u64,
    /// When it was told first.
    pub(crate) since: &'a str,
}

/// The API server's limit is 1024.
const LONGEST: usize = 1000;

impl Kubernetes {
    /// Tells it, or tells it again.
    pub(crate) async fn tell(&self, notice: &Notice<'_>) -> Result<(), Error> {
        let Notice {
            kind,
            at,
            reason,
            message,
            count,
            since,
        } = notice;
        let now = format!("{:.0}", jiff::Timestamp::now());
        let fits = message.char_indices().take_while(|(at, _)| *at < LONGEST);
        let message: String = fits.map(|(_, c)| c).collect();
        let name = format!(
            "{}.{}.keyferry.{}",
            at.name,
            kind.resource(),
            reason.to_lowercase()
        );
        let event = ObjectName {
            namespace: at.namespace.to_string(),
            name: name
                .trim_start_matches(|c: char| !c.is_alphanumeric())
                .to_owned(),
        };
        let body = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": event.name, "namespace": event.namespace},
            "involvedObject": {"apiVersion": "v1", "kind": kind.name(), "namespace": *at.namespace, "name": *at.name},
            "reason": reason, "message": message, "type": "Warning", "count": count,
            "source": {"component": MANAGER}, "firstTimestamp": since, "lastTimestamp": now,
        });
        let call = Call {
            query: format!("fieldManager={MANAGER}&force=true"),
            body: Body::apply(Zeroizing::new(body.to_string().into_bytes())),
            ..Call::new(Verb::Patch, Kind::Event, &event)
        };
        self.call(&call).await.map(drop)
    }
}
