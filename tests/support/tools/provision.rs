//! Work that is done once for all processes, said on the screen, and explained when something is
//! not installed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use sha2::{Digest, Sha256};

/// Does `work` unless `path` is there, holding a lock that other test processes respect.
pub(super) fn once(
    path: &Path,
    lock: &str,
    what: &str,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    if path.exists() {
        return Ok(());
    }
    fs::create_dir_all(cache()).expect("a folder under target can be made");
    let lock = File::create(cache().join(format!("{lock}.lock")))
        .expect("a lock file under target can be made");
    lock.lock().expect("a lock file can be locked");
    if path.exists() {
        return Ok(());
    }
    say(&format!("{what} (once; kept under target/stack)"));
    let start = Instant::now();
    work().map_err(|why| format!("{what}: {why}"))?;
    say(&format!("{what}: {} s", start.elapsed().as_secs()));
    Ok(())
}

/// Written to the handle itself: the test harness captures the print macros, and a build of minutes
/// must not look dead.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "stack: {line}"));
}

/// An empty folder in `folder` for what is not finished yet.
pub(super) fn fresh(folder: &Path) -> PathBuf {
    let partial = folder.join("partial");
    drop(fs::remove_dir_all(&partial));
    fs::create_dir_all(&partial).expect("a folder under target can be made");
    partial
}

/// Runs a command to its good end; `missing` is the sentence for a machine where it is not
/// installed.
pub(super) fn succeed(command: &mut Command, missing: &str) -> Result<(), String> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing.to_owned()),
        Err(error) => return Err(format!("{command:?}: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(())
    } else if text.contains("No module named pip") {
        Err(missing.to_owned())
    } else {
        let head: Vec<&str> = text.lines().take(30).collect();
        Err(format!("{}\n{}", output.status, head.join("\n")))
    }
}

/// A short name for contents.
pub(super) fn mark(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let bytes = hash.finalize();
    bytes
        .iter()
        .take(4)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Where the versions are written.
pub(super) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack")
}

/// `target/stack`, wherever the target folder is.
pub(crate) fn cache() -> PathBuf {
    // An example is not told, but lies in `target/PROFILE/examples`.
    let itself = std::env::current_exe().expect("this program knows where it is");
    let target = match option_env!("CARGO_TARGET_TMPDIR") {
        Some(tests) => Path::new(tests).parent(),
        None => itself.ancestors().nth(3),
    };
    target
        .expect("what cargo builds lies in the target folder")
        .join("stack")
}
