//! Kinds of other projects (custom resource definitions), taken out of their Go modules as they
//! publish them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::provision::{cache, fresh, mark, once};

/// Module, version, checksum, and the files that are taken, one module a line.
const MODULES: &str = include_str!("../../stack/kinds/modules.txt");

const MISSING: &str = "Go fetches the kinds of other projects: install Go 1.26 or later \
    (go.dev/doc/install) and run again";

/// The folder that holds them.
pub(super) fn folder() -> Result<PathBuf, String> {
    let folder = cache().join(format!("kinds-{}", mark(&[MODULES])));
    let taken = folder.join("taken");
    once(&taken, "kinds", "fetching kinds of other projects", || {
        let partial = fresh(&folder);
        for line in MODULES.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [module, version, sum, files @ ..] = words.as_slice() else {
                return Err(format!("{line}: module, version, checksum, files"));
            };
            let found = fetched(&format!("{module}@{version}"), sum, &partial)?;
            for file in files {
                let name = Path::new(file).file_name().expect("a file");
                fs::copy(found.join(file), partial.join(name))
                    .map_err(|error| format!("{file}: {error}"))?;
            }
        }
        fs::rename(&partial, &taken).map_err(|error| error.to_string())
    })?;
    Ok(taken)
}

/// Where Go keeps this module, if it is the one that was written down.
fn fetched(module: &str, sum: &str, folder: &Path) -> Result<PathBuf, String> {
    let output = Command::new("go")
        .args(["mod", "download", "-json", module])
        .current_dir(folder)
        .env("GOWORK", "off")
        .output()
        .map_err(|_| MISSING.to_owned())?;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match (told["Sum"].as_str(), told["Dir"].as_str()) {
        (Some(real), Some(folder)) if real == sum => Ok(folder.into()),
        (Some(real), Some(_)) => Err(format!("{module} is {real}, not {sum}")),
        _ => Err(format!(
            "{module}: {told} {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
