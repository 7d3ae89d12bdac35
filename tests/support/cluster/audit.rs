//! What the API server saw: its audit log at level Metadata, without the control plane's own requests.

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

    /// A line may be written after its answer was sent; a request of our own that has its line shows that all before have.
    fn caught_up(&self) {
        let mark = format!("/version?mark={}", self.count());
        // A server that was stopped by the test writes nothing more.
        if self.client(ADMIN).call("GET", &mark, "", b"").is_ok() {
            let seen = poll(LIMIT, || {
                self.written()
                    .iter()
                    .any(|e| e["requestURI"] == mark)
                    .then_some(())
            });
            seen.expect("the API server audits every request");
        }
    }

    fn written(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.scratch.path().join("audit.log")).unwrap_or_default();
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("an audit line is JSON"))
            .collect()
    }
}
