//! Compose files as docker compose loads them.

use std::path::Path;

use serde_json::Value;

use super::run::Run;
use super::tools;

/// What the files mean together, each variable filled in from the `.env` file.
pub(crate) fn loaded(env: &Path, files: &[&Path]) -> Value {
    let output = Run::of(tools::compose()).args([env]).args(files).run();
    serde_json::from_str(&output.expect(0).stdout).expect("JSON")
}

/// The port on the host of each service that has one.
pub(crate) fn published<'a>(project: &'a Value, service: &str) -> Vec<&'a str> {
    let ports = project["services"][service]["ports"].as_array();
    let ports = ports.into_iter().flatten();
    ports
        .filter_map(|port| port["published"].as_str())
        .collect()
}
