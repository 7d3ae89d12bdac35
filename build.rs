//! Packs the relocations of the static release binary: half a megabyte less, and nothing else changes.
//! Tells a release binary which commit it is built from.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script everything by its environment"
)]

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let commit = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = commit.then(commit_of_head).flatten().unwrap_or_default();
    println!("cargo:rustc-env=KEYFERRY_COMMIT={commit}");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let glibc = is("CARGO_CFG_TARGET_ENV", "gnu") && is("CARGO_CFG_TARGET_OS", "linux");
    let here = std::env::var("HOST").is_ok_and(|host| is("TARGET", &host));
    let whole = features.split(',').any(|feature| feature == "crt-static");
    if glibc && here && whole && unpacks() {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// ` (commit date)`; nothing where there is no Git. Only for a release: others would be compiled
/// again after each commit.
fn commit_of_head() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    };
    // A folder of our own, not of a repository that it was unpacked into.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name])?;
        // One that is not there would be waited for at each build.
        if std::path::Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(&["log", "-1", "--format=%h %cs"])?;
    Some(format!(" ({commit})"))
}

/// Whether the glibc that goes into the binary is 2.36 or later: it moves the binary into place itself, and older ones know
/// no packed relocations. Where that is not known they are left as they are.
fn unpacks() -> bool {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let text = output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    let version = text.trim().strip_prefix("glibc ");
    let mut numbers = version
        .unwrap_or_default()
        .split('.')
        .map(str::parse::<u32>);
    matches!(
        (numbers.next(), numbers.next()),
        (Some(Ok(2)), Some(Ok(minor))) if minor >= 36
    )
}
