//! Rights in a cluster as a set: united, asked for one by one, or written as rules of RBAC.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::artifact::ObjectName;
use crate::kubernetes::{ObjectKind, Subject};

/// What does not work without an optional right.
pub(super) type Lost = &'static str;

/// Verbs on objects of one resource in one namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RbacRule {
    /// Without a namespace: in the whole cluster.
    pub namespace: Option<String>,
    /// API group.
    pub group: &'static str,
    /// Resource of the API group.
    pub resource: &'static str,
    /// Empty: all names.
    pub names: BTreeSet<String>,
    /// Verbs that are allowed.
    pub verbs: BTreeSet<&'static str>,
    /// What does not work without the right; set only if everything else still works.
    pub lost: Option<Lost>,
}

/// The needed rights, and why some of them are wider than today's names.
#[derive(Debug, Default)]
pub struct Rights {
    held: BTreeMap<Key, Held>,
    /// One sentence for each right that is wider than today's names.
    pub wide: BTreeSet<String>,
}

/// Namespace, group and resource, name, and what is lost without the right if it is optional.
type Key = (
    Option<String>,
    (&'static str, &'static str),
    Option<String>,
    Option<Lost>,
);

/// The verbs that are needed there.
#[derive(Debug)]
struct Held {
    kind: ObjectKind,
    verbs: BTreeSet<&'static str>,
}

/// One verb on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The verb in RBAC's spelling.
    pub verb: &'static str,
    /// The object of the verb.
    pub subject: Subject,
    /// What does not work without the right; set only if everything else still works.
    pub lost: Option<Lost>,
}

impl Rights {
    pub(super) fn add<'v>(
        &mut self,
        key: Key,
        kind: ObjectKind,
        verbs: impl IntoIterator<Item = &'v &'static str>,
    ) {
        let held = self.held.entry(key).or_insert_with(|| Held {
            // RBAC sees Secrets that are found by a label as ordinary Secrets.
            kind: match kind.has_label() {
                true => ObjectKind::Secret,
                false => kind,
            },
            verbs: BTreeSet::new(),
        });
        held.verbs.extend(verbs);
    }

    /// Adds the rights of another configuration to the same account.
    pub fn unite(&mut self, other: Self) {
        for (key, Held { kind, verbs }) in other.held {
            self.add(key, kind, &verbs);
        }
        self.wide.extend(other.wide);
    }

    /// One question for each verb on each object.
    pub fn asked(&self) -> Vec<Asked> {
        let held = self.held.iter();
        let asked = held.flat_map(|((namespace, _, name, lost), Held { kind, verbs })| {
            let subject = Subject {
                kind: *kind,
                at: ObjectName {
                    namespace: namespace.clone().unwrap_or_default(),
                    name: name.clone().unwrap_or_default(),
                },
            };
            verbs.iter().map(move |verb| Asked {
                verb,
                subject: subject.clone(),
                lost: *lost,
            })
        });
        asked.collect()
    }

    /// Names with the same verbs share a rule. A necessary right is not listed as optional too.
    pub fn rules(&self) -> Vec<RbacRule> {
        let mut rules: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (key, Held { kind: _, verbs }) in &self.held {
            let (namespace, resource, name, lost) = key;
            let needed = lost.and_then(|_| {
                let key = (namespace.clone(), *resource, name.clone(), None);
                self.held.get(&key)
            });
            // A right in the whole cluster includes this namespace.
            let everywhere = namespace.as_ref().filter(|_| name.is_none()).and_then(|_| {
                let key = (None, *resource, None, *lost);
                self.held.get(&key)
            });
            let mut verbs = verbs.clone();
            let held = |verb: &&str| {
                let mut wider = [needed, everywhere].into_iter().flatten();
                wider.any(|wider| wider.verbs.contains(verb))
            };
            verbs.retain(|verb| !held(verb));
            if !verbs.is_empty() {
                // A rule with names and a rule without names are never joined.
                let of_all = name.is_none();
                let key = (namespace.clone(), *resource, *lost, of_all, verbs);
                rules.entry(key).or_default().extend(name.clone());
            }
        }
        let rules =
            rules
                .into_iter()
                .map(
                    |((namespace, (group, resource), lost, _, verbs), names)| RbacRule {
                        namespace,
                        group,
                        resource,
                        names,
                        verbs,
                        lost,
                    },
                );
        let mut rules: Vec<RbacRule> = rules.collect();
        rules.sort();
        rules
    }
}
