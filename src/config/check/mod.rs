//! Turns the written shape into the checked types. Every problem has a location, and all are
//! reported at once.

mod merge;
mod name;
mod outputs;

use std::ops::{Deref, RangeInclusive};
use std::path::{Path, PathBuf};

use super::environment::Outside;
use super::expand::{ExpandError, expand};
use super::located::{At, Shown};
use super::problem::Problem;
use super::{
    Delivery, Keys, Location, ManifestSet, RawConfig, Reflector, SecretRef, Sidecar, VaultServer,
};
use crate::base::artifact::ConfigurationName;
use crate::base::failure::Class;

pub use merge::merge;

/// Declarations of the files read so far, before they are merged.
#[derive(Debug, Default)]
pub struct Parts {
    /// Places where a problem may only follow from another problem.
    pub broken: Vec<Location>,
    /// Whether a key at the top could not be read: a part that seems to be missing may stand there.
    pub lost: bool,
    /// Name of the configuration in each file; `None` where the written text is no valid name.
    names: Vec<(Location, Option<ConfigurationName>)>,
    vaults: Vec<VaultServer>,
    /// Servers whose declaration has a problem: a source that names one is no second problem.
    broken_vaults: Vec<String>,
    keys: Keys,
    sidecars: Vec<(Location, Sidecar)>,
    deliveries: Vec<Delivery>,
    reflectors: Vec<(Location, Reflector)>,
    mark_keys: Vec<(Location, SecretRef)>,
    manifests: Vec<ManifestSet>,
}

/// Checks one file and adds what it declares.
pub fn check(
    raw: RawConfig,
    file: &str,
    base: &Path,
    outside: &Outside<'_>,
    parts: &mut Parts,
) -> Vec<Problem> {
    let mut checker = Checker {
        file,
        base,
        outside,
        problems: Vec::new(),
        broken: std::mem::take(&mut parts.broken),
    };
    let RawConfig {
        name,
        vault,
        vaults,
        keys,
        sidecar,
        deliveries,
        reflector,
        mark_key,
        manifests,
    } = raw;
    let name = name.map(|name| (checker.location(&name), checker.configuration_name(&name)));
    parts.names.extend(name);
    let sidecar = sidecar.map(|written| (checker.location(&written), checker.sidecar(written)));
    parts.sidecars.extend(sidecar);
    for (name, vault) in checker.servers(vault, vaults) {
        match checker.server(&name, vault) {
            Some(server) => parts.vaults.push(server),
            None => parts.broken_vaults.push(name),
        }
    }
    checker.keys(keys, &mut parts.keys);
    for delivery in deliveries {
        parts.deliveries.push(checker.delivery(delivery));
    }
    let reflector =
        reflector.map(|written| (checker.location(&written), checker.reflector(written)));
    parts.reflectors.extend(reflector);
    let mark_key = mark_key.map(|written| (checker.location(&written), checker.mark_key(written)));
    parts.mark_keys.extend(mark_key);
    for set in manifests {
        parts.manifests.extend(checker.manifests(set));
    }
    parts.broken = checker.broken;
    checker.problems
}

/// Checks one file: collects problems and returns all that is still usable.
pub(super) struct Checker<'a> {
    pub(super) file: &'a str,
    pub(super) base: &'a Path,
    pub(super) outside: &'a Outside<'a>,
    pub(super) problems: Vec<Problem>,
    /// Places where a problem may only follow from another problem.
    pub(super) broken: Vec<Location>,
}

/// A part of the configuration that has a place in a file.
pub(super) trait Placed {
    /// The place.
    fn place(&self, file: &str) -> Location;
}

impl<T> Placed for At<T> {
    fn place(&self, file: &str) -> Location {
        Location {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
        }
    }
}

impl Placed for Location {
    fn place(&self, _: &str) -> Location {
        self.clone()
    }
}

impl Checker<'_> {
    pub(super) fn location<T>(&self, written: &At<T>) -> Location {
        written.place(self.file)
    }

    /// Adds a problem at a written value or at a location.
    pub(super) fn problem(
        &mut self,
        at: &impl Placed,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.report(Class::Configuration, at, what, hint);
    }

    pub(super) fn report(
        &mut self,
        class: Class,
        at: &impl Placed,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let at = at.place(self.file);
        if !self.broken.contains(&at) {
            self.problems.push(Problem {
                class,
                ..Problem::new(at, what, hint)
            });
        }
    }

    /// A text with its variables filled in. After a problem the result is a unique text, and no
    /// second problem is reported at this place.
    pub(super) fn text(&mut self, written: &At<impl Deref<Target = str>>) -> String {
        match expand(&written.value, self.outside.env) {
            Ok(text) => text,
            Err(error) => {
                let at = self.location(written);
                let hint = match &error {
                    ExpandError::Secret(_) => {
                        "put the secret into a file or into Vault, and name that"
                    }
                    ExpandError::Unset(_) | ExpandError::Malformed => {
                        "set it, or give a default as in `${NAME:-default}`; `$${` is a literal \
                         `${`"
                    }
                };
                self.problem(&at, error.to_string(), hint);
                self.broken.push(at);
                format!("?{}.{}", written.line, written.column)
            }
        }
    }

    /// Refuses a variable in a name that stands before its `:`. Two such names could become one.
    pub(super) fn no_variable<T>(&mut self, value: &At<T>, what: &str, name: &str) {
        if name.contains("${") {
            let what = format!("{what} `{name}` has a variable, and none is filled in there");
            self.problem(
                value,
                what,
                "write the name itself; its value may have variables",
            );
        }
    }

    /// A text that must not be empty.
    pub(super) fn name(&mut self, written: &At<impl Deref<Target = str>>, what: &str) -> String {
        let text = self.text(written);
        if text.trim().is_empty() {
            self.problem(written, format!("{what} is empty"), "write a name");
        }
        text
    }

    /// The meaning of a text. Without one, `what` completes the message, as in `no duration`.
    pub(super) fn read<T>(
        &mut self,
        written: &At<Shown>,
        read: impl FnOnce(&str) -> Option<T>,
        what: &str,
        hint: &str,
    ) -> Option<T> {
        let text = self.text(written);
        let found = read(&text);
        if found.is_none() {
            self.problem(written, format!("`{text}` is {what}"), hint);
        }
        found
    }

    /// A number within bounds; adds a problem where it is outside.
    pub(super) fn bounded(
        &mut self,
        written: &At<u64>,
        key: &str,
        bounds: RangeInclusive<u64>,
        hint: &str,
    ) -> usize {
        let number = written.value;
        if !bounds.contains(&number) {
            self.problem(written, format!("`{key}: {number}` is out of bounds"), hint);
        }
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    /// The usable items of a list.
    pub(super) fn check_items<R, T>(
        &mut self,
        written: Vec<R>,
        one: fn(&mut Self, R) -> Option<T>,
    ) -> Vec<T> {
        let written = written.into_iter();
        written.filter_map(|written| one(self, written)).collect()
    }

    /// Texts that must not be empty.
    pub(super) fn names(
        &mut self,
        written: &[At<impl Deref<Target = str>>],
        what: &str,
    ) -> Vec<String> {
        written.iter().map(|name| self.name(name, what)).collect()
    }

    /// A path, joined with the folder of the file.
    pub(super) fn path(&mut self, written: &At<Shown>) -> PathBuf {
        let text = self.name(written, "this path");
        let unsafe_name = text.contains('\0')
            || text.len() > 4096
            || text.split('/').any(|part| part.len() > 255);
        if unsafe_name {
            self.problem(
                written,
                format!("unsafe target path {text:?}"),
                "no NUL, at most 255 bytes a name and 4096 in all",
            );
        }
        self.base.join(text)
    }

    /// Adds a problem for a key that has no effect without another key.
    pub(super) fn useless(&mut self, at: &impl Placed, what: &str, beside: &str) {
        let what = format!("`{what}` is of use only beside {beside}");
        self.problem(at, what, "remove it");
    }

    /// The only alternative that was written. Each alternative has its key and its written value,
    /// as far as the value is usable.
    pub(super) fn only<T, const N: usize>(
        &mut self,
        at: &Location,
        what: &str,
        alternatives: [(&str, Option<Option<T>>); N],
    ) -> Option<T> {
        let known = alternatives.each_ref().map(|(key, _)| *key).join(", ");
        let mut given = alternatives.into_iter().filter_map(|(_, given)| given);
        let (count, verb) = match (given.next(), given.count()) {
            (Some(only), 0) => return only,
            (None, _) => ("none".to_owned(), "add"),
            (Some(_), more) => ((more + 1).to_string(), "keep"),
        };
        self.problem(
            at,
            format!("{what} needs exactly one of {known}, and has {count}"),
            format!("{verb} one of {known}"),
        );
        None
    }
}
