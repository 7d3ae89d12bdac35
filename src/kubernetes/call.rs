//! One call to the API server, and the request that asks for it, built by hand.

use std::fmt;

use crate::base::wiped::WipedBytes;
use bytes::Bytes;
use http::{Method, Request, header};
use serde::de::DeserializeOwned;

use super::error::Error;
use super::object_kind::{ObjectKind, Subject};
use crate::base::artifact::{ObjectName, is_object_name};
use crate::base::material::SecretBytes;

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
