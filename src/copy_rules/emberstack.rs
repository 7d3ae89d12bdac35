//! The annotations of emberstack's reflector: there are eight, read as release 10 reads them.
//!
//! Annotations that exist only in unmerged changes of emberstack's reflector are ignored on
//! purpose. The intended differences (docs/reflect.md lists all of them) are in the actions, not
//! in the reading; the one exception is how a pattern matches.

use super::annotations::{Ask, Dialect, Mirror, Offer, Reach, Reader, Way};
use super::marks;
use super::metadata::{EMBERSTACK, Notes};
use super::pattern::budget::Budget;
use super::pattern::{Matching, Syntax};
use super::place::{ObjectPlace, ResourceVersion, Uid};
use super::scope::NamespaceScope;

const ALLOWED: &str = "reflector.v1.k8s.emberstack.com/reflection-allowed";
const ALLOWED_NAMESPACES: &str = "reflector.v1.k8s.emberstack.com/reflection-allowed-namespaces";
const ALLOWED_SELECTOR: &str =
    "reflector.v1.k8s.emberstack.com/reflection-allowed-namespaces-selector";
const AUTO: &str = "reflector.v1.k8s.emberstack.com/reflection-auto-enabled";
const AUTO_NAMESPACES: &str = "reflector.v1.k8s.emberstack.com/reflection-auto-namespaces";
const AUTO_SELECTOR: &str = "reflector.v1.k8s.emberstack.com/reflection-auto-namespaces-selector";
const REFLECTS: &str = "reflector.v1.k8s.emberstack.com/reflects";
const AUTO_REFLECTS: &str = "reflector.v1.k8s.emberstack.com/auto-reflects";
const REFLECTED_VERSION: &str = "reflector.v1.k8s.emberstack.com/reflected-version";
const REFLECTED_AT: &str = "reflector.v1.k8s.emberstack.com/reflected-at";

/// Reads the annotations of an object.
pub fn read(notes: &Notes) -> Ask {
    if let Some(source) = notes.read(REFLECTS).and_then(reflected) {
        let mirror = Mirror {
            dialect: Dialect::Emberstack,
            source: Some(source),
            source_uid: notes
                .read(marks::SOURCE_UID)
                .map(Uid::parse)
                .unwrap_or_default(),
            holds: notes
                .read(REFLECTED_VERSION)
                .map(version)
                .unwrap_or_default(),
        };
        return if flag(notes, AUTO_REFLECTS) {
            Ask::Copy(mirror)
        } else {
            Ask::Mirror(mirror)
        };
    }
    let says_something = [ALLOWED, AUTO].iter().any(|key| notes.read(key).is_some());
    if says_something {
        Ask::Offer
    } else {
        Ask::Nothing
    }
}

/// `namespace/name`. A single part is a source without a namespace, and no such source exists; more
/// than two parts are no reflection.
fn reflected(text: &str) -> Option<ObjectPlace> {
    let mut parts = text.split('/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(name), None) => Some(ObjectPlace::new(namespace, name)),
        (Some(name), None, None) => Some(ObjectPlace::new("", name)),
        _ => None,
    }
}

/// Older releases wrote the version with quotes.
fn version(text: &str) -> ResourceVersion {
    ResourceVersion::parse(text.trim_matches('"'))
}

/// Only the words `true` and `false`, whatever their case.
fn flag(notes: &Notes, key: &str) -> bool {
    notes
        .read(key)
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// Adds to the offer what the annotations of a source allow.
pub fn offer(notes: &Notes, matching: Matching, budget: &mut Budget, offer: &mut Offer) {
    let mut reader = Reader::new(notes, EMBERSTACK, budget, offer);
    for key in [ALLOWED, AUTO] {
        doubt(notes, key, &mut reader);
    }
    let (allowed, auto) = (flag(notes, ALLOWED), flag(notes, AUTO));
    if auto && !allowed {
        let needed = format!("it has no effect without {}: \"true\"", short(ALLOWED));
        reader.remark(AUTO, needed);
    }
    if !allowed {
        return;
    }
    let mut scope = |names, selector| scope(notes, names, selector, matching, &mut reader);
    let may = scope(ALLOWED_NAMESPACES, ALLOWED_SELECTOR);
    let push = if auto {
        Reach::within([may.clone(), scope(AUTO_NAMESPACES, AUTO_SELECTOR)])
    } else {
        Reach::default()
    };
    reader.way(Way {
        dialect: Dialect::Emberstack,
        pull: Reach::within([may]),
        push,
    });
}

/// Warns of a value that looks like "yes" and is not `true`.
fn doubt(notes: &Notes, key: &str, reader: &mut Reader<'_>) {
    let Some(value) = notes.read(key).map(str::trim) else {
        return;
    };
    let known = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
    if !known {
        let shown: String = value.chars().take(40).collect();
        reader.remark(
            key,
            format!("{shown:?} means \"false\"; only \"true\" means yes"),
        );
    }
}

fn short(key: &str) -> &str {
    key.strip_prefix(EMBERSTACK).unwrap_or(key)
}

/// Namespaces by names or by labels; without both annotations every namespace.
fn scope(
    notes: &Notes,
    names: &str,
    selector: &str,
    matching: Matching,
    reader: &mut Reader<'_>,
) -> NamespaceScope {
    let says = |key| notes.read(key).filter(|text| !text.is_empty());
    let (list, labels) = (says(names), says(selector));
    if list.is_none() && labels.is_none() {
        return NamespaceScope::everything();
    }
    let mut by_name = NamespaceScope::default();
    if let Some(list) = list {
        if let Some(list) = reader.list(names, Syntax::DotNet, matching) {
            by_name = NamespaceScope::named(list);
        }
        if matching == Matching::LeftmostFirst && list.contains('|') {
            let why = "alternatives are tried from the left, so `a|ab` does not mean `ab`";
            reader.remark(names, why);
        }
    }
    match labels {
        None => by_name,
        Some(_) => by_name.or_selected(reader.selector(selector)),
    }
}

/// Annotations of a copy in the form of the original, so that the original could take the copy over
/// again. A mirror keeps its own `reflects`: only its owner changes that.
pub fn written(
    source: &ObjectPlace,
    holds: ResourceVersion,
    now: &str,
    auto: bool,
) -> Vec<(&'static str, String)> {
    let auto_reflects = if auto { "True" } else { "False" };
    let mut notes = vec![
        (AUTO_REFLECTS, auto_reflects.to_owned()),
        (REFLECTED_VERSION, holds.to_string()),
        (REFLECTED_AT, now.to_owned()),
    ];
    if auto {
        notes.push((REFLECTS, source.to_string()));
    }
    notes
}

#[cfg(test)]
mod tests;
