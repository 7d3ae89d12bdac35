//! From files to one [`Config`]: read, parse, check each, merge by name.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::RawConfig;
use super::check::{self, Parts};
use super::environment::Outside;
use super::mask::{self, Masked};
use super::problem::find_all::{self, Mended};
use super::problem::flaw::{Flaw, Kind};
use super::problem::{Problem, Problems, span};
use super::tree::{self, Place, What, Written};
use super::{AgeKey, Config, LocatedKey, Location};
use crate::base::failure::{Class, class_of_reading};

/// A configuration as far as it can be understood, and all that is wrong with it.
pub struct Draft {
    /// Usable only if there is no problem.
    pub config: Config,
    problems: Problems,
    broken: Vec<Location>,
}

impl Draft {
    /// Whether a problem was reported at this place or right below it: a part that is missing here
    /// may only follow from that problem.
    pub fn is_broken(&self, at: &Location) -> bool {
        self.broken.contains(at)
    }

    /// The texts of the files, by their names.
    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.problems.texts
    }

    /// Adds problems, except those that only follow from a reported problem.
    pub fn add(&mut self, found: Vec<Problem>) {
        let new = found.into_iter();
        let new = new.filter(|problem| !self.broken.contains(&problem.at));
        self.problems.list.extend(new);
    }

    /// The configuration, or its problems.
    pub fn finish(self) -> Result<Config, Problems> {
        match self.problems.list.is_empty() {
            true => Ok(self.config),
            false => Err(self.problems),
        }
    }
}

/// Loads files and folders (their `*.yaml` and `*.yml`), all merged into one configuration.
pub fn load(paths: &[PathBuf], outside: &Outside<'_>) -> Result<Config, Problems> {
    draft(paths, outside).finish()
}

/// Like [`load`], for callers that can find more problems.
pub fn draft(paths: &[PathBuf], outside: &Outside<'_>) -> Draft {
    let mut found = Problems {
        list: Vec::new(),
        texts: BTreeMap::new(),
    };
    let mut parts = Parts::default();
    for file in files(paths, outside, &mut found) {
        let name = file.display().to_string();
        match (outside.read)(&file) {
            Err(error) => {
                found.list.push(unreadable(&name, &error));
                parts.lost = true;
            }
            Ok(text) => {
                let pasted = pasted(&name, &text);
                found.list.extend(pasted.iter().cloned());
                let read = read(&name, &text);
                // A secret in place of a mapping is one problem, not two.
                let is_new = |flaw: &Problem| pasted.iter().all(|p| p.at.line != flaw.at.line);
                found.list.extend(read.problems.into_iter().filter(is_new));
                parts.broken.extend(read.broken);
                parts.lost |= read.lost;
                if let Some(raw) = read.raw {
                    let base = file.parent().unwrap_or(Path::new(""));
                    let problems = check::check(raw, &name, base, outside, &mut parts);
                    found.list.extend(problems);
                }
                found.texts.insert(name, text);
            }
        }
    }
    let broken = std::mem::take(&mut parts.broken);
    let mut of_all = Vec::new();
    let config = check::merge(parts, &mut of_all);
    let mut draft = Draft {
        config,
        problems: found,
        broken,
    };
    draft.add(of_all);
    let config = &mut draft.config;
    if let Some(file) = (outside.env)("SOPS_AGE_KEY_FILE").filter(|file| !file.is_empty()) {
        config.keys.age.push(LocatedKey {
            key: AgeKey::File {
                file: file.into(),
                passphrase: None,
            },
            at: None,
        });
    }
    let empty = config.deliveries.is_empty() && config.manifests.is_empty();
    let list = &mut draft.problems.list;
    if list.is_empty() && empty && config.reflector.is_none() {
        let name = paths.first().map(|path| path.display().to_string());
        list.push(without_delivery(&name.unwrap_or_default()));
    }
    draft
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
                    let name = path.display().to_string();
                    found.list.push(without_files(&name));
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
    let class = class_of_reading(error);
    let (what, hint) = match (error.kind(), class) {
        (io::ErrorKind::NotFound, _) => (
            "there is no such file or folder".to_owned(),
            "name the configuration with --config or KEYFERRY_CONFIG; `keyferry new` prints one to \
             start with",
        ),
        (_, Class::Unavailable) => (
            format!("the configuration cannot be read: {error}"),
            "raise the limit (`ulimit -n`), or run it again when less is open",
        ),
        _ => (
            format!("the configuration cannot be read: {error}"),
            "make it readable, or name another with --config or KEYFERRY_CONFIG",
        ),
    };
    Problem {
        at: whole_file(name),
        what,
        hint: Some(hint.to_owned()),
        class,
    }
}

fn without_files(name: &str) -> Problem {
    Problem {
        at: whole_file(name),
        what: "this folder holds no *.yaml file".to_owned(),
        hint: Some(
            "put a configuration such as keyferry.yaml into it, or name another place with \
             --config or KEYFERRY_CONFIG"
                .to_owned(),
        ),
        class: Class::Configuration,
    }
}

fn without_delivery(name: &str) -> Problem {
    Problem {
        at: whole_file(name),
        what: "no delivery is declared".to_owned(),
        hint: Some(
            "add `deliveries: [{name: …, from: […], to: […]}]`; `keyferry new` prints a \
             configuration to start with"
                .to_owned(),
        ),
        class: Class::Configuration,
    }
}

fn whole_file(name: &str) -> Location {
    Location {
        file: name.to_owned(),
        ..Location::default()
    }
}

const BY_FILE: &str = "a token is given by file, never in the configuration";

/// Problems of tokens and private keys that stand in the configuration itself.
fn pasted(name: &str, text: &str) -> Vec<Problem> {
    let problem = |at| Problem {
        at: location(name, text, at),
        what: "this has the form of a secret".to_owned(),
        hint: Some(format!("{BY_FILE}; replace it, it was seen")),
        class: Class::Configuration,
    };
    mask::tokens(text).into_iter().map(problem).collect()
}

/// Line and column of a place in a text.
fn location(name: &str, text: &str, at: usize) -> Location {
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let number = |count: usize| u32::try_from(count + 1).unwrap_or(0);
    Location {
        file: name.to_owned(),
        line: number(before.matches('\n').count()),
        column: number(before[line..].chars().count()),
    }
}

/// The parts of one file that could be read.
struct Read {
    raw: Option<RawConfig>,
    problems: Vec<Problem>,
    /// Places where other problems may only follow from these problems.
    broken: Vec<Location>,
    /// Whether a key at the top could not be read: a part that seems to be missing may stand there.
    lost: bool,
}

/// Parses one file into the written shape, and returns all its problems.
pub fn parse(name: &str, text: &str) -> (Option<RawConfig>, Vec<Problem>) {
    let read = read(name, text);
    (read.raw, read.problems)
}

fn read(name: &str, text: &str) -> Read {
    let nothing = |flaw| Mended {
        raw: None,
        flaws: vec![flaw],
        around: Vec::new(),
        top: true,
    };
    let mended = match tree::document(text) {
        Err(flaw) => nothing(flaw),
        Ok((written, flaws)) => match manifest(&written) {
            Some(flaw) => nothing(flaw),
            None => find_all::read(written, flaws),
        },
    };
    let flaws = mended.flaws.into_iter();
    Read {
        lost: mended.top || mended.raw.is_none(),
        raw: mended.raw,
        problems: flaws.map(|flaw| problem(name, text, flaw)).collect(),
        broken: mended
            .around
            .into_iter()
            .map(|at| tree::location(at, name))
            .collect(),
    }
}

/// The flaw of a Kubernetes manifest that was given as a configuration.
fn manifest(written: &Written) -> Option<Flaw> {
    let What::Map(entries) = &written.what else {
        return None;
    };
    let value = |key: &str| entries.iter().find(|entry| entry.key == key);
    let (version, kind) = (value("apiVersion")?, value("kind")?);
    let What::Scalar { text: kind, .. } = &kind.value.what else {
        return None;
    };
    let hint = match kind.as_str() {
        "ConfigMap" => {
            "put the text under `data:` into a file of its own and name that file; in a pod, mount \
             the ConfigMap as a volume"
        }
        "Secret" | "SealedSecret" | "List" => {
            "write a configuration that names this file: `manifests: [{sops: FILE}]` or \
             `manifests: [{sealed: FILE}]`; `keyferry new manifests` prints one"
        }
        _ => "name the configuration with --config; `keyferry new` prints one to start with",
    };
    let what = format!(
        "this is a Kubernetes manifest (kind {})",
        kind.escape_debug()
    );
    Some(Flaw::new(version.at, what, hint))
}

fn problem(name: &str, text: &str, flaw: Flaw) -> Problem {
    let at = flaw.at.unwrap_or(Place { line: 1, column: 1 });
    let at = tree::location(at, name);
    let hint = match matches!(flaw.kind, Kind::Shape(_)) && is_of_identity(text, &at) {
        true => {
            let shape = flaw.hint.split(';').next().unwrap_or_default();
            format!("{shape}; {BY_FILE}")
        }
        false => flaw.hint,
    };
    Problem {
        at,
        what: flaw.what,
        hint: Some(hint),
        class: Class::Configuration,
    }
}

/// Whether the problem is at a hidden value of a key for our identity: a password may look like any
/// word.
fn is_of_identity(text: &str, at: &Location) -> bool {
    let Some(span) = span(text, at) else {
        return false;
    };
    let key = text[..span.start].trim_end_matches([' ', '[', '{', '-', '\n', '"', '\'']);
    let word = key
        .strip_suffix(':')
        .and_then(|key| key.rsplit([' ', '{', ',', '\n']).next())
        .unwrap_or_default();
    let identities = [
        "auth",
        "token",
        "jwt",
        "appRole",
        "kubernetes",
        "age",
        "sealed",
        "keys",
    ];
    identities.contains(&word) && Masked::new(text).hides(span.start)
}

/// Parses a configuration, for tests of modules that need one.
#[cfg(test)]
pub(crate) fn of_text(text: &str) -> Config {
    let outside = Outside {
        env: &|_| None,
        read: &|_| Ok(text.to_owned()),
        list: &|_| Ok(None),
        root: None,
    };
    load(&["/c/keyferry.yaml".into()], &outside).unwrap_or_else(|why| panic!("{why}"))
}
