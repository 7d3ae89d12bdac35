//! What a test asks of an OpenBao, and what it puts there. A path is `kv/data/x` or
//! `/v1/kv/data/x`.

use std::fs;

use serde_json::{Value, json};

use super::{LIMIT, OpenBao};
use crate::support::http::Client;
use crate::support::process::poll;

impl OpenBao {
    /// Writes as root; panics on a refusal.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.expect("POST", path, Some(body))
    }

    /// Reads as root; panics on a refusal.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.expect("GET", path, None)
    }

    /// Lists as root; panics on a refusal.
    pub(crate) fn list(&self, path: &str) -> Value {
        self.expect("LIST", path, None)
    }

    /// Deletes as root; panics on a refusal.
    pub(crate) fn delete(&self, path: &str) -> Value {
        self.expect("DELETE", path, None)
    }

    /// Asks with any token (`""` for none) and gives status and JSON, whatever they are.
    pub(crate) fn request(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        self.ask(token, method, path, body)
            .unwrap_or_else(|e| panic!("{method} {path}: {e}\n{}", self.server.log_tail()))
    }

    /// A new version of `kv/data/PATH`.
    pub(crate) fn put(&self, path: &str, data: &Value) -> Value {
        self.post(&format!("kv/data/{path}"), &json!({"data": data}))
    }

    /// A KV version 1 engine at `mount`.
    pub(crate) fn enable_kv1(&self, mount: &str) {
        self.post(
            &format!("sys/mounts/{mount}"),
            &json!({"type": "kv", "options": {"version": "1"}}),
        );
    }

    /// Another KV version 2 engine.
    pub(crate) fn enable_kv2(&self, mount: &str) {
        self.post(
            &format!("sys/mounts/{mount}"),
            &json!({"type": "kv", "options": {"version": "2"}}),
        );
        self.kv2_is_ready(mount);
    }

    /// Lets `auth/kubernetes` ask the API server at this address about tokens, as the owner of this
    /// one.
    pub(crate) fn review_tokens(&self, host: &str, ca: &str, reviewer: &str) {
        let config = json!({
            "kubernetes_host": host,
            "kubernetes_ca_cert": ca,
            "token_reviewer_jwt": reviewer,
            "disable_local_ca_jwt": true,
        });
        self.post("auth/kubernetes/config", &config);
    }

    /// A policy, in the policy language.
    pub(crate) fn policy(&self, name: &str, rules: &str) {
        self.post(
            &format!("sys/policies/acl/{name}"),
            &json!({"policy": rules}),
        );
    }

    /// A token made with `sys`-style settings such as `{"policies": ["p"], "ttl": "1h"}`.
    pub(crate) fn token(&self, settings: &Value) -> String {
        let answer = self.post("auth/token/create", settings);
        answer["auth"]["client_token"]
            .as_str()
            .expect("a new token")
            .to_owned()
    }

    /// Every audited request and response so far, oldest first; values are hashed by the server.
    pub(crate) fn audit_log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.scratch.path().join("audit.log")).unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str(line).expect("an audit line is JSON"))
            .collect()
    }

    /// `METHOD path` of each audited request, such as `update auth/kubernetes/login`, oldest first.
    pub(crate) fn audited(&self) -> Vec<String> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let requests = self
            .audit_log()
            .into_iter()
            .filter(|entry| entry["type"] == "request");
        requests
            .map(|e| {
                format!(
                    "{} {}",
                    word(&e["request"]["operation"]),
                    word(&e["request"]["path"])
                )
            })
            .collect()
    }

    /// Asks once more after each transaction that lost against another one, such as a static role's
    /// rotation: nothing was done then.
    fn expect(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let lost = |status: u16, answer: &Value| {
            status == 500 && answer.to_string().contains("transaction commit failed")
        };
        let mut last = (0, Value::Null);
        poll(LIMIT, || {
            last = self.request(&self.root_token(), method, path, body);
            (!lost(last.0, &last.1)).then_some(())
        });
        let (status, answer) = last;
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    pub(super) fn ask(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<(u16, Value)> {
        let mut client = Client::plain(self.port);
        if !token.is_empty() {
            client = client.with("X-Vault-Token", token);
        }
        let path = path.trim_start_matches('/').trim_start_matches("v1/");
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = client.call(
            method,
            &format!("/v1/{path}"),
            "application/json",
            body.as_bytes(),
        )?;
        Ok((answer.status, answer.json()))
    }

    /// A new engine upgrades itself for a moment and answers 400 until then.
    pub(super) fn kv2_is_ready(&self, mount: &str) {
        let path = format!("{mount}/config");
        let answer = poll(LIMIT, || {
            (self.request(&self.root_token(), "GET", &path, None).0 == 200).then_some(())
        });
        answer.unwrap_or_else(|| panic!("{mount} stays in its upgrade"));
    }
}
