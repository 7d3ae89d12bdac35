//! The rights in a cluster that a configuration needs: verbs, objects and their names.

use std::collections::{BTreeMap, BTreeSet};

use super::Mode;
use crate::base::artifact::ObjectName;
use crate::config::{
    AgeKey, Config, Delivery, ManifestSet, OnFailure, Reaction, SealedKey, SecretRef, SecretTarget,
    Source, Target, resolve,
};
use crate::kubernetes::{ObjectKind, Subject};

/// What does not work without an optional right.
type Lost = &'static str;

const SEEN_LATER: Lost = "a change is seen at the next `refresh` instead of at once";
const NO_EVENTS: Lost = "failures stand in the log only, not in `kubectl describe`";
const KEY_BY_HAND: Lost = "the Secret with the keys of the marks must be made by hand";

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

/// A Secret that a manifest describes; without a name if the name cannot be read without a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// The namespace as written.
    pub namespace: Option<String>,
    /// The name as written, if it can be read without a key.
    pub name: Option<String>,
}

/// The rights that a configuration needs in this mode. `own` is our own namespace, `described` the
/// content of each set of manifests.
pub fn rights(config: &Config, described: &[Vec<Described>], own: &str, mode: Mode) -> Rights {
    let mut found = Found {
        own,
        mode,
        rights: Rights::default(),
    };
    for delivery in &config.deliveries {
        found.delivery(delivery);
    }
    found.keys(config);
    for (set, described) in config.manifests.iter().zip(described) {
        found.manifests(set, described);
    }
    if let Some(at) = &config.mark_key {
        found.mark_key(at);
    }
    if mode == Mode::Sidecar {
        found.reflector(config);
    }
    match mode {
        Mode::Job | Mode::Sidecar if config.sidecar.events => found.events(Some(own)),
        Mode::Job | Mode::Sidecar | Mode::Init => {}
    }
    found.rights
}

struct Found<'a> {
    own: &'a str,
    mode: Mode,
    rights: Rights,
}

impl Found<'_> {
    fn delivery(&mut self, delivery: &Delivery) {
        for from in &delivery.from {
            match &from.source {
                Source::Secret(at) => {
                    self.named(ObjectKind::Secret, at, &["get"], None);
                    if self.mode == Mode::Sidecar {
                        self.named(ObjectKind::Secret, at, &["list", "watch"], Some(SEEN_LATER));
                    }
                }
                Source::SealedObject(at) => {
                    self.named(
                        ObjectKind::SealedSecret,
                        at,
                        ObjectKind::SealedSecret.verbs(),
                        None,
                    );
                }
                Source::Vault(_)
                | Source::Age { .. }
                | Source::Sops { .. }
                | Source::Sealed { .. }
                | Source::SealedManifests { .. } => {}
            }
        }
        let stays = self.mode == Mode::Sidecar;
        let removes = stays && delivery.staleness.on_missing == OnFailure::Delete;
        for target in &delivery.to {
            if let Target::Secret(secret) = target {
                self.target(secret, removes);
            }
        }
        for reaction in delivery.on_change.iter().filter(|_| stays) {
            if let Reaction::Restart { kind, at, wait: _ } = reaction {
                let kind = ObjectKind::Workload(*kind);
                self.named(kind, at, kind.verbs(), None);
            }
        }
    }

    fn target(&mut self, secret: &SecretTarget, removes: bool) {
        let recreate: &[_] = if secret.conflict.recreate {
            &["delete"]
        } else {
            &[]
        };
        let reflect = secret.reflect.as_ref();
        if reflect.is_none_or(|reflect| reflect.home) {
            self.named(
                ObjectKind::Secret,
                &secret.at,
                ObjectKind::Secret.verbs(),
                None,
            );
            self.named(ObjectKind::Secret, &secret.at, recreate, None);
            for account in &secret.service_accounts {
                let at = SecretRef {
                    namespace: secret.at.namespace.clone(),
                    name: account.clone(),
                };
                let kind = ObjectKind::ServiceAccount;
                self.named(kind, &at, kind.verbs(), None);
            }
        }
        if removes {
            self.named(ObjectKind::Secret, &secret.at, &["get", "delete"], None);
        }
        let Some(reflect) = reflect else {
            return;
        };
        let name = reflect.rename.as_ref().unwrap_or(&secret.at.name);
        match reflect.named() {
            Some(namespaces) => {
                for namespace in namespaces {
                    let at = SecretRef {
                        namespace: Some(namespace.to_owned()),
                        name: name.clone(),
                    };
                    self.named(ObjectKind::Secret, &at, ObjectKind::Secret.verbs(), None);
                    self.named(ObjectKind::Secret, &at, recreate, None);
                }
            }
            None => {
                self.rights.wide.insert(format!(
                    "copies of secret {} go to namespaces by pattern or label: the right to \
                     `{name}` holds in each namespace; plain names in `reflect.namespaces` need \
                     one Role each",
                    secret.at
                ));
                self.everywhere(ObjectKind::Namespace, None, &["list"], None);
                if self.mode == Mode::Sidecar {
                    self.everywhere(ObjectKind::Namespace, None, &["watch"], Some(SEEN_LATER));
                }
                self.everywhere(
                    ObjectKind::Secret,
                    Some(name),
                    ObjectKind::Secret.verbs(),
                    None,
                );
                self.everywhere(ObjectKind::Secret, Some(name), recreate, None);
            }
        }
        if reflect.prune {
            self.rights.wide.insert(format!(
                "`prune` of the copies of secret {} looks for them in all namespaces: `list` on \
                 Secrets is a right to read all of them",
                secret.at
            ));
            let kind = ObjectKind::MarkedSecrets;
            self.everywhere(kind, None, kind.verbs(), None);
        }
    }

    fn keys(&mut self, config: &Config) {
        for key in &config.keys.age {
            if let AgeKey::Secret { at, key: _ } = &key.key {
                self.named(ObjectKind::Secret, at, &["get"], None);
            }
        }
        for key in &config.keys.sealed {
            match &key.key {
                SealedKey::Secret(at) => self.named(ObjectKind::Secret, at, &["get"], None),
                SealedKey::Selector { namespace, .. } => {
                    self.rights.wide.insert(format!(
                        "all sealing keys are found by their label: `list` on Secrets of \
                         {namespace} is a right to read all of them; `name:` in `keys.sealed` \
                         needs `get` on one"
                    ));
                    let kind = ObjectKind::LabelledSecrets;
                    self.all_of(kind, namespace, kind.verbs(), None);
                }
                SealedKey::File(_) | SealedKey::Vault { .. } => {}
            }
        }
    }

    fn manifests(&mut self, set: &ManifestSet, described: &[Described]) {
        let own = [self.own.to_owned()];
        let allowed: &[String] = match set.namespaces.as_slice() {
            [] => &own,
            named => named,
        };
        let recreate: &[_] = if set.conflict.recreate {
            &["delete"]
        } else {
            &[]
        };
        for Described { namespace, name } in described {
            match name {
                Some(name) => {
                    let at = SecretRef {
                        namespace: namespace.clone(),
                        name: name.clone(),
                    };
                    // A Secret in another namespace is refused before any right matters.
                    let place = resolve(&at, self.own);
                    if allowed.contains(&place.namespace) {
                        self.named(ObjectKind::Secret, &at, ObjectKind::Secret.verbs(), None);
                        self.named(ObjectKind::Secret, &at, recreate, None);
                    }
                }
                None => {
                    self.rights.wide.insert(format!(
                        "manifests ({}): names are encrypted too, so the right holds for all \
                         Secrets of {}; leave `metadata` in clear (`encrypted_regex: \
                         ^(data|stringData)$`)",
                        set.at,
                        allowed.join(", ")
                    ));
                    for namespace in allowed {
                        self.all_of(
                            ObjectKind::Secret,
                            namespace,
                            ObjectKind::Secret.verbs(),
                            None,
                        );
                        self.all_of(ObjectKind::Secret, namespace, recreate, None);
                    }
                }
            }
        }
        if set.prune {
            self.rights.wide.insert(format!(
                "`prune` of the manifests ({}) looks for what is described no more: `list` on \
                 Secrets of {} is a right to read all of them",
                set.at,
                allowed.join(", ")
            ));
            for namespace in allowed {
                let kind = ObjectKind::MarkedSecrets;
                self.all_of(kind, namespace, kind.verbs(), None);
            }
        }
    }

    fn mark_key(&mut self, at: &SecretRef) {
        self.named(ObjectKind::Secret, at, &["get"], None);
        self.named(
            ObjectKind::Secret,
            at,
            &["create", "patch"],
            Some(KEY_BY_HAND),
        );
    }

    fn reflector(&mut self, config: &Config) {
        const COPIES: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
        let Some(reflector) = &config.reflector else {
            return;
        };
        self.named(
            ObjectKind::Lease,
            &reflector.lease,
            ObjectKind::Lease.verbs(),
            None,
        );
        self.mark_key(&reflector.mark_key);
        match &reflector.rules.namespaces {
            Some(namespaces) => {
                self.rights.wide.insert(format!(
                    "`reflector` may read and write each Secret and ConfigMap of {}",
                    namespaces.join(", ")
                ));
                for namespace in namespaces {
                    for kind in [ObjectKind::Secret, ObjectKind::ConfigMap] {
                        self.all_of(kind, namespace, COPIES, None);
                    }
                    if config.sidecar.events {
                        self.events(Some(namespace));
                    }
                }
            }
            None => {
                self.rights.wide.insert(
                    "`reflector` may read and write each Secret and ConfigMap of the cluster, \
                     since annotations decide what is copied where; `reflector.namespaces` limits \
                     it"
                    .to_owned(),
                );
                for kind in [ObjectKind::Secret, ObjectKind::ConfigMap] {
                    self.everywhere(kind, None, COPIES, None);
                }
                self.everywhere(
                    ObjectKind::Namespace,
                    None,
                    ObjectKind::Namespace.verbs(),
                    None,
                );
                if config.sidecar.events {
                    self.events(None);
                }
            }
        }
    }

    fn events(&mut self, namespace: Option<&str>) {
        let kind = ObjectKind::Event;
        match namespace {
            Some(namespace) => self.all_of(kind, namespace, kind.verbs(), Some(NO_EVENTS)),
            None => self.everywhere(kind, None, kind.verbs(), Some(NO_EVENTS)),
        }
    }

    fn named(
        &mut self,
        kind: ObjectKind,
        at: &SecretRef,
        verbs: &[&'static str],
        lost: Option<Lost>,
    ) {
        let ObjectName { namespace, name } = resolve(at, self.own);
        self.add(kind, Some(namespace), Some(name), verbs, lost);
    }

    fn all_of(
        &mut self,
        kind: ObjectKind,
        namespace: &str,
        verbs: &[&'static str],
        lost: Option<Lost>,
    ) {
        self.add(kind, Some(namespace.to_owned()), None, verbs, lost);
    }

    fn everywhere(
        &mut self,
        kind: ObjectKind,
        name: Option<&str>,
        verbs: &[&'static str],
        lost: Option<Lost>,
    ) {
        self.add(kind, None, name.map(str::to_owned), verbs, lost);
    }

    fn add(
        &mut self,
        kind: ObjectKind,
        namespace: Option<String>,
        name: Option<String>,
        verbs: &[&'static str],
        lost: Option<Lost>,
    ) {
        if !verbs.is_empty() {
            let key = (namespace, (kind.group(), kind.resource()), name, lost);
            self.rights.add(key, kind, verbs);
        }
    }
}

impl Rights {
    fn add<'v>(
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
