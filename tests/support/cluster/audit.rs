//! What the API server saw: its audit log at level Metadata, without the control plane's own
//! requests.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{ADMIN, Cluster, LIMIT};
use crate::support::process::poll;

impl Cluster {
    /// Every audited request so far, oldest first.
    pub(crate) fn audit_lines(&self) -> Vec<Value> {
        self.caught_up();
        self.written()
    }

    /// The audited requests of one namespace as `verb resource/name code`, oldest first.
    pub(crate) fn audited(&self, namespace: &str) -> Vec<String> {
        self.audited_by(namespace, "")
    }

    /// Those of one user (`system:serviceaccount:NAMESPACE:NAME`); `""` is everyone.
    pub(crate) fn audited_by(&self, namespace: &str, user: &str) -> Vec<String> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let events = self.audit_lines().into_iter();
        events
            .filter(|event| event["objectRef"]["namespace"] == namespace)
            .filter(|event| user.is_empty() || event["user"]["username"] == user)
            .map(|event| {
                let (object, code) = (&event["objectRef"], &event["responseStatus"]["code"]);
                let [verb, kind, name] =
                    [&event["verb"], &object["resource"], &object["name"]].map(word);
                format!("{verb} {kind}/{name} {code}")
            })
            .collect()
    }

    /// Where the log ends now. It is one line for each of a hundred thousand requests, so a part
    /// can be had without the rest.
    pub(crate) fn audit_end(&self) -> usize {
        self.caught_up();
        fs::metadata(self.scratch.path().join("audit.log"))
            .map_or(0, |log| usize::try_from(log.len()).unwrap_or(usize::MAX))
    }

    /// The requests since then of clients whose name begins like this, each once; a watch counts
    /// when it begins.
    pub(crate) fn audit_from(&self, end: usize, agent: &str) -> Vec<Value> {
        self.caught_up();
        let log = fs::read(self.scratch.path().join("audit.log")).unwrap_or_default();
        // The server begins a new file when one is full.
        let log = String::from_utf8_lossy(log.get(end..).unwrap_or(&log)).into_owned();
        let mut seen = BTreeSet::new();
        let mut lines = parsed(&log);
        lines.retain(|line| {
            let by = line["userAgent"].as_str().unwrap_or_default();
            by.starts_with(agent) && seen.insert(line["auditID"].to_string())
        });
        lines
    }

    /// A line may be written after its answer was sent; a request of our own that has its line
    /// shows that all before have.
    fn caught_up(&self) {
        let mark = format!("/version?mark={}", self.count());
        // A server that was stopped by the test writes nothing more.
        if self.client(ADMIN).call("GET", &mark, "", b"").is_ok() {
            let log = self.scratch.path().join("audit.log");
            let seen = poll(LIMIT, || {
                let log = fs::read_to_string(&log).unwrap_or_default();
                log.contains(&mark).then_some(())
            });
            seen.expect("the API server audits every request");
        }
    }

    fn written(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.scratch.path().join("audit.log")).unwrap_or_default();
        parsed(&log)
    }
}

/// Whole lines; the last one may still be on its way.
fn parsed(log: &str) -> Vec<Value> {
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).expect("an audit line is JSON"))
        .collect()
}
