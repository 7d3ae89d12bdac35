//! One call to the API server: built by hand, tried again where that can help, never beyond the
//! deadline.
//!
//! It is safe to try a write again: each write carries the version of the object that it was
//! decided on. If the first try did arrive, the second fails with a conflict, and the caller looks
//! again.

use std::fmt;
use std::time::Duration;

use crate::base::wiped::WipedBytes;
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use super::error::Error;
use super::subject::{ObjectKind, Subject};
use super::{Kubernetes, status};
use crate::base::artifact::{ObjectName, is_object_name};
use crate::base::counters;
use crate::base::material::SecretBytes;
use crate::process::time_limit::retry;

/// Longest time for one try. A healthy server answers in milliseconds; a webhook may take up to 30
/// s, and then the call is tried again.
const ONE_TRY: Duration = Duration::from_secs(30);

/// An object is at most 1.5 MiB in the store; base64 and managed fields make it larger on the wire.
pub(super) const LONGEST_ANSWER: usize = 4 << 20;

/// Everyone who is logged in may ask here.
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// What to do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Read it.
    Get,
    /// Read its metadata, and nothing else.
    GetMetadata,
    /// Read all with a label.
    List,
    /// Read the metadata of all, and nothing else.
    ListMetadata,
    /// Follow changes of the same metadata.
    Watch,
    /// Change or, by an apply, make it.
    Patch,
    /// Remove it.
    Delete,
    /// Ask whether something may be done to it.
    Review,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Review => "ask for a right to",
            Self::Get
            | Self::GetMetadata
            | Self::List
            | Self::ListMetadata
            | Self::Watch
            | Self::Patch
            | Self::Delete => self.word(),
        })
    }
}

/// The body of a request.
pub(crate) struct Body {
    content_type: &'static str,
    bytes: Bytes,
}

impl Body {
    /// Nothing.
    pub(crate) fn none() -> Self {
        Self {
            content_type: "",
            bytes: Bytes::new(),
        }
    }

    /// A server-side apply; the bytes are wiped after the last try.
    pub(crate) fn apply(json: WipedBytes) -> Self {
        Self {
            content_type: "application/apply-patch+yaml",
            bytes: Bytes::from_owner(json),
        }
    }

    /// A list of JSON Patch operations.
    pub(crate) fn operations(operations: &serde_json::Value) -> Self {
        Self {
            content_type: "application/json-patch+json",
            bytes: operations.to_string().into(),
        }
    }

    /// A merge patch.
    pub(crate) fn merge(patch: &serde_json::Value) -> Self {
        Self {
            content_type: "application/merge-patch+json",
            bytes: patch.to_string().into(),
        }
    }

    /// A plain object.
    pub(crate) fn json(object: &serde_json::Value) -> Self {
        Self {
            content_type: "application/json",
            bytes: object.to_string().into(),
        }
    }
}

/// One call.
pub(crate) struct ApiCall<'a> {
    /// What to do.
    pub(crate) verb: Verb,
    /// With what.
    pub(crate) subject: Subject,
    /// The query, without the question mark.
    pub(crate) query: String,
    /// The body.
    pub(crate) body: Body,
    /// Values that no message may repeat.
    pub(crate) values: Vec<&'a SecretBytes>,
}

impl<'a> ApiCall<'a> {
    /// A read of one object.
    pub(crate) fn get(kind: ObjectKind, at: &ObjectName) -> Self {
        Self::new(Verb::Get, kind, at)
    }

    /// A call without query and body yet.
    pub(crate) fn new(verb: Verb, kind: ObjectKind, at: &ObjectName) -> Self {
        let subject = Subject {
            kind,
            at: at.clone(),
        };
        Self {
            verb,
            subject,
            query: String::new(),
            body: Body::none(),
            values: Vec::new(),
        }
    }

    /// Reads an answer. The parser's own words could quote a value, so they are not used.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &[u8], what: &str) -> Result<T, Error> {
        serde_json::from_slice(answer).map_err(|_| self.strange(format!("it is not {what}")))
    }

    pub(super) fn strange(&self, why: impl Into<String>) -> Error {
        Error::Strange {
            subject: self.subject.clone(),
            verb: self.verb.to_string(),
            why: why.into(),
        }
    }

    pub(super) fn request(&self) -> Result<Request<kube::client::Body>, Error> {
        let ObjectName { namespace, name } = &self.subject.at;
        let (of_all, is_list) = match self.verb {
            Verb::ListMetadata | Verb::Watch => (namespace.is_empty(), true),
            Verb::List => (false, true),
            // The object that it asks about stands in its body.
            Verb::Review => (true, true),
            Verb::Get | Verb::GetMetadata | Verb::Patch | Verb::Delete => (false, false),
        };
        // A list has no name, and its label stands in the query.
        let parts = [(!of_all).then_some(namespace), (!is_list).then_some(name)];
        for part in parts.into_iter().flatten() {
            if !is_object_name(part) {
                return Err(Error::BadName(part.clone()));
            }
        }
        let kind = self.subject.kind;
        let all = if of_all {
            format!("{}/{}", kind.root(), kind.resource())
        } else {
            format!("{}/namespaces/{namespace}/{}", kind.root(), kind.resource())
        };
        let object = || format!("{all}/{name}?{}", self.query);
        let (method, path) = match self.verb {
            Verb::Get | Verb::GetMetadata => (Method::GET, object()),
            Verb::List | Verb::ListMetadata | Verb::Watch => {
                (Method::GET, format!("{all}?{}", self.query))
            }
            Verb::Patch => (Method::PATCH, object()),
            Verb::Delete => (Method::DELETE, object()),
            Verb::Review => (Method::POST, REVIEWS.to_owned()),
        };
        request(method, &path, self.verb.accepts(kind), &self.body)
            .map_err(|_| Error::BadName(path))
    }
}

impl Verb {
    /// The verb in metrics and RBAC: an apply is a `patch` even where it creates, which the code
    /// 201 shows.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Get | Self::GetMetadata => "get",
            Self::List | Self::ListMetadata => "list",
            Self::Watch => "watch",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Review => "create",
        }
    }

    /// The form of the answer: where it is metadata, no values leave the server.
    fn accepts(self, kind: ObjectKind) -> &'static str {
        match self {
            Self::ListMetadata => {
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
            }
            Self::Watch | Self::GetMetadata => {
                "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
            }
            Self::Get | Self::List | Self::Patch | Self::Delete | Self::Review => kind.accept(),
        }
    }
}

fn request(
    method: Method,
    path: &str,
    accept: &str,
    body: &Body,
) -> http::Result<Request<kube::client::Body>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, accept)
        .header(
            header::USER_AGENT,
            concat!("keyferry/", env!("CARGO_PKG_VERSION")),
        );
    if !body.bytes.is_empty() {
        request = request.header(header::CONTENT_TYPE, body.content_type);
    }
    request.body(kube::client::Body::from(body.bytes.clone()))
}

impl Kubernetes {
    /// Makes a call, with more tries where they can help, and returns the body of the answer.
    pub(crate) async fn call(&self, call: &ApiCall<'_>) -> Result<WipedBytes, Error> {
        let deadline = self.time_limit.deadline();
        let mut tries = 0;
        let mut last = None;
        loop {
            tries += 1;
            let error = match self.once(call, deadline).await {
                Err(error) => error,
                Ok(answer) => return Ok(answer),
            };
            let Error::Unavailable {
                subject,
                verb,
                why,
                wait,
                ..
            } = error
            else {
                return Err(error);
            };
            let pause = retry::pause(tries, wait);
            // A failure that the deadline cut off says less than the failure before it.
            let cut_off = Instant::now() >= deadline;
            let why = last.take().filter(|_| cut_off).unwrap_or(why);
            if Instant::now() + pause >= deadline {
                return Err(Error::Unavailable {
                    subject,
                    verb,
                    why,
                    wait,
                    tries,
                });
            }
            // A process that stays reports a failure once for all its tries, and a failure that
            // passed not at all.
            if tries.is_power_of_two() && !self.time_limit.stays() {
                let wait_ms = pause.as_millis();
                tracing::warn!(%verb, object = %subject, tries, wait_ms, why, "kubernetes did not \
                    answer well");
            }
            last = Some(why);
            sleep(pause).await;
        }
    }

    /// Whether the call would write while the fence is closed.
    fn is_fenced(&self, verb: Verb) -> bool {
        match verb {
            Verb::Patch | Verb::Delete => self.fence.as_ref().is_some_and(|fence| !fence.is_open()),
            Verb::Get
            | Verb::GetMetadata
            | Verb::List
            | Verb::ListMetadata
            | Verb::Watch
            | Verb::Review => false,
        }
    }

    async fn once(&self, call: &ApiCall<'_>, deadline: Instant) -> Result<WipedBytes, Error> {
        let request = call.request()?;
        // Nobody closes the semaphore; without a permit, the call would only be one more at once.
        let _turn = self.turns.acquire().await;
        if self.is_fenced(call.verb) {
            return Err(Error::Fenced(call.subject.clone()));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let time_limit = left.min(ONE_TRY);
        let unavailable = |why: String| Error::Unavailable {
            subject: call.subject.clone(),
            verb: call.verb.to_string(),
            why,
            wait: None,
            tries: 1,
        };
        let counted = counters::ApiRequest::new(call.verb.word());
        let exchange = async {
            let answer = self.client.send(request).await;
            let answer = answer.map_err(|error| sending(call, &self.server, error))?;
            let (code, asked) = (answer.status(), asked_wait(&answer));
            counted.answered(code.as_u16());
            let body = collect(call, answer.into_body()).await?;
            if code.is_success() {
                Ok(body)
            } else {
                Err(status::refusal(call, code.as_u16(), &body, asked))
            }
        };
        let outcome = match timeout(time_limit, exchange).await {
            Ok(outcome) => outcome,
            Err(_) if left.is_zero() => Err(unavailable("the deadline is spent".into())),
            Err(_) => Err(unavailable(format!(
                "no answer within {time_limit:.1?} from {}",
                self.server
            ))),
        };
        counted.ended(outcome.is_ok());
        outcome
    }
}

pub(super) fn asked_wait(answer: &Response<kube::client::Body>) -> Option<Duration> {
    let value = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    retry::retry_after(value, jiff::Timestamp::now())
}

/// Without credentials no request can be sent; any other reason for not sending may pass.
pub(super) fn sending(call: &ApiCall<'_>, server: &str, error: kube::Error) -> Error {
    if let kube::Error::Auth(error) = &error {
        return Error::Credentials(super::connect::credentials(error));
    }
    if let kube::Error::Service(error) = &error
        && let Some(error) = error.downcast_ref::<kube::client::AuthError>()
    {
        return Error::Credentials(super::connect::credentials(error));
    }
    Error::Unavailable {
        subject: call.subject.clone(),
        verb: call.verb.to_string(),
        why: format!(
            "the API server {server} cannot be reached: {}",
            innermost(&error)
        ),
        wait: None,
        tries: 1,
    }
}

/// The last cause says everything; the causes above it only name the layers of the client.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

pub(super) async fn collect(
    call: &ApiCall<'_>,
    mut body: kube::client::Body,
) -> Result<WipedBytes, Error> {
    // Grown by hand, so that no outgrown copy of a Secret is left in memory unwiped.
    let mut whole = WipedBytes::with_capacity(16 << 10);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Unavailable {
            subject: call.subject.clone(),
            verb: call.verb.to_string(),
            why: format!("the answer broke off: {}", innermost(&error)),
            wait: None,
            tries: 1,
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let size = whole.len() + data.len();
        if size > LONGEST_ANSWER {
            return Err(call.strange(format!("more than {LONGEST_ANSWER} bytes")));
        }
        if size > whole.capacity() {
            let mut larger = WipedBytes::with_capacity(size * 2);
            larger.extend_from_slice(&whole);
            whole = larger;
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}
