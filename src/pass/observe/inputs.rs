//! No target may be a file that keyferry reads itself, however either path is spelt: the plaintext
//! would replace the key that opened it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::place;
use crate::base::observed::FilePlace;
use crate::config::problem::Problem;
use crate::config::{Config, Target};
use crate::disk::{leads_into_set, promptly};

/// Identifies a file: by itself, or, if it does not exist yet, by its place.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    There(u64, u64),
    Absent(Option<FilePlace>),
}

/// A file that keyferry reads.
struct Input {
    file: PathBuf,
    what: &'static str,
    identity: Identity,
    /// The folder that the file would belong to as part of a set; nothing if no set of ours can
    /// make the file.
    set: Option<(u64, u64)>,
}

/// A problem for each target that is also read; `files` are the configuration and its templates.
pub fn overwritten(config: &Config, files: &[PathBuf]) -> Vec<Problem> {
    let targets: Vec<&Target> = config
        .deliveries
        .iter()
        .flat_map(|delivery| &delivery.to)
        .filter(|target| path(target).is_some())
        .collect();
    let paths: Vec<PathBuf> = targets.iter().filter_map(|target| path(target)).collect();
    if paths.is_empty() {
        return Vec::new();
    }
    let inputs = inputs(config, files);
    // If every input exists, a target that does not exist cannot be one of them.
    let placed = inputs
        .iter()
        .any(|input| matches!(input.identity, Identity::Absent(_)));
    let asked = paths.into_iter().map(|path| (path, placed)).collect();
    // A path that does not answer is reported when it is written to.
    let found = promptly(asked, |(path, placed)| identity(path, *placed));
    let both = targets.into_iter().zip(found);
    both.filter_map(|(target, found)| problem(target, &found?, &inputs))
        .collect()
}

fn inputs(config: &Config, files: &[PathBuf]) -> Vec<Input> {
    let ours = files
        .iter()
        .map(|file| (file.as_path(), "a part of the configuration"));
    let all = config.inputs().into_iter().chain(ours);
    let (paths, words): (Vec<PathBuf>, Vec<&str>) =
        all.map(|(file, what)| (file.to_owned(), what)).unzip();
    let found = promptly(paths.clone(), |path| {
        (identity(path, true), set_around(path))
    });
    let all = paths.into_iter().zip(words).zip(found);
    all.filter_map(|((file, what), found)| {
        let (identity, set) = found?;
        Some(Input {
            file,
            what,
            identity,
            set,
        })
    })
    .collect()
}

fn path(target: &Target) -> Option<PathBuf> {
    match target {
        Target::File(file) => Some(file.path.clone()),
        Target::Files(files) => Some(files.dir.clone()),
        Target::Secret(_) => None,
    }
}

/// The place of an absent file is looked for only if `placed`: that takes many calls.
fn identity(path: &Path, placed: bool) -> Identity {
    match std::fs::metadata(path) {
        Ok(seen) => Identity::There(seen.dev(), seen.ino()),
        Err(_) if placed => Identity::Absent(place::file(path)),
        Err(_) => Identity::Absent(None),
    }
}

/// The folder around a file that a set there has made or would make.
fn set_around(path: &Path) -> Option<(u64, u64)> {
    let made = leads_into_set(path) || std::fs::symlink_metadata(path).is_err();
    let folder = std::fs::metadata(path.parent().filter(|_| made)?).ok()?;
    Some((folder.dev(), folder.ino()))
}

fn problem(target: &Target, found: &Identity, inputs: &[Input]) -> Option<Problem> {
    let read = inputs.iter().find(|input| match (target, found) {
        (Target::Files(_), Identity::There(dev, ino)) => input.set == Some((*dev, *ino)),
        (Target::File(_), _) => match found {
            // Two files whose places are unknown need not be the same.
            Identity::Absent(None) => false,
            Identity::There(..) | Identity::Absent(Some(_)) => input.identity == *found,
        },
        (Target::Files(_) | Target::Secret(_), _) => false,
    })?;
    let what = format!(
        "{target} is also read: {} is {}",
        read.file.display(),
        read.what
    );
    Some(Problem::new(
        target.place().clone(),
        what,
        "give this target another place",
    ))
}
