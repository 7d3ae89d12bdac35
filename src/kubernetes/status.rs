//! A refusal of the API server, read into an [`Error`]: its code and its `Status` object.

use std::time::Duration;

use serde::Deserialize;

use super::call::{ApiCall, Verb};
use super::error::Error;
use super::object_kind::{FieldOwner, FieldOwners};
use crate::base::redact;

/// The parts of a `Status` that tell something. A proxy's answer has none of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    kind: String,
    message: String,
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    kind: String,
    causes: Vec<StatusCause>,
    retry_after_seconds: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusCause {
    reason: String,
    message: String,
    field: String,
}

/// The error for a refused call. `asked` is the header `Retry-After`.
pub(super) fn refusal(
    call: &ApiCall<'_>,
    code: u16,
    body: &[u8],
    asked: Option<Duration>,
) -> Error {
    // A body that is no Status comes from a proxy or from the flow control; its code says enough.
    let status: Status = serde_json::from_slice(body).unwrap_or_default();
    let subject = call.subject.clone();
    let verb = call.verb.to_string();
    match code {
        401 => Error::Unauthenticated { subject, verb },
        403 => forbidden(call, &status),
        // An ingress without a backend answers 404 too, and says nothing about the object.
        404 if status.kind != "Status" => Error::Strange {
            subject,
            verb,
            why: "404 without its words".to_owned(),
        },
        404 if status.details.kind == "namespaces" => Error::NoNamespace(subject),
        404 => Error::Absent(subject),
        409 => conflict(call, status),
        300..400 => Error::Strange {
            subject,
            verb,
            why: format!("redirect refused ({code})"),
        },
        400 | 402..500 if code != 429 && code != 408 => Error::Rejected {
            subject,
            verb,
            why: why(call, code, &status),
        },
        _ => Error::Unavailable {
            subject,
            verb,
            why: why(call, code, &status),
            wait: asked.or_else(|| {
                let seconds = status.details.retry_after_seconds;
                (seconds > 0).then(|| Duration::from_secs(seconds.min(86_400)))
            }),
            tries: 1,
        },
    }
}

/// RBAC and admission share a code and a reason; only RBAC's sentence, which the server builds,
/// tells them apart. Servers of 1.30 say nothing behind the colon where an apply may not create.
fn forbidden(call: &ApiCall<'_>, status: &Status) -> Error {
    let subject = call.subject.clone();
    let ending = |cause: &StatusCause| cause.reason == "NamespaceTerminating";
    if status.details.causes.iter().any(ending) {
        return Error::NamespaceEnding(subject);
    }
    let without_sentence = call.verb == Verb::Patch && status.message.ends_with(" is forbidden: ");
    let verb = between(&status.message, " cannot ", " resource ");
    match verb.or(without_sentence.then_some("create")) {
        Some(verb) => Error::Forbidden {
            verb: verb.to_owned(),
            user: between(&status.message, "User \"", "\"")
                .unwrap_or("this user")
                .to_owned(),
            subject,
        },
        None => Error::Rejected {
            verb: call.verb.to_string(),
            why: why(call, 403, status),
            subject,
        },
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    let (inner, _) = rest.split_once(after)?;
    Some(inner).filter(|inner| inner.len() <= 253 && !inner.contains(char::is_whitespace))
}

/// Tells owned fields from a race: after a race, the caller only has to look again.
fn conflict(call: &ApiCall<'_>, status: Status) -> Error {
    let causes = status.details.causes.into_iter();
    let claims: Vec<FieldOwner> = causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| FieldOwner {
            manager: between(&cause.message, "\"", "\"")
                .unwrap_or("another manager")
                .to_owned(),
            path: cause.field,
        })
        .collect();
    if claims.is_empty() {
        Error::Raced(call.subject.clone())
    } else {
        Error::Owned {
            subject: call.subject.clone(),
            claims: FieldOwners(claims),
        }
    }
}

fn why(call: &ApiCall<'_>, code: u16, status: &Status) -> String {
    let fields: Vec<String> = status
        .details
        .causes
        .iter()
        .filter(|cause| !cause.field.is_empty())
        .map(|cause| format!("{}: {}", cause.field, cause.message))
        .collect();
    let text = if fields.is_empty() {
        status.message.clone()
    } else {
        fields.join("; ")
    };
    if text.is_empty() {
        return format!("the API server answered {code}");
    }
    format!(
        "{} ({code})",
        redact::without_values(&text, call.values.iter().copied())
    )
}

#[cfg(test)]
mod tests {
    use super::super::call::Body;
    use super::super::object_kind::{ObjectKind, Subject};
    use super::*;
    use crate::base::artifact::ObjectName;
    use crate::base::failure::Fault;
    use crate::base::material::SecretBytes;

    fn refused(code: u16, body: &str) -> String {
        let value = SecretBytes::from("hunter22");
        let at = ObjectName {
            namespace: "platform".into(),
            name: "x".into(),
        };
        let call = ApiCall {
            verb: Verb::Patch,
            subject: Subject {
                kind: ObjectKind::Secret,
                at,
            },
            query: String::new(),
            body: Body::none(),
            values: vec![&value],
        };
        let error = refusal(&call, code, body.as_bytes(), None);
        format!("{}: {error}", error.class())
    }

    /// Bodies as a server of version 1.36 sent them, shortened.
    #[test]
    fn each_refusal_is_told_apart() {
        let rows = [
            (
                401,
                "{}",
                "denied: patch secret platform/x: the API server does not know our credentials \
                 (401)",
            ),
            (
                403,
                r#"{"message":"secrets \"x\" is forbidden: User \"system:serviceaccount:platform:job\" cannot create resource \"secrets\" in API group \"\" in the namespace \"platform\""}"#,
                "denied: system:serviceaccount:platform:job may not create secret platform/x",
            ),
            (
                403,
                r#"{"message":"secrets \"x\" is forbidden: "}"#,
                "denied: this user may not create secret platform/x",
            ),
            (
                403,
                r#"{"message":"secrets \"x\" is forbidden: exceeded quota: q, requested: secrets=1"}"#,
                "refused: patch secret platform/x: rejected: secrets \"x\" is forbidden: exceeded \
                 quota: q, requested: secrets=1 (403)",
            ),
            (
                403,
                r#"{"message":"m","details":{"causes":[{"reason":"NamespaceTerminating","field":"metadata.namespace"}]}}"#,
                "refused: secret platform/x cannot be made: its namespace is being deleted",
            ),
            (
                404,
                r#"{"kind":"Status","details":{"kind":"secrets"}}"#,
                "missing: secret platform/x does not exist",
            ),
            (
                404,
                r#"{"kind":"Status","details":{"kind":"namespaces"}}"#,
                "refused: secret platform/x cannot be made: its namespace does not exist",
            ),
            (
                404,
                "default backend - 404",
                "unavailable: patch secret platform/x: not an answer of a Kubernetes API server: \
                 404 without its words",
            ),
            (
                409,
                "{}",
                "unavailable: secret platform/x was changed by someone else at the same moment",
            ),
            (
                409,
                r#"{"details":{"causes":[
                    {"reason":"FieldManagerConflict","message":"conflict with \"helm\" using v1","field":".data.b"},
                    {"reason":"FieldManagerConflict","message":"conflict with \"argocd-controller\"","field":".type"},
                    {"reason":"FieldManagerConflict","message":"conflict with \"helm\" using v1","field":".data.a"}]}}"#,
                "refused: secret platform/x: other field managers own what would change: \
                 `argocd-controller` has .type; `helm` has .data.b, .data.a",
            ),
            (
                422,
                r#"{"message":"long","details":{"causes":[{"message":"field is immutable","field":"type"},{"message":"Required value","field":"data[username]"}]}}"#,
                "refused: patch secret platform/x: rejected: type: field is immutable; \
                 data[username]: Required value (422)",
            ),
            (
                422,
                r#"{"message":"ValidatingAdmissionPolicy 'p' with binding 'b' denied request: aHVudGVyMjI="}"#,
                "refused: patch secret platform/x: rejected: ValidatingAdmissionPolicy 'p' with \
                 binding 'b' denied request (the reason is withheld: it repeats a value) (422)",
            ),
            (
                429,
                "Too many requests",
                "unavailable: patch secret platform/x: the API server answered 429",
            ),
            (
                500,
                r#"{"message":"failed calling webhook \"w.example\""}"#,
                "unavailable: patch secret platform/x: failed calling webhook \"w.example\" (500)",
            ),
            (
                503,
                "<html>",
                "unavailable: patch secret platform/x: the API server answered 503",
            ),
            (
                302,
                "",
                "unavailable: patch secret platform/x: not an answer of a Kubernetes API server: \
                 redirect refused (302)",
            ),
        ];
        for (code, body, want) in rows {
            assert_eq!(refused(code, body), want, "{code} {body}");
        }
    }
}
