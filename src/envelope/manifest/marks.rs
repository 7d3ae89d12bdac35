//! Labels and annotations that mean something to other tools. Some name the owner of an object:
//! that owner could prune or rewrite a Secret of ours that carries them. Others make a controller
//! act on the object.

use std::collections::BTreeMap;

/// Labels and annotations, by their whole name.
const MARKS: [&str; 21] = [
    // Argo CD: what its applications track, by annotation or by one of its two labels.
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/installation-id",
    "argocd.argoproj.io/instance",
    "app.kubernetes.io/instance",
    // The tool that manages an object sets this label; on our objects that is keyferry.
    "app.kubernetes.io/managed-by",
    // kubectl and kubecfg keep a whole copy of the object, values included; an ApplySet prunes its
    // members.
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubecfg.ksonnet.io/last-applied-configuration",
    "applyset.kubernetes.io/part-of",
    // kpt and cli-utils.
    "config.k8s.io/owning-inventory",
    // The sealed-secrets controller takes over, or patches, a Secret with these annotations.
    "sealedsecrets.bitnami.com/managed",
    "sealedsecrets.bitnami.com/patch",
    "sealedsecrets.bitnami.com/skip-set-owner-references",
    // Our own: we delete by these marks, so only our configuration may set them.
    crate::base::artifact::MANIFESTS_MARK,
    crate::base::artifact::CONFIGURATION,
    crate::base::artifact::DELIVERY,
    crate::base::artifact::SOURCES,
    "keyferry.io/source-uid",
    "keyferry.io/source",
    "keyferry.io/reflected-from",
    // Carvel's kapp.
    "kapp.k14s.io/app",
    "kapp.k14s.io/association",
];

/// Prefixes of labels and annotations.
const FAMILIES: [&str; 5] = [
    "meta.helm.sh/",
    "helm.sh/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    // Rancher's Fleet.
    "objectset.rio.cattle.io/",
];

/// Domains of controllers that act on a labelled or annotated object: a sealing key, a repository
/// of Argo CD, a credential of Jenkins, a request of another replicator.
const ACTING: [&str; 12] = [
    "keyferry.io",
    "emberstack.com",
    "mittwald.de",
    "argoproj.io",
    "bitnami.com",
    "helm.sh",
    "fluxcd.io",
    "cert-manager.io",
    "external-secrets.io",
    "jenkins.io",
    "strimzi.io",
    "crossplane.io",
];

/// Domains of Kubernetes itself.
const KUBERNETES: [&str; 2] = ["kubernetes.io", "k8s.io"];

/// The only domain of Kubernetes whose labels just describe.
const DESCRIBING: &str = "app.kubernetes.io";

/// Whether a copy must never carry this label or annotation, even if the configuration allows it:
/// it names the owner of the object, or makes a controller act on the object.
pub(crate) fn stays_behind(name: &str, value: &str) -> bool {
    let domain = name.split_once('/').map_or("", |(domain, _)| domain);
    let below = |of: &str| {
        let front = domain.strip_suffix(of);
        front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
    };
    let acts = ACTING.iter().any(|of| below(of));
    let reserved = KUBERNETES.iter().any(|of| below(of)) && domain != DESCRIBING;
    // Helm finds its releases by this label alone.
    let is_release = name == "owner" && value == "helm";
    is_mark(name) || acts || reserved || is_release
}

fn is_mark(name: &str) -> bool {
    MARKS.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

/// The same labels or annotations without marks of ownership.
pub(super) fn without_marks(mut map: BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.retain(|name, _| !is_mark(name));
    map
}

#[cfg(test)]
mod tests {
    use super::stays_behind;

    #[test]
    fn row_104_what_other_controllers_act_on_stays_behind() {
        for (name, value, stays) in [
            (
                "sealedsecrets.bitnami.com/sealed-secrets-key",
                "active",
                true,
            ),
            ("kubernetes.io/service-account.name", "admin", true),
            ("auth-extra.bootstrap.kubernetes.io/groups", "x", true),
            ("argocd.argoproj.io/secret-type", "cluster", true),
            ("app.kubernetes.io/managed-by", "Helm", true),
            ("meta.helm.sh/release-name", "x", true),
            ("owner", "helm", true),
            ("owner", "team-a", false),
            ("kustomize.toolkit.fluxcd.io/name", "x", true),
            ("kapp.k14s.io/app", "1", true),
            ("keyferry.io/source-uid", "u", true),
            ("reflector.v1.k8s.emberstack.com/reflects", "a/x", true),
            (
                "kubectl.kubernetes.io/last-applied-configuration",
                "{}",
                true,
            ),
            ("app.kubernetes.io/part-of", "shop", false),
            ("team", "shop", false),
            ("example.com/owner", "shop", false),
            ("notargoproj.io/x", "1", false),
        ] {
            assert_eq!(stays_behind(name, value), stays, "{name}={value}");
        }
    }
}
