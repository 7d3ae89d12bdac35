//! The binary that users get: optimised, static, stripped; built here so that nothing else is ever
//! measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::say;
use crate::support::tools::cache;
use crate::table::{Row, Target};

/// Bytes of the binary at most.
const MOST: u64 = 13_000_000;

/// Builds what ships, by the script that makes a release, into the same target folder, and gives its
/// path.
pub(crate) fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = cache();
    let target = tools.parent().expect("the tools lie in the target folder");
    say("building the static release binary (minutes, the first time)");
    let start = Instant::now();
    let output = Command::new(root.join("deploy/build"))
        .env("CARGO_TARGET_DIR", target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stderr(Stdio::inherit())
        .output()
        .expect("the script can be started");
    assert!(output.status.success(), "the release build failed");
    say(&format!("built in {} s", start.elapsed().as_secs()));
    let path = String::from_utf8(output.stdout).expect("a path");
    root.join(path.trim_end())
}

/// The row that says how big it is.
pub(crate) fn size(binary: &Path, _rounds: usize) -> Row {
    let seen = std::fs::metadata(binary)
        .expect("the binary was built")
        .len();
    Row {
        work: "release binary, static, stripped".to_owned(),
        lines: Vec::new(),
        targets: vec![Target::Bytes {
            what: "size",
            most: MOST,
            seen,
        }],
    }
}
