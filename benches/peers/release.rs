//! The binary that users get: optimised, static, stripped; built here so that nothing else is ever
//! measured.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::say;
use crate::support::tools::cache;
use crate::table::{Row, Target};

/// Bytes of the binary at most.
const MOST: u64 = 13_000_000;

/// Builds it as the README says, into the same target folder, and gives its path. glibc, not musl:
/// that one would want a C compiler of its own, and since 2.34 a static glibc resolves names
/// without loading anything.
pub(crate) fn build() -> PathBuf {
    let host = host();
    let target = cache()
        .parent()
        .expect("the tools lie in the target folder")
        .to_owned();
    say("building the static release binary (minutes, the first time)");
    let start = Instant::now();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--bin",
            "keyferry",
            "--target",
            &host,
        ])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "the release build failed");
    say(&format!("built in {} s", start.elapsed().as_secs()));
    target.join(host).join("release/keyferry")
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

fn host() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("-vV")
        .output()
        .expect("rustc can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc says its host").to_owned()
}
