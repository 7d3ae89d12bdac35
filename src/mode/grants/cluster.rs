//! The rights in a cluster that a configuration needs: verbs, objects and their names.

use super::granted::Mode;
use super::rights::{Lost, Rights};
use crate::base::artifact::ObjectName;
use crate::config::{
    AgeKey, Config, Delivery, ManifestSet, OnFailure, Reaction, SealedKey, SecretRef, SecretTarget,
    Source, Target, resolve,
};
use crate::kubernetes::ObjectKind;

const SEEN_LATER: Lost = "a change is seen at the next `refresh` instead of at once";
const NO_EVENTS: Lost = "failures stand in the log only, not in `kubectl describe`";
const KEY_BY_HAND: Lost = "the Secret with the keys of the marks must be made by hand";

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
    let mut found = RightsBuilder {
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

struct RightsBuilder<'a> {
    own: &'a str,
    mode: Mode,
    rights: Rights,
}

impl RightsBuilder<'_> {
    fn delivery(&mut self, delivery: &Delivery) {
        for from in &delivery.from {
            if let Some(at) = from.source.secret() {
                self.named(ObjectKind::Secret, at, &["get"], None);
                if self.mode == Mode::Sidecar {
                    self.named(ObjectKind::Secret, at, &["list", "watch"], Some(SEEN_LATER));
                }
            }
            if let Source::SealedObject(at) = &from.source {
                let kind = ObjectKind::SealedSecret;
                self.named(kind, at, kind.verbs(), None);
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
