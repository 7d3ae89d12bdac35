//! The annotations of mittwald's replicator on Secrets and ConfigMaps, read as release 2.12 reads
//! them.
//!
//! Roles, RoleBindings and ServiceAccounts are not handled here. A list of names is anchored as a
//! whole: `a|b` means `a` or `b`.

use super::annotations::{Ask, Dialect, Mirror, Offer, Reach, Reader, Way};
use super::marks;
use super::metadata::{MITTWALD, Notes};
use super::pattern::budget::Budget;
use super::pattern::{Matching, Syntax};
use super::place::{ObjectPlace, ResourceVersion, Uid};
use super::scope::NamespaceScope;

const TO: &str = "replicator.v1.mittwald.de/replicate-to";
const TO_MATCHING: &str = "replicator.v1.mittwald.de/replicate-to-matching";
const ALLOWED: &str = "replicator.v1.mittwald.de/replication-allowed";
const ALLOWED_NAMESPACES: &str = "replicator.v1.mittwald.de/replication-allowed-namespaces";
/// On an object that asks to be filled.
pub const FROM: &str = "replicator.v1.mittwald.de/replicate-from";
/// Any value, even "false", means that labels are not copied.
pub const STRIP_LABELS: &str = "replicator.v1.mittwald.de/strip-labels";
const AT: &str = "replicator.v1.mittwald.de/replicated-at";
const VERSION: &str = "replicator.v1.mittwald.de/replicated-from-version";
const KEYS: &str = "replicator.v1.mittwald.de/replicated-keys";

/// Reads the annotations of an object.
pub fn read(notes: &Notes) -> Ask {
    let holds = notes
        .read(VERSION)
        .map(ResourceVersion::parse)
        .unwrap_or_default();
    let source_uid = notes
        .read(marks::SOURCE_UID)
        .map(Uid::parse)
        .unwrap_or_default();
    let mirror = |source| Mirror {
        dialect: Dialect::Mittwald,
        source,
        source_uid,
        holds,
    };
    if let Some(from) = notes.read(FROM) {
        // Without a slash it names no object that could be found.
        let (namespace, name) = from.split_once('/').unwrap_or(("", from));
        return Ask::Mirror(mirror(Some(ObjectPlace::new(namespace, name))));
    }
    if notes.read(VERSION).is_some() {
        let source = notes
            .read(marks::SOURCE)
            .and_then(|text| text.split_once('/'));
        return Ask::Copy(mirror(
            source.map(|(namespace, name)| ObjectPlace::new(namespace, name)),
        ));
    }
    let says_something = [TO, TO_MATCHING, ALLOWED]
        .iter()
        .any(|key| notes.read(key).is_some());
    if says_something {
        Ask::Offer
    } else {
        Ask::Nothing
    }
}

/// Adds to the offer what the annotations of a source allow.
pub fn offer(notes: &Notes, budget: &mut Budget, offer: &mut Offer) {
    let mut reader = Reader::new(notes, MITTWALD, budget, offer);
    let by_name = list(TO, &mut reader);
    // Without a list, nobody may pull.
    let allowed = notes.read(ALLOWED).is_some_and(is_true);
    let pull = if allowed {
        list(ALLOWED_NAMESPACES, &mut reader)
    } else {
        None
    };
    if allowed && notes.read(ALLOWED_NAMESPACES).is_none() {
        let needed = format!("it has no effect without {}", short(ALLOWED_NAMESPACES));
        reader.remark(ALLOWED, needed);
    }
    let by_label = notes.read(TO_MATCHING).map(|_| {
        let selector = reader.selector(TO_MATCHING);
        selector.map_or_else(NamespaceScope::default, |selector| {
            NamespaceScope::default().or_selected(Some(selector))
        })
    });
    // There are two requests, and either is enough, so each becomes a way. Only the first one
    // decides who may pull.
    let pushes = by_name
        .into_iter()
        .chain(by_label)
        .map(|scope| Reach::within([scope]));
    let mut pushes: Vec<Reach> = pushes.collect();
    if pushes.is_empty() {
        pushes.push(Reach::default());
    }
    let mut pull = Some(Reach::within(pull));
    for push in pushes {
        reader.way(Way {
            dialect: Dialect::Mittwald,
            pull: pull.take().unwrap_or_default(),
            push,
        });
    }
}

fn list(key: &str, reader: &mut Reader<'_>) -> Option<NamespaceScope> {
    let list = reader.list(key, Syntax::Go, Matching::Whole)?;
    Some(NamespaceScope::named(list))
}

/// The same values as Go's `strconv.ParseBool`.
fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

fn short(key: &str) -> &str {
    key.strip_prefix(MITTWALD).unwrap_or(key)
}

/// Annotations of a copy in the form of the original.
pub fn written(
    source: &ObjectPlace,
    holds: ResourceVersion,
    now: &str,
    keys: &[&str],
    pushed: bool,
) -> Vec<(&'static str, String)> {
    let mut notes = vec![
        (AT, now.to_owned()),
        (VERSION, holds.to_string()),
        (KEYS, keys.join(",")),
    ];
    if pushed {
        notes.push((marks::SOURCE, source.to_string()));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::super::pattern::budget::Cost;
    use super::super::scope::Target;
    use super::super::selector::Labels;
    use super::*;

    fn notes(pairs: &[(&str, &str)]) -> Notes {
        let pairs = pairs.iter();
        Notes::from_pairs(pairs.map(|(key, value)| (format!("{MITTWALD}{key}"), *value)))
    }

    #[test]
    fn who_gets_a_copy_and_who_may_pull() {
        let prod: Labels = [("env".to_owned(), "prod".to_owned())].into();
        let yes = ("replication-allowed", "true");
        for (pairs, namespace, copy, pull) in [
            (vec![("replicate-to", "a,team-[0-9]+")], "a", true, false),
            (
                vec![("replicate-to", "a,team-[0-9]+")],
                "team-7",
                true,
                false,
            ),
            (
                vec![("replicate-to", "a,team-[0-9]+")],
                "xteam-7",
                false,
                false,
            ),
            (vec![("replicate-to", "a|b")], "ab", false, false),
            (
                vec![("replicate-to-matching", "env=prod")],
                "z",
                true,
                false,
            ),
            (
                vec![("replicate-to-matching", "env=dev"), ("replicate-to", "z")],
                "z",
                true,
                false,
            ),
            (
                vec![("replicate-to-matching", "env in (")],
                "z",
                false,
                false,
            ),
            (vec![("replicate-to", "(")], "z", false, false),
            (vec![yes], "z", false, false),
            (
                vec![yes, ("replication-allowed-namespaces", "z")],
                "z",
                false,
                true,
            ),
            (
                vec![yes, ("replication-allowed-namespaces", "y,z.*")],
                "zz",
                false,
                true,
            ),
            (
                vec![
                    ("replication-allowed", "no"),
                    ("replication-allowed-namespaces", "z"),
                ],
                "z",
                false,
                false,
            ),
            (
                vec![
                    yes,
                    ("replication-allowed-namespaces", "z"),
                    ("replicate-to", "y"),
                ],
                "z",
                false,
                true,
            ),
        ] {
            let notes = notes(&pairs);
            assert_eq!(read(&notes), Ask::Offer, "{pairs:?}");
            let mut read = Offer::default();
            offer(&notes, &mut Budget::after(Cost::default()), &mut read);
            let offer = read;
            let target = Target {
                name: namespace,
                labels: Some(&prod),
            };
            assert_eq!(
                offer.pushes_to(target).is_some(),
                copy,
                "{pairs:?} {namespace}"
            );
            assert_eq!(
                offer.lets_pull(Dialect::Mittwald, target),
                pull,
                "{pairs:?} {namespace}"
            );
            assert_eq!(
                offer.frozen,
                pairs.iter().any(|(_, value)| value.contains('(')),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn copies_are_never_sources() {
        let Ask::Mirror(mirror) = read(&notes(&[("replicate-from", "a/x"), ("replicate-to", "b")]))
        else {
            panic!("a mirror")
        };
        assert_eq!(mirror.source, Some(ObjectPlace::new("a", "x")));
        let Ask::Copy(theirs) = read(&notes(&[
            ("replicated-from-version", "7"),
            ("replicate-to", "b"),
        ])) else {
            panic!("a copy")
        };
        assert_eq!(
            (theirs.source, theirs.holds),
            (None, ResourceVersion::parse("7"))
        );
        let own = written(
            &ObjectPlace::new("a", "x"),
            ResourceVersion::parse("7"),
            "t",
            &["k", "l"],
            true,
        );
        let Ask::Copy(ours) = read(&Notes::from_pairs(own)) else {
            panic!("a copy")
        };
        assert_eq!(ours.source, Some(ObjectPlace::new("a", "x")));
    }
}
