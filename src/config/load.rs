//! From files to one [`Config`]: read, parse, check each, merge by name.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::check::{self, Parts};
use super::mask::{self, Masked};
use super::mend;
use super::outside::Outside;
use super::problem::{Problem, Problems, span};
use super::raw::RawConfig;
use super::written::{self, Flaw, Kind, Place, What, Written};
use super::{AgeKey, Config, Location};
use crate::base::failure::{Class, class_of_reading};

/// Loads files and folders (their `*.yaml` and `*.yml`), all merged into one configuration.
pub fn load(paths: &[PathBuf], outside: &Outside<'_>) -> Result<Config, Problems> {
    let mut found = Problems {
        list: Vec::new(),
        texts: BTreeMap::new(),
    };
    let mut parts = Parts::default();
    let mut unread = false;
    for file in files(paths, outside, &mut found) {
        let name = file.display().to_string();
        match (outside.read)(&file) {
            Err(error) => found.list.push(unreadable(&name, &error)),
            Ok(text) => {
                let pasted = pasted(&name, &text);
                found.list.extend(pasted.iter().cloned());
                let (raw, flaws) = parse(&name, &text);
                // A secret where a mapping is meant is one mistake, not two.
                let is_new = |flaw: &Problem| pasted.iter().all(|p| p.at.line != flaw.at.line);
                found.list.extend(flaws.into_iter().filter(is_new));
                match raw {
                    Some(raw) => {
                        let base = file.parent().unwrap_or(Path::new(""));
                        let problems = check::check(raw, &name, base, outside, &mut parts);
                        found.list.extend(problems);
                    }
                    None => unread = true,
                }
                found.texts.insert(name, text);
            }
        }
    }
    let mut of_all = Vec::new();
    let mut config = check::merge(parts, &mut of_all);
    // What is missing may stand in the file that could not be read.
    if !unread {
        found.list.extend(of_all);
    }
    if let Some(file) = (outside.env)("SOPS_AGE_KEY_FILE").filter(|file| !file.is_empty()) {
        config.keys.age.push(AgeKey::File {
            file: file.into(),
            passphrase: None,
        });
    }
    let empty = config.deliveries.is_empty() && config.manifests.is_empty();
    if found.list.is_empty() && empty && config.reflector.is_none() {
        let name = paths.first().map(|path| path.display().to_string());
        found.list.push(without_delivery(&name.unwrap_or_default()));
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
    let class = class_of_reading(error);
    let hint = match class == Class::Unavailable {
        true => "raise the limit (`ulimit -n`), or run it again when less is open",
        false => "name a file or a folder with --config, or KEYFERRY_CONFIG",
    };
    Problem {
        at: whole(name),
        what: format!("the configuration cannot be read: {error}"),
        hint: Some(hint.to_owned()),
        class,
    }
}

fn without_delivery(name: &str) -> Problem {
    Problem {
        at: whole(name),
        what: "no delivery is declared".to_owned(),
        hint: Some(
            "add `deliveries: [{name: …, from: […], to: […]}]`; `keyferry schema` prints all that \
             can be said"
                .to_owned(),
        ),
        class: Class::Configuration,
    }
}

fn whole(name: &str) -> Location {
    Location {
        file: name.to_owned(),
        ..Location::default()
    }
}

const BY_FILE: &str = "a token is given by file, never in the configuration";

/// Tokens and private keys that stand in a configuration themselves.
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

/// Parses one file into the shape as written; all that is wrong with it.
pub fn parse(name: &str, text: &str) -> (Option<RawConfig>, Vec<Problem>) {
    let (raw, flaws) = match written::document(text) {
        Err(flaw) => (None, vec![flaw]),
        Ok(written) => match manifest(&written) {
            Some(flaw) => (None, vec![flaw]),
            None => mend::read(written),
        },
    };
    let problems = flaws.into_iter().map(|flaw| problem(name, text, flaw));
    (raw, problems.collect())
}

/// What is wrong with a manifest of Kubernetes in the place of a configuration.
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
            "name the file that is in it: mount the ConfigMap as a volume, or keep the text that \
             stands under `data:` in a file of its own"
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
    let Place { line, column } = flaw.at.unwrap_or(Place { line: 1, column: 1 });
    let at = Location {
        file: name.to_owned(),
        line,
        column,
    };
    let hint = match flaw.kind == Kind::Shape && is_of_identity(text, &at) {
        true => BY_FILE.to_owned(),
        false => flaw.hint,
    };
    Problem {
        at,
        what: flaw.what,
        hint: Some(hint),
        class: Class::Configuration,
    }
}

/// Whether what is wrong is a hidden value of a key that says who we are: a password that looks
/// like any word.
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

/// The configuration that is this text, for tests of what works by one.
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
