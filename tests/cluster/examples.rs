//! The five systems as their owners run them: real servers, their names and paths.

mod archpad;
mod axion;
mod gitops;
mod softyt;
mod workload;

use std::path::{Path, PathBuf};

use crate::support::run::Output;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

#[track_caller]
fn says(done: &Output, part: &str) {
    assert!(
        done.stderr.contains(part),
        "no {part:?} in:\n{}",
        done.stderr
    );
}
