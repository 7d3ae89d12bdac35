//! Parses the envelope of every answer without a copy that is not wiped, and decides what the
//! status means.
//!
//! The types of `vaultrs` are not used: they drop leases, and their errors contain whole bodies.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::Cause;
use super::failure_reasons::{Absence, Ban, Misuse, Outage, ServerRefusal};
use super::json;
use super::lifetime::seconds;
use crate::base::material::{Lease, Node};
use crate::base::redact::without_secrets;
use crate::net::Answer;
use crate::process::time_limit::retry::retry_after;

/// An answer to a request that Vault accepted.
#[derive(Debug)]
pub(super) struct Reply {
    /// The data; `Null` if there is none.
    pub(super) data: Node,
    /// The token in the answer, if there is one.
    pub(super) auth: Node,
    /// Set when the data ends with a lease.
    pub(super) lease: Option<Lease>,
    /// Sent even for data without a lease: by KV v1, but not by KV v2.
    pub(super) lease_seconds: u64,
    /// Safe to show.
    pub(super) warnings: Vec<String>,
}

/// The envelope as sent. Values stay unparsed in the body.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    lease_id: Option<String>,
    #[serde(borrow, default)]
    lease_duration: Option<&'a RawValue>,
    #[serde(default)]
    renewable: Option<bool>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    auth: Option<&'a RawValue>,
    #[serde(borrow, default)]
    warnings: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
}

/// The meaning of an answer. `secrets` are those that we sent: a server may echo them.
pub(super) fn interpret(answer: &Answer, secrets: &[&str]) -> Result<Reply, Cause> {
    let status = answer.status;
    let wire = parse(&answer.body);
    if status == StatusCode::NO_CONTENT {
        return Reply::from_wire(Wire::nothing(), secrets);
    }
    match wire {
        Ok(wire) if status == StatusCode::OK => Reply::from_wire(wire, secrets),
        Ok(wire) => Err(refusal(status, answer, &wire, secrets)),
        Err(what) if status.is_server_error() => Err(server(answer, what.to_owned())),
        Err(_) if status == StatusCode::TOO_MANY_REQUESTS => Err(busy(answer)),
        Err(what) => Err(Cause::not_vault(format!(
            "{what}, status {}",
            status.as_u16()
        ))),
    }
}

fn parse(body: &[u8]) -> Result<Wire<'_>, &'static str> {
    // The parser's messages quote the text, so they are not passed on.
    let text = std::str::from_utf8(body).map_err(|_| "no UTF-8")?;
    if text.trim().is_empty() {
        return Err("empty");
    }
    // Otherwise a list would be read as the fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err("no JSON of its form");
    }
    let wire: Wire<'_> = serde_json::from_str(text).map_err(|_| "no JSON of its form")?;
    let known = wire.request_id.is_some()
        || wire.data.is_some()
        || wire.auth.is_some()
        || wire.warnings.is_some()
        || wire.errors.is_some();
    known.then_some(wire).ok_or("JSON of another kind")
}

impl Wire<'_> {
    fn nothing() -> Self {
        Self {
            request_id: None,
            lease_id: None,
            lease_duration: None,
            renewable: None,
            data: None,
            auth: None,
            warnings: None,
            errors: None,
        }
    }
}

impl Reply {
    fn from_wire(wire: Wire<'_>, secrets: &[&str]) -> Result<Self, Cause> {
        let Wire {
            request_id: _,
            lease_id,
            lease_duration,
            renewable,
            data,
            auth,
            warnings,
            errors: _,
        } = wire;
        // Data and auth are one level deep in the answer.
        let tree =
            |json: Option<&RawValue>| json.map_or(Ok(Node::Null), |json| json::node(json, 1));
        let unclear = || Cause::not_vault("no JSON of its form");
        let lease_seconds = match lease_duration {
            Some(number) => seconds(number.get()).ok_or_else(unclear)?,
            None => 0,
        };
        let warnings = texts(warnings)?;
        Ok(Self {
            data: tree(data)?,
            auth: tree(auth)?,
            lease: lease_id.filter(|id| !id.is_empty()).map(|id| Lease {
                id,
                seconds: lease_seconds,
                renewable: renewable.unwrap_or_default(),
            }),
            lease_seconds,
            warnings: warnings
                .iter()
                .map(|text| without_secrets(text, secrets))
                .collect(),
        })
    }
}

/// Why Vault refused: the table of statuses, row by row.
fn refusal(status: StatusCode, answer: &Answer, wire: &Wire<'_>, secrets: &[&str]) -> Cause {
    let raw = match texts(wire.errors) {
        Ok(errors) => errors.join("; "),
        Err(cause) => return cause,
    };
    let said = |words: &str| raw.contains(words);
    let text = || match plain(&raw) {
        "" => "no reason given".to_owned(),
        text => without_secrets(text, secrets),
    };
    match status {
        StatusCode::NOT_FOUND => {
            not_found(wire, &raw).unwrap_or_else(|| Absence::Other { text: text() }.into())
        }
        StatusCode::FORBIDDEN => {
            let ban = match plain(&raw) {
                "permission denied" => Ban::Bare,
                text if text.contains("preflight capability check") => Ban::Preflight,
                _ => Ban::Told,
            };
            ServerRefusal::Forbidden { text: text(), ban }.into()
        }
        StatusCode::METHOD_NOT_ALLOWED => Misuse::NeedsWrite.into(),
        StatusCode::TOO_MANY_REQUESTS => busy(answer),
        StatusCode::SERVICE_UNAVAILABLE if said("sealed") => Outage::Sealed.into(),
        StatusCode::INTERNAL_SERVER_ERROR if said("active cluster node not found") => {
            Outage::NoLeader.into()
        }
        StatusCode::BAD_REQUEST if said("lease not found") => Absence::Lease.into(),
        // A KV engine answers 400 while it is being upgraded to v2.
        StatusCode::BAD_REQUEST if said("Upgrading from non-versioned") => server(answer, text()),
        StatusCode::PRECONDITION_FAILED => server(answer, text()),
        status if status.is_server_error() => server(answer, text()),
        status => Cause::from(ServerRefusal::Rejected {
            status: status.as_u16(),
            text: text(),
        }),
    }
}

fn server(answer: &Answer, text: String) -> Cause {
    let (status, wait) = (answer.status.as_u16(), asked(answer));
    Outage::Server { status, text, wait }.into()
}

/// A list of texts for people.
fn texts(json: Option<&RawValue>) -> Result<Vec<String>, Cause> {
    let unclear = || Cause::not_vault("texts of another form");
    match json.map_or(Ok(Node::Null), |json| json::node(json, 1))? {
        Node::Null => Ok(Vec::new()),
        Node::List(items) => {
            let texts = items.iter().map(|item| {
                let Node::Text(text) = item else {
                    return None;
                };
                text.expose_str().map(str::to_owned)
            });
            texts.collect::<Option<_>>().ok_or_else(unclear)
        }
        Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) | Node::Map(_) => {
            Err(unclear())
        }
    }
}

/// A reason without the prefixes of the library that lists several.
fn plain(text: &str) -> &str {
    text.trim()
        .trim_start_matches("1 error occurred:")
        .trim()
        .trim_start_matches("* ")
}

fn busy(answer: &Answer) -> Cause {
    let wait = asked(answer);
    Outage::Busy { wait }.into()
}

/// The wait that the server asks for.
pub(super) fn asked(answer: &Answer) -> Option<Duration> {
    let value = answer.retry_after.as_deref()?;
    retry_after(value, Timestamp::now())
}

/// The kind of absence behind a 404; nothing if the 404 means something else.
fn not_found(wire: &Wire<'_>, errors: &str) -> Option<Cause> {
    let data = wire.data.and_then(|data| json::node(data, 1).ok());
    if let Some(state) = data.as_ref().and_then(version_state) {
        return Some(state);
    }
    let warnings = texts(wire.warnings).unwrap_or_default();
    if warnings.iter().any(|text| text.contains("versioned K/V")) {
        return Some(Misuse::Unversioned.into());
    }
    if errors.contains("no handler for route") {
        return Some(Absence::Mount.into());
    }
    if errors.contains("namespace not found") {
        return Some(Absence::Namespace.into());
    }
    errors.is_empty().then(|| Absence::Nothing.into())
}

/// The state of a KV v2 version whose data is gone.
pub(super) fn version_state(data: &Node) -> Option<Cause> {
    let metadata = data.entry("metadata")?;
    let word = |name| {
        let leaf = metadata.entry(name)?.leaf()?;
        leaf.expose_str().map(redact_word)
    };
    let version = word("version")?;
    if metadata.entry("destroyed") == Some(&Node::Bool(true)) {
        return Some(Absence::Destroyed { version }.into());
    }
    let at = word("deletion_time").filter(|at| !at.is_empty())?;
    Some(Absence::Deleted { at, version }.into())
}

/// Times and version numbers are short; longer text is not shown.
fn redact_word(text: &str) -> String {
    let short = text.len() <= 40
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | 'T' | 'Z' | '+'));
    if short { text } else { "?" }.to_owned()
}

#[cfg(test)]
mod tests;
