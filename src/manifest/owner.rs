//! Marks by which other tools know what is theirs: a Secret of ours that carried one could be pruned or rewritten by them.

use std::collections::BTreeMap;

/// Labels and annotations of one name.
const MARKS: [&str; 18] = [
    // Argo CD: what its applications track, by annotation or by one of its two labels.
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/installation-id",
    "argocd.argoproj.io/instance",
    "app.kubernetes.io/instance",
    // Whoever manages it says so here; on what we write it is us.
    "app.kubernetes.io/managed-by",
    // kubectl and kubecfg keep a whole copy of the object, values included; an ApplySet prunes its members.
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubecfg.ksonnet.io/last-applied-configuration",
    "applyset.kubernetes.io/part-of",
    // kpt and cli-utils.
    "config.k8s.io/owning-inventory",
    // The sealed-secrets controller takes over, or patches, a Secret that says so.
    "sealedsecrets.bitnami.com/managed",
    "sealedsecrets.bitnami.com/patch",
    "sealedsecrets.bitnami.com/skip-set-owner-references",
    // Our own: what we delete by comes from our configuration only.
    crate::artifact::MANIFESTS_MARK,
    "keyferry.io/source-uid",
    "keyferry.io/source",
    "keyferry.io/reflected-from",
    // Carvel's kapp.
    "kapp.k14s.io/app",
    "kapp.k14s.io/association",
];

/// All names with one of these in front.
const FAMILIES: [&str; 5] = [
    "meta.helm.sh/",
    "helm.sh/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    // Rancher's Fleet.
    "objectset.rio.cattle.io/",
];

/// The same labels or annotations without marks of ownership.
pub(super) fn without_marks(mut map: BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.retain(|name, _| {
        !MARKS.contains(&name.as_str()) && !FAMILIES.iter().any(|family| name.starts_with(family))
    });
    map
}
