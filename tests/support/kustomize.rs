//! Folders of manifests as the real kustomize renders them.

use std::path::Path;

use serde_json::Value;

use super::run::Run;
use super::tools;

/// What would be applied: text for the API server, documents for us.
pub(crate) fn rendered(folder: &Path) -> (String, Vec<Value>) {
    let text = Run::of(tools::kubectl())
        .env("HOME", "/nonexistent")
        .args(["kustomize"])
        .args([folder])
        .run()
        .expect(0)
        .stdout;
    let documents = serde_saphyr::from_multiple(&text).expect("kustomize writes YAML");
    (text, documents)
}
