//! Loads the configuration: its files, the environment, and how its mistakes are shown.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keyferry::config::environment::{Outside, Root};
use keyferry::config::load::draft;
use keyferry::config::problem::Problems;
use keyferry::disk::of_one_generation;
use keyferry::mode::Ended;
use keyferry::mode::sidecar::Loaded;
use keyferry::pass::outcome::Failed;
use keyferry::process::hardening;

use super::arguments::Place;
use super::errors;

/// The configuration, and every file and folder that was read for it. All files of a folder come
/// from one state of its volume, never from before and after a switch.
pub(super) fn loaded(place: &Place) -> Loaded {
    loaded_for(place, Machine::This)
}

/// The machine on which a configuration will run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// This machine: what the configuration names must exist here.
    This,
    /// Another machine: certificates and targets are not looked at.
    Another,
}

/// Like [`loaded`], for a configuration that may run on another machine.
pub(super) fn loaded_for(place: &Place, machine: Machine) -> Loaded {
    if place.strict {
        keyferry::disk::be_strict();
    }
    let paths = if place.paths.config.is_empty() {
        default_config()
    } else {
        place.paths.config.clone()
    };
    let named: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    of_one_generation(&named, || load_once(place, &paths, machine))
}

fn load_once(place: &Place, paths: &[PathBuf], machine: Machine) -> Loaded {
    let seen = RefCell::new(Vec::new());
    let texts = RefCell::new(BTreeMap::new());
    let read = |path: &Path| {
        seen.borrow_mut().push(path.to_owned());
        let text = keyferry::disk::read_text(path)?;
        let mut texts = texts.borrow_mut();
        texts.insert(path.display().to_string(), text.clone());
        Ok(text)
    };
    let here = std::env::current_dir().unwrap_or_default();
    let outside = Outside {
        env: &env_text,
        read: &read,
        list: &|path| {
            seen.borrow_mut().push(path.to_owned());
            list(path)
        },
        root: place.root.as_deref().map(|path| Root { path, here: &here }),
    };
    let mut draft = draft(paths, &outside);
    let is_broken = |at: &_| draft.is_broken(at);
    let mut more = keyferry::render::check_templates(&draft.config, draft.texts(), &is_broken);
    if machine == Machine::This {
        more.extend(keyferry::vault::check_roots(&draft.config));
        let seen = seen.borrow();
        more.extend(keyferry::pass::observe::overwritten(&draft.config, &seen));
    }
    draft.add(more);
    let config = draft.finish();
    errors::remember(texts.take());
    let mut files = seen.take();
    files.sort();
    files.dedup();
    Loaded { config, files }
}

fn default_config() -> Vec<PathBuf> {
    let names = ["keyferry.yaml", "keyferry.yml"];
    let mounted = names.map(|name| Path::new("/etc/keyferry").join(name));
    let mut all = names.map(PathBuf::from).into_iter().chain(mounted);
    let found = all.find(|path| path.exists());
    vec![found.unwrap_or_else(|| names[0].into())]
}

fn list(path: &Path) -> std::io::Result<Option<Vec<PathBuf>>> {
    if !path.is_dir() {
        return Ok(None);
    }
    let mut entries = std::fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(Some(entries))
}

/// All problems of a configuration, in the order of its files.
pub(super) fn invalid(problems: &Problems) -> Ended {
    let failures: Vec<Failed> = problems
        .failures()
        .into_iter()
        .map(Failed::of_the_run)
        .collect();
    let first = || Failed::of_the_run(problems.failure());
    Ended::Failed(Failed::worst(&failures).unwrap_or_else(first))
}

pub(super) fn warn_of_secrets() {
    for name in hardening::SECRET_VARIABLES
        .iter()
        .filter(|name| std::env::var_os(name).is_some())
    {
        if !name.starts_with("ACTIONS_") {
            tracing::warn!("{name} is set and ignored: secrets are read from files only");
        }
    }
}

/// An environment variable; `None` where it is no text.
pub(super) fn env_text(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}
