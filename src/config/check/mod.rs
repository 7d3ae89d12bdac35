//! From the shape as written to the checked types; every problem is located, and all of them are
//! reported at once.

mod merge;
mod name;
mod outputs;

use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::at::{At, Hidden, Shown};
use super::expand::{ExpandError, expand};
use super::outside::Outside;
use super::problem::Problem;
use super::raw::{RawConfig, RawDelivery, RawEncodedField, RawField, RawFieldEncoding};
use super::vault::DEFAULT_SERVER;
use crate::base::artifact::ConfigurationName;
use crate::base::failure::Class;

use super::{
    AgeKey, ComputedField, Delivery, FieldName, Location, ManifestSet, Reflector, SealedKey,
    SecretRef, Sidecar, Staleness, Target, VaultServer,
};

pub use merge::merge;

/// What the files seen so far declare, before it is merged.
#[derive(Debug, Default)]
pub struct Parts {
    /// Where a problem may only follow from another.
    pub broken: Vec<Location>,
    /// Something at the top could not be read: what is missing in the whole may have stood there.
    pub lost: bool,
    /// What each file calls the configuration; nothing where that is no name.
    names: Vec<(Option<ConfigurationName>, Location)>,
    vaults: Vec<VaultServer>,
    /// Servers that were declared, but not rightly: naming them is no second mistake.
    broken_vaults: Vec<String>,
    age: Vec<(AgeKey, Location)>,
    sealed: Vec<(SealedKey, Location)>,
    sidecar: Vec<(Sidecar, Location)>,
    recipients: Vec<String>,
    deliveries: Vec<Delivery>,
    reflectors: Vec<(Reflector, Location)>,
    mark_keys: Vec<(SecretRef, Location)>,
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
    if let Some(name) = name {
        let at = checker.at(&name);
        parts.names.push((checker.configuration_name(&name), at));
    }
    if let Some(sidecar) = sidecar {
        let at = checker.at(&sidecar);
        parts.sidecar.push((checker.sidecar(sidecar), at));
    }
    let default = vault.map(|vault| (DEFAULT_SERVER.to_owned(), vault));
    for (name, vault) in default.into_iter().chain(vaults) {
        match checker.server(&name, vault) {
            Some(server) => parts.vaults.push(server),
            None => parts.broken_vaults.push(name),
        }
    }
    for key in keys.age {
        let at = checker.at(&key);
        parts.age.extend(checker.age_key(key).map(|key| (key, at)));
    }
    for key in keys.sealed {
        let at = checker.at(&key);
        parts
            .sealed
            .extend(checker.sealed_key(key).map(|key| (key, at)));
    }
    for recipient in &keys.recipients {
        parts.recipients.push(checker.recipient(recipient));
    }
    for delivery in deliveries {
        let delivery = checker.delivery(delivery);
        parts.deliveries.push(delivery);
    }
    if let Some(reflector) = reflector {
        let at = checker.at(&reflector);
        parts.reflectors.push((checker.reflector(reflector), at));
    }
    if let Some(mark_key) = mark_key {
        let at = checker.at(&mark_key);
        parts.mark_keys.push((checker.mark_key(mark_key), at));
    }
    for set in manifests {
        parts.manifests.extend(checker.manifests(set));
    }
    parts.broken = checker.broken;
    checker.problems
}

/// One file's checks: it collects problems and gives what can still be given.
pub(super) struct Checker<'a> {
    pub(super) file: &'a str,
    pub(super) base: &'a Path,
    pub(super) outside: &'a Outside<'a>,
    pub(super) problems: Vec<Problem>,
    /// Where a problem may only follow from another.
    pub(super) broken: Vec<Location>,
}

impl Checker<'_> {
    pub(super) fn at<T>(&self, written: &At<T>) -> Location {
        Location {
            file: self.file.to_owned(),
            line: written.line,
            column: written.column,
        }
    }

    pub(super) fn problem(
        &mut self,
        at: Location,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.report(Class::Configuration, at, what, hint);
    }

    pub(super) fn report(
        &mut self,
        class: Class,
        at: Location,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        if !self.broken.contains(&at) {
            self.problems.push(Problem {
                at,
                what: what.into(),
                hint: Some(hint.into()),
                class,
            });
        }
    }

    /// A text with its variables filled in. After a problem it is one that nothing else is, and
    /// nothing more is said of it.
    pub(super) fn text(&mut self, written: &At<impl Deref<Target = str>>) -> String {
        match expand(&written.value, self.outside.env) {
            Ok(text) => text,
            Err(error) => {
                let at = self.at(written);
                let hint = match &error {
                    ExpandError::Secret(_) => {
                        "put the secret into a file or into Vault, and name that"
                    }
                    ExpandError::Unset(_) | ExpandError::Malformed => {
                        "set it, or give a default as in `${NAME:-default}`; `$${` is a literal \
                         `${`"
                    }
                };
                self.problem(at.clone(), error.to_string(), hint);
                self.broken.push(at);
                format!("?{}.{}", written.line, written.column)
            }
        }
    }

    /// A text that must not be empty.
    pub(super) fn name(&mut self, written: &At<impl Deref<Target = str>>, what: &str) -> String {
        let text = self.text(written);
        if text.trim().is_empty() {
            let at = self.at(written);
            self.problem(at, format!("{what} is empty"), "write a name");
        }
        text
    }

    /// A path, joined with the folder of the file.
    pub(super) fn path(&mut self, written: &At<Shown>) -> PathBuf {
        let text = self.name(written, "this path");
        let unsafe_name = text.contains('\0')
            || text.len() > 4096
            || text.split('/').any(|part| part.len() > 255);
        if unsafe_name {
            let at = self.at(written);
            self.problem(
                at,
                format!("unsafe target path {text:?}"),
                "no NUL, at most 255 bytes a name and 4096 in all",
            );
        }
        self.base.join(text)
    }

    pub(super) fn delivery(&mut self, written: At<RawDelivery>) -> Delivery {
        let at = self.at(&written);
        let RawDelivery {
            name,
            from,
            fields,
            require,
            deliver,
            allow_empty,
            to,
            history,
            on_change,
            refresh,
            max_age,
            on_missing,
            on_denied,
            on_unavailable,
            accept_cached,
            windows,
        } = written.value;
        let name = self.name(&name, "the delivery's name");
        if from.is_empty() && fields.0.is_empty() {
            self.problem(
                at.clone(),
                format!("delivery `{name}` has no source"),
                "add `from: [{vault: …}]`",
            );
        }
        let fields = fields.0.into_iter();
        let fields = fields
            .map(|(name, field)| self.computed(name, field))
            .collect();
        let has_targets = !to.is_empty();
        let to: Vec<Target> = to
            .into_iter()
            .filter_map(|target| self.target(target))
            .collect();
        let staleness = Staleness {
            refresh: refresh.and_then(|text| self.duration(&text)),
            max_age: max_age.and_then(|text| self.duration(&text)),
            on_missing: self.on_failure("onMissing", true, on_missing),
            on_denied: self.on_failure("onDenied", false, on_denied),
            on_unavailable: self.on_failure("onUnavailable", false, on_unavailable),
            accept_cached,
            windows: self.windows(windows),
        };
        self.staleness_suits(&at, &staleness, &to);
        let history = history.and_then(|written| self.history(&written, has_targets));
        let sources = from.len();
        let from = from.into_iter();
        let from: Vec<_> = from.filter_map(|from| self.from(from)).collect();
        if from.len() < sources {
            // Its fields are unknown now.
            self.broken.push(at.clone());
        }
        Delivery {
            from,
            fields,
            require: self.field_names(&require),
            deliver: self.field_names(&deliver),
            allow_empty,
            to,
            history,
            on_change: on_change
                .into_iter()
                .filter_map(|reaction| self.reaction(reaction))
                .collect(),
            staleness,
            name,
            at,
        }
    }

    pub(super) fn history(&mut self, written: &At<u64>, has_targets: bool) -> Option<usize> {
        let count = written.value;
        if !(1..=100).contains(&count) {
            let what = format!("`history: {count}` is out of bounds");
            self.problem(self.at(written), what, "write 1 to 100, for example 20");
        } else if !has_targets {
            let what = "`history` needs a target to lie beside";
            self.problem(self.at(written), what, "add `to:`, or remove it");
        }
        usize::try_from(count).ok()
    }

    pub(super) fn field_names(&mut self, written: &[At<Shown>]) -> Vec<FieldName> {
        let field = |written: &At<Shown>| FieldName {
            name: self.name(written, "this field"),
            at: self.at(written),
        };
        written.iter().map(field).collect()
    }

    pub(super) fn computed(&mut self, name: String, written: At<RawField>) -> ComputedField {
        let At {
            value,
            line,
            column,
        } = written;
        let (template, encoding) = match value {
            RawField::Template(value) => (
                At {
                    value: Hidden(value),
                    line,
                    column,
                },
                None,
            ),
            RawField::Encoded(RawEncodedField { template, encoding }) => (template, encoding),
        };
        ComputedField {
            at: self.at(&template),
            template: self.text(&template),
            base64: matches!(encoding, Some(RawFieldEncoding::Base64)),
            name,
        }
    }

    /// The only one of several alternatives that was written.
    pub(super) fn only<T>(
        &mut self,
        at: &Location,
        what: &str,
        known: &str,
        mut given: Vec<Option<T>>,
    ) -> Option<T> {
        if given.len() == 1 {
            return given.pop()?;
        }
        let (count, verb) = match given.len() {
            0 => ("none".to_owned(), "add"),
            several => (several.to_string(), "keep"),
        };
        self.problem(
            at.clone(),
            format!("{what} needs exactly one of {known}, and has {count}"),
            format!("{verb} one of {known}"),
        );
        None
    }
}
