//! Work that is done once for all processes, said on the screen, and explained when something is not installed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use sha2::{Digest, Sha256};

/// Does `work` unless `path` is there, holding a lock that other processes (and other worktrees' tests) respect.
pub(super) fn once(path: &Path, lock: &str, what: &str, work: impl FnOnce()) {
    if path.exists() {
        return;
    }
    fs::create_dir_all(path.parent().expect("a tool lies in a folder"))
        .expect("a folder under target can be made");
    let lock = File::create(cache().join(format!("{lock}.lock")))
        .expect("a lock file under target can be made");
    lock.lock().expect("a lock file can be locked");
    if path.exists() {
        return;
    }
    say(&format!("{what} (once; kept under target/stack)"));
    let start = Instant::now();
    work();
    say(&format!("{what}: {} s", start.elapsed().as_secs()));
}

/// Written to the handle itself: the test harness captures the print macros, and a build of minutes must not look dead.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "stack: {line}"));
}

pub(super) fn output(command: &mut Command, missing: &str) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("{missing}"),
        Err(error) => panic!("{command:?}: {error}"),
    }
}

pub(super) fn expect_success(output: &Output, step: &str, missing: &str) {
    if output.status.success() {
        return;
    }
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("No module named pip"), "{missing}");
    let head: Vec<&str> = text.lines().take(30).collect();
    panic!("{step} failed ({}):\n{}", output.status, head.join("\n"));
}

pub(super) fn found(folder: &Path, extension: &str) -> PathBuf {
    fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry can be read").path())
        .find(|path| path.extension().is_some_and(|e| e == extension))
        .unwrap_or_else(|| panic!("no *.{extension} in {}", folder.display()))
}

pub(super) fn mark(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize()
        .iter()
        .take(4)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

pub(super) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack")
}

/// `target/stack`, wherever the target folder is.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the folder for test files lies in the target folder")
        .join("stack")
}
