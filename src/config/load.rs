//! From files to one [`Config`]: read, parse, check each, merge by name.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;

use super::check::{self, Parts};
use super::problem::{Problem, Problems};
use super::raw::RawConfig;
use super::read::Reader;
use super::written::{self, Flaw, Place};
use super::{AgeKey, Config, Location};
use crate::report::Class;

/// What the loader may ask of the outside: passed in, so that the rest stays pure.
pub struct Outside<'a> {
    /// Environment variables.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Text of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Entries of a folder, sorted; nothing when it is not a folder.
    pub list: &'a dyn Fn(&Path) -> io::Result<Option<Vec<PathBuf>>>,
    /// With it, every file target must lie beneath.
    pub root: Option<&'a Path>,
}

/// Loads files and folders (their `*.yaml` and `*.yml`), all merged into one configuration.
pub fn load(paths: &[PathBuf], outside: &Outside<'_>) -> Result<Config, Problems> {
    let mut found = Problems {
        list: Vec::new(),
        texts: BTreeMap::new(),
    };
    let mut parts = Parts::default();
    for file in files(paths, outside, &mut found) {
        let name = file.display().to_string();
        match (outside.read)(&file) {
            Err(error) => found.list.push(unreadable(&name, &error)),
            Ok(text) => match parse(&name, &text) {
                Ok(raw) => {
                    let base = file.parent().unwrap_or(Path::new(""));
                    found
                        .list
                        .extend(check::check(raw, &name, base, outside, &mut parts));
                    found.texts.insert(name, text);
                }
                Err(problem) => {
                    found.list.push(problem);
                    found.texts.insert(name, text);
                }
            },
        }
    }
    let mut config = check::merge(parts, &mut found.list);
    if let Some(file) = (outside.env)("SOPS_AGE_KEY_FILE").filter(|file| !file.is_empty()) {
        config.keys.age.push(AgeKey::File(file.into()));
    }
    if found.list.is_empty() {
        Ok(config)
    } else {
        Err(found)
    }
}

fn files(paths: &[PathBuf], outside: &Outside<'_>, found: &mut Problems) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        match (outside.list)(path) {
            Ok(None) => all.push(path.clone()),
            Ok(Some(entries)) => {
                let before = all.len();
                all.extend(entries.into_iter().filter(|entry| {
                    entry
                        .extension()
                        .is_some_and(|ending| ending == "yaml" || ending == "yml")
                }));
                if all.len() == before {
                    let error = io::Error::other("the folder holds no *.yaml file");
                    found
                        .list
                        .push(unreadable(&path.display().to_string(), &error));
                }
            }
            Err(error) => found
                .list
                .push(unreadable(&path.display().to_string(), &error)),
        }
    }
    all
}

fn unreadable(name: &str, error: &io::Error) -> Problem {
    Problem {
        at: Location {
            file: name.to_owned(),
            line: 1,
            column: 1,
        },
        what: format!("the configuration cannot be read: {error}"),
        hint: Some("name a file or a folder with --config, or KEYFERRY_CONFIG".to_owned()),
        class: Class::Usage,
    }
}

/// Parses one file into the shape as written.
pub fn parse(name: &str, text: &str) -> Result<RawConfig, Problem> {
    let written = written::document(text).map_err(|flaw| problem(name, flaw))?;
    RawConfig::deserialize(Reader(&written)).map_err(|flaw| problem(name, flaw))
}

fn problem(name: &str, flaw: Flaw) -> Problem {
    let Place { line, column } = flaw.at.unwrap_or(Place { line: 1, column: 1 });
    Problem {
        at: Location {
            file: name.to_owned(),
            line,
            column,
        },
        what: flaw.what,
        hint: Some(flaw.hint),
        class: Class::Usage,
    }
}
