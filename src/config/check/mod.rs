//! From the shape as written to the checked types; every problem is located, and all of them are
//! reported at once.

mod manifests;
mod name;
mod outputs;
mod reflect;
mod sidecar;
mod source;
mod target;
mod vault;
mod window;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::at::{At, Hidden, Shown};
use super::expand::{ExpandError, expand};
use super::outside::Outside;
use super::problem::{Problem, nearest};
use super::raw::{RawConfig, RawDelivery, RawEncodedField, RawField, RawFieldEncoding};
use super::source::DEFAULT_SERVER;
use crate::base::artifact::ConfigurationName;
use crate::base::failure::Class;
use crate::base::redact::form::is_private_key;

use super::{
    AgeKey, ComputedField, Config, Delivery, Keys, Location, ManifestSet, Reflector, SealedKey,
    SecretRef, Sidecar, Staleness, Target, VaultRead, VaultServer,
};

/// What the files seen so far declare, before it is merged.
#[derive(Debug, Default)]
pub struct Parts {
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
    checker.problems
}

/// Merges what all files declare and checks what only the whole can show.
pub fn merge(parts: Parts, problems: &mut Vec<Problem>) -> Config {
    let Parts {
        names: called,
        vaults,
        broken_vaults,
        age,
        sealed,
        sidecar,
        recipients,
        deliveries,
        reflectors,
        mark_keys,
        manifests,
    } = parts;
    if let [(_, first), (_, second), ..] = sidecar.as_slice() {
        problems.push(twice("the section", "sidecar", first, second));
    }
    let mut servers: BTreeMap<String, VaultServer> = BTreeMap::new();
    for server in vaults {
        if let Some(first) = servers.get(&server.name) {
            // Files that each say all that they need are used together.
            if first.anywhere() == server.anywhere() {
                continue;
            }
            problems.push(twice("vault server", &server.name, &first.at, &server.at));
        }
        servers.insert(server.name.clone(), server);
    }
    let mut names: BTreeMap<&str, &Location> = BTreeMap::new();
    for delivery in &deliveries {
        if let Some(first) = names.insert(&delivery.name, &delivery.at) {
            problems.push(twice("delivery", &delivery.name, first, &delivery.at));
        }
    }
    for (server, at) in mentioned(&deliveries, &age, &sealed) {
        if !servers.contains_key(server) && !broken_vaults.iter().any(|name| name == server) {
            problems.push(unknown_server(server, at, &servers));
        }
    }
    let mut reflectors = reflectors.into_iter();
    let reflector = reflectors.next();
    if let (Some((_, first)), Some((_, second))) = (&reflector, reflectors.next()) {
        problems.push(Problem {
            at: second,
            what: "`reflector` is declared twice".to_owned(),
            hint: Some(format!("the first is at {first}; make one of them")),
            class: Class::Configuration,
        });
    }
    if let [(_, first), (_, second), ..] = mark_keys.as_slice() {
        problems.push(twice("the section", "markKey", first, second));
    }
    let mark_key = mark_keys.into_iter().next().map(|(at, _)| at);
    problems.extend(reflect::unsigned(&deliveries, mark_key.as_ref()));
    let mut sets: BTreeMap<&str, &Location> = BTreeMap::new();
    for set in &manifests {
        let Some(name) = &set.name else { continue };
        if let Some(first) = sets.insert(name, &set.at) {
            problems.push(twice("a set of manifests", name, first, &set.at));
        }
    }
    outputs::check(&deliveries, problems);
    let reflector_at = reflector.as_ref().map(|(_, at)| at);
    let name = name::merge(
        called,
        name::needed(&deliveries, &manifests, reflector_at),
        problems,
    );
    let reflector = reflector.map(|(reflector, _)| Reflector {
        mark_key: mark_key.clone().unwrap_or_else(reflect::usual_mark_key),
        ..reflector
    });
    Config {
        name,
        vaults: servers,
        keys: Keys {
            age: age.into_iter().map(|(key, _)| key).collect(),
            sealed: sealed.into_iter().map(|(key, _)| key).collect(),
            recipients,
        },
        sidecar: sidecar
            .into_iter()
            .next()
            .map(|(sidecar, _)| sidecar)
            .unwrap_or_default(),
        deliveries,
        reflector,
        mark_key,
        manifests,
    }
}

/// Every server that something reads from, and where that was written.
fn mentioned<'a>(
    deliveries: &'a [Delivery],
    age: &'a [(AgeKey, Location)],
    sealed: &'a [(SealedKey, Location)],
) -> impl Iterator<Item = (&'a str, &'a Location)> {
    let sources = deliveries.iter().flat_map(|delivery| &delivery.from);
    let sources = sources.filter_map(|from| Some((from.source.vault()?, &from.at)));
    let age = age.iter().filter_map(|(key, at)| match key {
        AgeKey::Vault { read, .. } => Some((read, at)),
        AgeKey::File { .. } | AgeKey::Ssh(_) | AgeKey::Passphrase(_) | AgeKey::Secret { .. } => {
            None
        }
    });
    let sealed = sealed.iter().filter_map(|(key, at)| match key {
        SealedKey::Vault { read, .. } => Some((read, at)),
        SealedKey::File(_) | SealedKey::Selector { .. } | SealedKey::Secret(_) => None,
    });
    let reads = sources.chain(age).chain(sealed);
    reads.map(|(read, at): (&VaultRead, &Location)| (read.server.as_str(), at))
}

fn unknown_server(server: &str, at: &Location, servers: &BTreeMap<String, VaultServer>) -> Problem {
    let (what, hint) = if server == DEFAULT_SERVER {
        (
            "this reads from Vault, but no `vault:` is configured".to_owned(),
            "add `vault: {address: …, auth: …}`, or name one of `vaults` with `server:`".to_owned(),
        )
    } else {
        let known = servers.keys().map(String::as_str);
        (
            format!("no vault server is called `{server}`"),
            nearest(server, known).map_or_else(
                || "name one of `vaults`".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            ),
        )
    };
    Problem {
        at: at.clone(),
        what,
        hint: Some(hint),
        class: Class::Configuration,
    }
}

fn twice(kind: &str, name: &str, first: &Location, second: &Location) -> Problem {
    Problem {
        at: second.clone(),
        what: format!("{kind} `{name}` is declared twice"),
        hint: Some(format!("the first is at {first}; rename one")),
        class: Class::Configuration,
    }
}

/// One file's checks: it collects problems and gives what can still be given.
struct Checker<'a> {
    file: &'a str,
    base: &'a Path,
    outside: &'a Outside<'a>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn at<T>(&self, written: &At<T>) -> Location {
        Location {
            file: self.file.to_owned(),
            line: written.line,
            column: written.column,
        }
    }

    fn problem(&mut self, at: Location, what: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem {
            at,
            what: what.into(),
            hint: Some(hint.into()),
            class: Class::Configuration,
        });
    }

    /// A text with its variables filled in; empty after a problem.
    fn text(&mut self, written: &At<impl Deref<Target = str>>) -> String {
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
                self.problem(at, error.to_string(), hint);
                String::new()
            }
        }
    }

    /// A text that must not be empty.
    fn name(&mut self, written: &At<impl Deref<Target = str>>, what: &str) -> String {
        let text = self.text(written);
        if text.trim().is_empty() && !written.value.contains("${") {
            let at = self.at(written);
            self.problem(at, format!("{what} is empty"), "write a name");
        }
        text
    }

    /// A path, joined with the folder of the file.
    fn path(&mut self, written: &At<Shown>) -> PathBuf {
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

    /// The public half of a key, or a name of one.
    fn recipient(&mut self, written: &At<Shown>) -> String {
        let text = self.name(written, "the recipient");
        if is_private_key(&text) {
            let at = self.at(written);
            self.problem(
                at,
                "this recipient is a private key",
                "write its public half (`age-keygen -y`); and replace the key, it was seen",
            );
        }
        text.trim().to_owned()
    }

    fn delivery(&mut self, written: At<RawDelivery>) -> Delivery {
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
        let history = history.and_then(|written| self.history(&written, &to));
        Delivery {
            from: from
                .into_iter()
                .filter_map(|from| self.from(from))
                .collect(),
            fields,
            require: require
                .iter()
                .map(|field| self.name(field, "this field"))
                .collect(),
            deliver: deliver
                .iter()
                .map(|field| self.name(field, "this field"))
                .collect(),
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

    fn history(&mut self, written: &At<u64>, to: &[Target]) -> Option<usize> {
        let count = written.value;
        if !(1..=100).contains(&count) {
            let what = format!("`history: {count}` is out of bounds");
            self.problem(self.at(written), what, "write 1 to 100, for example 20");
        } else if to.is_empty() {
            let what = "`history` needs a target to lie beside";
            self.problem(self.at(written), what, "add `to:`, or remove it");
        }
        usize::try_from(count).ok()
    }

    fn computed(&mut self, name: String, written: At<RawField>) -> ComputedField {
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
    fn only<T>(&mut self, at: &Location, what: &str, known: &str, mut given: Vec<T>) -> Option<T> {
        if given.len() == 1 {
            return given.pop();
        }
        let count = given.len();
        self.problem(
            at.clone(),
            format!("{what} needs exactly one of {known}, and here are {count}"),
            format!("keep one of {known}"),
        );
        None
    }
}
