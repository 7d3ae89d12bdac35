//! emberstack's reflector, in its own words: eight annotations, read as its release 10 reads them.
//!
//! What is deliberately read as nothing: annotations that only unmerged changes of it know. Differences that are meant
//! (docs/REFLECTOR.md lists all) are in what is done, not in what is read, but for one: how a pattern matches.

use super::marks;
use super::metadata::Notes;
use super::offer::{Ask, Dialect, Mirror, Offer, Reach, Way};
use super::pattern::{Matching, PatternList, Syntax};
use super::place::{Place, Uid, Version};
use super::scope::Scope;
use super::selector::Selector;

/// Before each of its annotations.
pub const PREFIX: &str = "reflector.v1.k8s.emberstack.com/";

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

/// What an object's annotations say.
pub fn read(notes: &Notes, matching: Matching) -> Ask {
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
        Ask::Offer(offer(notes, matching))
    } else {
        Ask::Nothing
    }
}

/// `namespace/name`. One part alone is a source without namespace, which nothing ever is; more than two are no reflection.
fn reflected(text: &str) -> Option<Place> {
    let mut parts = text.split('/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(name), None) => Some(Place::new(namespace, name)),
        (Some(name), None, None) => Some(Place::new("", name)),
        _ => None,
    }
}

/// Older releases wrote the version with quotes.
fn version(text: &str) -> Version {
    Version::parse(text.trim_matches('"'))
}

/// Only the words `true` and `false`, whatever their case.
fn flag(notes: &Notes, key: &str) -> bool {
    notes
        .read(key)
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

fn offer(notes: &Notes, matching: Matching) -> Offer {
    let mut offer = Offer::default();
    for key in [ALLOWED, AUTO] {
        offer.remarks.extend(doubtful(notes, key));
    }
    let (allowed, auto) = (flag(notes, ALLOWED), flag(notes, AUTO));
    if auto && !allowed {
        offer.remarks.push(format!(
            "{} is of no effect without {}: \"true\"",
            short(AUTO),
            short(ALLOWED)
        ));
    }
    if !allowed {
        return offer;
    }
    let mut scope = |names, selector| scope(notes, names, selector, matching, &mut offer);
    let may = scope(ALLOWED_NAMESPACES, ALLOWED_SELECTOR);
    let push = if auto {
        Reach::within([may.clone(), scope(AUTO_NAMESPACES, AUTO_SELECTOR)])
    } else {
        Reach::default()
    };
    offer.ways.push(Way {
        dialect: Dialect::Emberstack,
        pull: Reach::within([may]),
        push,
    });
    offer
}

/// A word that looks like yes and is none.
fn doubtful(notes: &Notes, key: &str) -> Option<String> {
    let value = notes.read(key)?.trim();
    let known = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
    (!known).then(|| {
        format!(
            "{}: {value:?} means \"false\"; only \"true\" means yes",
            short(key)
        )
    })
}

fn short(key: &str) -> &str {
    key.strip_prefix(PREFIX).unwrap_or(key)
}

/// Names or labels; neither means every namespace.
fn scope(
    notes: &Notes,
    names: &str,
    selector: &str,
    matching: Matching,
    offer: &mut Offer,
) -> Scope {
    let list = notes.read(names).unwrap_or_default();
    let labels = notes.read(selector).unwrap_or_default();
    if list.is_empty() && labels.is_empty() {
        return Scope::everything();
    }
    let mut by_name = Scope::default();
    if !list.is_empty() {
        match PatternList::parse(list, Syntax::DotNet, matching) {
            Ok(list) => by_name = Scope::named(list),
            Err(error) => {
                offer.remarks.push(format!("{}: {error}", short(names)));
                offer.frozen = true;
            }
        }
        if matching == Matching::LeftmostFirst && list.contains('|') {
            offer.remarks.push(format!(
                "{}: alternatives are tried from the left, so `a|ab` does not mean `ab`",
                short(names)
            ));
        }
    }
    if labels.is_empty() {
        return by_name;
    }
    match Selector::parse(labels) {
        Ok(parsed) => by_name.or_selected(Some(parsed)),
        Err(error) => {
            offer.remarks.push(format!("{}: {error}", short(selector)));
            offer.frozen = true;
            by_name.or_selected(None)
        }
    }
}

/// Annotations of a copy, as the original writes them, so that it could take the copy over again. A mirror keeps its own
/// `reflects`: it is its owner's word.
pub fn written(
    source: &Place,
    holds: Version,
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
