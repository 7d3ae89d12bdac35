//! Lists and watches of metadata: pages, then one line for each change. No value leaves the server
//! for them.

use std::time::Duration;

use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Kubernetes;
use super::call::{ApiCall, Verb};
use super::error::Error;
use super::object_kind::ObjectKind;
use super::{exchange, status};
use crate::base::artifact::ObjectName;
use crate::base::coding::percent;
use crate::base::counters;

/// Objects of one page. An annotation may be of 256 KiB, so a page that is too long is asked for
/// again in smaller ones.
const PAGE: usize = 250;

/// One part of a list.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(crate) struct Page<T> {
    metadata: Continued,
    /// `null` where there are none.
    #[serde(default = "Option::default")]
    items: Option<Vec<ListItem<T>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Continued {
    resource_version: String,
    r#continue: String,
}

#[derive(Deserialize)]
struct ListItem<T> {
    metadata: T,
}

/// A list that is being read.
pub(crate) struct Pages {
    at: ObjectName,
    kind: ObjectKind,
    only: String,
    size: usize,
    next: Option<String>,
    version: String,
}

impl Pages {
    /// Begins at the first page. Without a namespace: all namespaces. With a name: that object
    /// alone.
    pub(crate) fn from_first(
        kind: ObjectKind,
        namespace: Option<&str>,
        only: Option<&str>,
    ) -> Self {
        Self {
            at: ObjectName {
                namespace: namespace.unwrap_or_default().to_owned(),
                name: String::new(),
            },
            kind,
            only: selecting(only),
            size: PAGE,
            next: Some(String::new()),
            version: String::new(),
        }
    }

    /// The version of the store that the list is of; a watch goes on from there.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The next page; `None` after the last.
    pub(crate) async fn next<T: DeserializeOwned>(
        &mut self,
        cluster: &Kubernetes,
    ) -> Result<Option<Vec<T>>, Error> {
        let Some(token) = self.next.clone() else {
            return Ok(None);
        };
        loop {
            let call = ApiCall {
                query: format!(
                    "limit={}&continue={}{}",
                    self.size,
                    percent::encode(&token),
                    self.only
                ),
                ..ApiCall::new(Verb::ListMetadata, self.kind, &self.at)
            };
            let answer = match cluster.call(&call).await {
                Err(Error::Strange { .. }) if self.size > 1 => {
                    self.size = (self.size / 8).max(1);
                    continue;
                }
                answer => answer?,
            };
            let page: Page<T> = serde_json::from_slice(&answer).map_err(|_| strange(&call))?;
            self.version = page.metadata.resource_version;
            self.next = Some(page.metadata.r#continue).filter(|token| !token.is_empty());
            return Ok(Some(
                page.items
                    .unwrap_or_default()
                    .into_iter()
                    .map(|item| item.metadata)
                    .collect(),
            ));
        }
    }
}

/// Selects one object by name, so that a right that is granted by name is enough.
fn selecting(only: Option<&str>) -> String {
    only.map(|name| format!("&fieldSelector=metadata.name%3D{}", percent::encode(name)))
        .unwrap_or_default()
}

fn strange(call: &ApiCall<'_>) -> Error {
    call.strange("it is not a list")
}

/// One change.
#[derive(Debug)]
pub(crate) enum ObjectChange<T> {
    /// Made or changed.
    Is(T),
    /// Gone.
    Gone(T),
    /// No change, up to this version.
    Bookmark(T),
    /// The server cannot go on from where we are.
    Lost(u16),
}

#[derive(Deserialize)]
struct Line<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    object: &'a serde_json::value::RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
}

/// Changes as they happen.
pub(crate) struct Watch {
    body: kube::client::Body,
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no end of a line.
    scanned: usize,
    subject: super::Subject,
}

/// Time after which the server itself ends a watch, so that connections move to where there is
/// room.
const WATCH: Duration = Duration::from_secs(600);

impl Kubernetes {
    /// Follows what happens after a version.
    pub(crate) async fn watch(
        &self,
        kind: ObjectKind,
        namespace: Option<&str>,
        only: Option<&str>,
        version: &str,
    ) -> Result<Watch, Error> {
        let at = Pages::from_first(kind, namespace, only).at;
        let call = ApiCall {
            query: format!(
                "watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}{}",
                WATCH.as_secs(),
                percent::encode(version),
                selecting(only)
            ),
            ..ApiCall::new(Verb::Watch, kind, &at)
        };
        let unavailable = |why: &str| Error::Unavailable {
            subject: call.subject.clone(),
            verb: call.verb.to_string(),
            why: why.to_owned(),
            wait: None,
            tries: 1,
        };
        let left = self
            .time_limit
            .deadline()
            .saturating_duration_since(tokio::time::Instant::now());
        let request = call.request()?;
        let counted = counters::ApiRequest::new(call.verb.word());
        let answer = timeout(left, self.client.send(request)).await;
        let answer = answer.map_err(|_| unavailable("no answer in time"))?;
        let answer = answer.map_err(|error| exchange::sending(&call, &self.server, error))?;
        let code = answer.status();
        counted.answered(code.as_u16());
        counted.ended(code.is_success());
        if code.is_success() {
            return Ok(Watch {
                body: answer.into_body(),
                buffer: Vec::new(),
                scanned: 0,
                subject: call.subject,
            });
        }
        let asked = exchange::asked_wait(&answer);
        let body = timeout(left, exchange::collect(&call, answer.into_body())).await;
        let body = body.map_err(|_| unavailable("its refusal broke off"))??;
        Err(status::refusal(&call, code.as_u16(), &body, asked))
    }
}

impl Watch {
    /// The next change; `None` when the server ended the watch in good order. Silence for too long
    /// means a dead connection: a live server sends a bookmark about every minute.
    pub(crate) async fn next<T: DeserializeOwned>(
        &mut self,
        silence: Duration,
    ) -> Result<Option<ObjectChange<T>>, Error> {
        loop {
            if let Some(end) = self.buffer[self.scanned..].iter().position(|b| *b == b'\n') {
                let end = self.scanned + end;
                let change = self.read(&self.buffer[..end]);
                self.buffer.drain(..=end);
                self.scanned = 0;
                return change.map(Some);
            }
            self.scanned = self.buffer.len();
            let broken = |why: String| Error::Unavailable {
                subject: self.subject.clone(),
                verb: Verb::Watch.to_string(),
                why,
                wait: None,
                tries: 1,
            };
            let frame = timeout(silence, self.body.frame()).await;
            let frame = frame.map_err(|_| broken(format!("nothing was heard for {silence:?}")))?;
            let Some(frame) = frame else {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(broken("it ended within a line".to_owned())),
                };
            };
            let frame = frame
                .map_err(|error| broken(format!("it broke: {}", exchange::innermost(&error))))?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
            if self.buffer.len() > exchange::LONGEST_ANSWER {
                return Err(broken("a line is too long".to_owned()));
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, line: &[u8]) -> Result<ObjectChange<T>, Error> {
        let strange = |why: &str| Error::Strange {
            subject: self.subject.clone(),
            verb: Verb::Watch.to_string(),
            why: why.to_owned(),
        };
        let line: Line<'_> =
            serde_json::from_slice(line).map_err(|_| strange("a line is no change"))?;
        let object = || {
            let item: ListItem<T> = serde_json::from_str(line.object.get())
                .map_err(|_| strange("a change is of no object"))?;
            Ok(item.metadata)
        };
        match line.r#type {
            "ADDED" | "MODIFIED" => object().map(ObjectChange::Is),
            "DELETED" => object().map(ObjectChange::Gone),
            "BOOKMARK" => object().map(ObjectChange::Bookmark),
            "ERROR" => {
                let status: Status = serde_json::from_str(line.object.get()).unwrap_or_default();
                Ok(ObjectChange::Lost(status.code))
            }
            _ => Err(strange("a change is of no known type")),
        }
    }
}
