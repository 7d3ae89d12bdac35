//! What a test asks of the API server, and what it puts there.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{ADMIN, Cluster};
use crate::support::http::{Client, Connection};

impl Cluster {
    /// Asks as the administrator and gives status and JSON, whatever they are. A PATCH is a
    /// server-side apply.
    pub(crate) fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.request_as(ADMIN, method, path, body)
    }

    /// The same with another bearer token.
    pub(crate) fn request_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let kind = if method == "PATCH" {
            "application/apply-patch+yaml"
        } else {
            "application/json"
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.client(token).call(method, path, kind, body.as_bytes());
        let answer = answer
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.api.log_tail()));
        (answer.status, answer.json())
    }

    /// An open connection of the administrator, for many requests.
    pub(crate) fn connect(&self) -> Connection {
        self.client(ADMIN)
            .connect()
            .expect("the API server accepts connections")
    }

    /// Reads as the administrator; `None` when it is not there.
    pub(crate) fn find(&self, path: &str) -> Option<Value> {
        let (status, object) = self.request("GET", path, None);
        assert!(
            status == 200 || status == 404,
            "GET {path}: {status} {object}"
        );
        (status == 200).then_some(object)
    }

    /// A Secret as it is stored, or `None`.
    pub(crate) fn secret(&self, namespace: &str, name: &str) -> Option<Value> {
        self.find(&format!("/api/v1/namespaces/{namespace}/secrets/{name}"))
    }

    /// A field of a Secret, decoded.
    pub(crate) fn secret_value(&self, namespace: &str, name: &str, key: &str) -> Option<Vec<u8>> {
        let secret = self.secret(namespace, name)?;
        secret["data"][key]
            .as_str()
            .map(|value| STANDARD.decode(value).expect("Secret data is base64"))
    }

    /// Creates, or panics.
    pub(crate) fn create(&self, path: &str, object: &Value) -> Value {
        let (status, answer) = self.request("POST", path, Some(object));
        assert!(status < 300, "POST {path}: {status} {answer}");
        answer
    }

    /// Applies every document of a manifest as the administrator; panics on a refusal.
    pub(crate) fn apply_yaml(&self, namespace: &str, manifest: &str) {
        for (status, answer) in self.try_apply(namespace, manifest) {
            assert!(status < 300, "apply: {status} {answer}");
        }
    }

    /// The same for a file.
    pub(crate) fn apply_file(&self, namespace: &str, path: impl AsRef<Path>) {
        let path = path.as_ref();
        let manifest =
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.apply_yaml(namespace, &manifest);
    }

    /// Applies every document (a server-side apply, forced) and gives each answer. `namespace` is
    /// for those that name none.
    pub(crate) fn try_apply(&self, namespace: &str, manifest: &str) -> Vec<(u16, Value)> {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(manifest).expect("the manifest is YAML");
        let objects = documents.iter().filter(|document| !document.is_null());
        objects
            .map(|object| self.request("PATCH", &self.path_of(object, namespace), Some(object)))
            .collect()
    }

    /// The server says under which path a kind lives.
    fn path_of(&self, object: &Value, namespace: &str) -> String {
        let word = |value: &Value, what: &str| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("no {what}: {object}"))
                .to_owned()
        };
        let version = word(&object["apiVersion"], "apiVersion");
        let root = if version.contains('/') {
            format!("/apis/{version}")
        } else {
            format!("/api/{version}")
        };
        let resources = self
            .find(&root)
            .unwrap_or_else(|| panic!("the server knows no {version}"));
        let resource = resources["resources"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|resource| {
                resource["kind"] == object["kind"]
                    && !resource["name"]
                        .as_str()
                        .is_some_and(|name| name.contains('/'))
            });
        let resource = resource
            .unwrap_or_else(|| panic!("the server knows no {} in {version}", object["kind"]));
        let own = object["metadata"]["namespace"]
            .as_str()
            .unwrap_or(namespace);
        let scope = if resource["namespaced"] == true {
            format!("/namespaces/{own}")
        } else {
            String::new()
        };
        let name = word(&object["metadata"]["name"], "metadata.name");
        format!(
            "{root}{scope}/{}/{name}?fieldManager=test&force=true&fieldValidation=Strict",
            word(&resource["name"], "name")
        )
    }

    pub(super) fn client(&self, token: &str) -> Client {
        let client = Client::tls(self.port, &self.ca);
        if token.is_empty() {
            client
        } else {
            client.with("Authorization", &format!("Bearer {token}"))
        }
    }
}
