//! Rights in a cluster as manifests: a ServiceAccount, one Role for each namespace, a ClusterRole
//! for cluster-wide rights, and their bindings.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::granted::Account;
use super::rights::{RbacRule, Rights};
use crate::base::printable;

/// How the manifests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestStyle {
    /// Puts the resources into an early wave of Argo CD. They are not hooks: a hook is made again
    /// in each sync, so the identity would be new each time.
    pub argocd: bool,
    /// Leaves out the optional rights.
    pub necessary: bool,
}

/// The documents of one account.
pub(super) fn documents(account: &Account, rights: &Rights, style: ManifestStyle) -> Vec<String> {
    let mut all = vec![
        Document::new(style, "v1", "ServiceAccount", account, None)
            .line("automountServiceAccountToken: false"),
    ];
    let rules = rights.rules();
    let mut roles: BTreeMap<Option<&str>, Vec<&RbacRule>> = BTreeMap::new();
    let wanted = |rule: &&RbacRule| !(style.necessary && rule.lost.is_some());
    for rule in rules.iter().filter(wanted) {
        roles
            .entry(rule.namespace.as_deref())
            .or_default()
            .push(rule);
    }
    for (namespace, rules) in roles {
        let kind = match namespace {
            Some(_) => "Role",
            None => "ClusterRole",
        };
        let role = Document::new(style, RBAC, kind, account, Some(namespace));
        all.push(rules.into_iter().fold(role.line("rules:"), Document::rule));
        let binding = format!("{kind}Binding");
        let bound = Document::new(style, RBAC, &binding, account, Some(namespace));
        all.push(bound.binding(kind, account, namespace));
    }
    all.into_iter().map(|document| document.0).collect()
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

struct Document(String);

impl Document {
    /// The first lines of an object; without `place` for the account itself.
    fn new(
        style: ManifestStyle,
        version: &str,
        kind: &str,
        account: &Account,
        place: Option<Option<&str>>,
    ) -> Self {
        let (namespace, name) = match place {
            None => (Some(account.namespace.as_str()), account.name.clone()),
            Some(namespace) => (namespace, role_name(account, namespace)),
        };
        let mut document = Self(format!("apiVersion: {version}\nkind: {kind}\nmetadata:\n"))
            .line(&format!("  name: {}", scalar(&name)));
        if let Some(namespace) = namespace {
            document = document.line(&format!("  namespace: {}", scalar(namespace)));
        }
        match style.argocd {
            true => document.line("  annotations: {argocd.argoproj.io/sync-wave: \"-2\"}"),
            false => document,
        }
    }

    fn line(mut self, text: &str) -> Self {
        let _ = writeln!(self.0, "{}", printable::line(text));
        self
    }

    fn rule(self, rule: &RbacRule) -> Self {
        let RbacRule {
            namespace: _,
            group,
            resource,
            names,
            verbs,
            lost,
        } = rule;
        let verbs: Vec<&str> = verbs.iter().copied().collect();
        let mut document = self;
        if let Some(lost) = lost {
            document = document.line(&format!("  # optional: without it, {lost}"));
        }
        document = document
            .line(&format!("  - apiGroups: [\"{group}\"]"))
            .line(&format!("    resources: [{resource}]"));
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| scalar(name)).collect();
            document = document.line(&format!("    resourceNames: [{}]", names.join(", ")));
        }
        document.line(&format!("    verbs: [{}]", verbs.join(", ")))
    }

    fn binding(self, kind: &str, account: &Account, namespace: Option<&str>) -> Self {
        self.line("roleRef:")
            .line("  apiGroup: rbac.authorization.k8s.io")
            .line(&format!("  kind: {kind}"))
            .line(&format!(
                "  name: {}",
                scalar(&role_name(account, namespace))
            ))
            .line("subjects:")
            .line("  - kind: ServiceAccount")
            .line(&format!("    name: {}", scalar(&account.name)))
            .line(&format!("    namespace: {}", scalar(&account.namespace)))
    }
}

/// Outside the account's namespace, the account's name alone could be that of another account.
fn role_name(account: &Account, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) if namespace == account.namespace => account.name.clone(),
        Some(_) | None => format!("{}-{}", account.namespace, account.name),
    }
}

/// A name as YAML: quoted if YAML could read it as something other than text.
fn scalar(name: &str) -> String {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_word = name.starts_with(|c: char| c.is_ascii_lowercase()) && !WORDS.contains(&name);
    let is_plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'));
    match is_word && is_plain {
        true => name.to_owned(),
        false => serde_json::Value::from(name).to_string(),
    }
}
