//! Kinds of other projects: as they publish them, or any content where they cannot be had.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::Cluster;
use crate::support::process::eventually;
use crate::support::tools;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// The definition of a kind in its project's own file (`tests/stack/kinds`).
pub(crate) fn known(file: &str) -> Value {
    let text = fs::read_to_string(tools::kinds().join(file)).expect("a definition");
    let mut definition: Value = serde_saphyr::from_str(&text).expect("YAML");
    // Its converter is a webhook of that project's, which does not run here.
    definition["spec"]["conversion"] = json!({"strategy": "None"});
    definition
}

/// The definition of a kind whose content nobody checks.
pub(crate) fn any(group: &str, version: &str, kind: &str) -> Value {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": singular},
            "versions": [{
                "name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}

impl Cluster {
    /// Makes a kind known from its project's own file.
    pub(crate) fn know(&self, file: &str) {
        self.define(&known(file));
    }

    /// Makes a kind known whose content nobody checks.
    pub(crate) fn know_any(&self, group: &str, version: &str, kind: &str) {
        self.define(&any(group, version, kind));
    }

    fn define(&self, definition: &Value) {
        let name = definition["metadata"]["name"].as_str().expect("a name");
        let path = format!("{DEFINITIONS}/{name}?fieldManager=test&force=true");
        let (status, answer) = self.request("PATCH", &path, Some(definition));
        assert!(status < 300, "{name}: {status} {answer}");
        eventually(
            &format!("{name} is served"),
            Duration::from_secs(30),
            || {
                let stored = self.find(&format!("{DEFINITIONS}/{name}"));
                let stored = stored.unwrap_or_default();
                let conditions = stored["status"]["conditions"].as_array();
                let mut conditions = conditions.into_iter().flatten();
                let spec = &stored["spec"];
                let version = spec["versions"][0]["name"].as_str().unwrap_or_default();
                let group = spec["group"].as_str().unwrap_or_default();
                conditions.any(|one| one["type"] == "Established" && one["status"] == "True")
                    && self.find(&format!("/apis/{group}/{version}")).is_some()
            },
        );
    }
}
