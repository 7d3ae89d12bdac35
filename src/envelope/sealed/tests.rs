//! Secrets that the real kubeseal sealed open. Moved, edited or damaged ones do not open, and no
//! error tells their content.

use std::collections::BTreeMap;

use super::{Keyring, SealScope, SealedSecret, Unsealed, parse, unseal};
use crate::base::failure::{Class, Failure};
use crate::base::material::SecretBytes;

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../tests/vectors/sealed/", $name))
    };
}

const STRICT: &str = vector!("strict.yaml");
const NAMESPACE: &str = vector!("namespace-wide.yaml");
const CLUSTER: &str = vector!("cluster-wide.yaml");
const WHOLE: &str = vector!("v1.yaml");
const OLD: &str = vector!("old.pem");
const NEW: &str = vector!("new.pem");
const OLD_PRINT: &str = "SHA256:vV6vlroNvNbKCQH6bRo8eM5dsZp6PVTyZS8oguGHf6Y";
const NEW_PRINT: &str = "SHA256:+OFZ7NgbblZ/ISWcRAM1XlDvF0FTI2bEaCK+156iTTY";

fn keyring(files: &[&str]) -> Keyring {
    let mut keys = Keyring::default();
    for file in files {
        keys.add("test.key", &SecretBytes::from(*file))
            .expect("a good key file");
    }
    keys
}

fn open(text: &str, keys: &Keyring) -> Result<Unsealed, Failure> {
    let mut found = parse(text.as_bytes())?;
    assert_eq!(found.len(), 1);
    Ok(unseal(&found.remove(0), keys)?)
}

fn data(unsealed: &Unsealed) -> Vec<(&str, &[u8])> {
    unsealed
        .secret
        .data
        .iter()
        .map(|(key, value)| (key.as_str(), value.expose()))
        .collect()
}

const PLAIN: [(&str, &[u8]); 4] = [
    ("binary", &[0x00, 0xff, 0x10, 0x80]),
    ("empty", b""),
    ("password", "p a\nß$".as_bytes()),
    ("username", b"admin"),
];

#[test]
fn what_kubeseal_sealed_opens_in_every_scope() {
    let keys = keyring(&[NEW, OLD]);
    for (text, scope, opened_by) in [
        (STRICT, SealScope::Strict, OLD_PRINT),
        (NAMESPACE, SealScope::Namespace, OLD_PRINT),
        (CLUSTER, SealScope::Cluster, OLD_PRINT),
        (WHOLE, SealScope::Strict, OLD_PRINT),
        (vector!("new-key.json"), SealScope::Strict, NEW_PRINT),
    ] {
        assert_eq!(parse(text.as_bytes()).expect("well formed")[0].scope, scope);
        let unsealed = open(text, &keys).expect("it opens");
        assert_eq!(data(&unsealed), PLAIN);
        assert_eq!(unsealed.opened_by, [opened_by]);
        let secret = &unsealed.secret;
        assert_eq!(
            (secret.namespace.as_deref(), secret.name.as_str()),
            (Some("platform"), "app")
        );
        assert_eq!(
            (secret.kind.as_str(), secret.immutable),
            ("kubernetes.io/basic-auth", true)
        );
        assert_eq!(
            secret.labels,
            BTreeMap::from([("team".to_owned(), "chat".to_owned())])
        );
        let reflected = "reflector.v1.k8s.emberstack.com/reflection-allowed";
        assert_eq!(
            secret.annotations.get(reflected).map(String::as_str),
            Some("true")
        );
    }
}

#[test]
fn what_was_moved_opens_only_where_its_scope_reaches() {
    let keys = keyring(&[OLD]);
    let renamed = ("  name: app\n  namespace", "  name: other\n  namespace");
    let moved = ("  namespace: platform\nspec", "  namespace: other\nspec");
    let edited = (
        "sealedsecrets.bitnami.com/namespace-wide",
        "sealedsecrets.bitnami.com/cluster-wide",
    );
    let narrowed = (
        "    sealedsecrets.bitnami.com/cluster-wide: \"true\"\n",
        "    x: z\n",
    );
    let widened = (
        "  name: app\n  namespace",
        "  annotations: {sealedsecrets.bitnami.com/cluster-wide: \"true\"}\n  name: app\n  \
         namespace",
    );
    let not_true = (
        "sealedsecrets.bitnami.com/cluster-wide: \"true\"",
        "sealedsecrets.bitnami.com/cluster-wide: \"True\"",
    );
    for (text, (from, to), opens) in [
        (STRICT, renamed, false),
        (STRICT, moved, false),
        (STRICT, widened, false),
        (NAMESPACE, renamed, true),
        (NAMESPACE, moved, false),
        (NAMESPACE, edited, false),
        (CLUSTER, renamed, true),
        (CLUSTER, moved, true),
        (CLUSTER, narrowed, false),
        (CLUSTER, not_true, false),
        (WHOLE, renamed, false),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        // The template names its Secret too; here only the object is moved.
        let changed = changed.replace(
            "      name: app\n      namespace: platform\n",
            "      creationTimestamp: null\n",
        );
        match open(&changed, &keys) {
            Ok(unsealed) => assert!(opens && data(&unsealed) == PLAIN, "{to}"),
            Err(failure) => {
                assert!(!opens, "{to}: {failure}");
                assert_eq!(failure.class, Class::Undecryptable);
                assert!(failure.what.contains("no key opens "), "{failure}");
                assert!(
                    failure
                        .hint
                        .expect("a hint")
                        .contains(&format!("our keys: {OLD_PRINT}"))
                );
            }
        }
    }
}

#[test]
fn a_template_does_not_widen_the_scope() {
    // CVE-2026-22728: the annotation stands in the template, which is bound to nothing.
    let template = "      annotations:\n        sealedsecrets.bitnami.com/cluster-wide: \"true\"\n";
    let changed = STRICT.replacen("      annotations:\n", template, 1);
    assert_eq!(
        parse(changed.as_bytes()).expect("well formed")[0].scope,
        SealScope::Strict
    );
    let moved = changed.replace("namespace: platform", "namespace: other");
    assert!(open(&moved, &keyring(&[OLD])).is_err());
}

/// How one value fails, each with the words it must not differ in.
#[test]
fn whatever_fails_fails_in_the_same_words_and_as_a_whole() {
    let keys = keyring(&[OLD]);
    let blob = |sealed: &mut SealedSecret, change: fn(&mut Vec<u8>)| match &mut sealed.sealed {
        super::Sealed::Values(values) => change(&mut values[2].1),
        super::Sealed::Whole(blob) => change(blob),
    };
    let opened_not = "sealed secret platform/app: no key opens `password` (scope strict)";
    let too_short =
        "sealed secret platform/app: `password` is too short, or its inner length is wrong";
    type Change = fn(&mut Vec<u8>);
    let rows: [(&str, Change); 12] = [
        (opened_not, |blob| blob[5] ^= 1),
        (opened_not, |blob| blob[257] ^= 0x80),
        (opened_not, |blob| blob[258] ^= 1),
        (opened_not, |blob| *blob.last_mut().expect("long") ^= 1),
        (opened_not, |blob| blob[2..258].fill(0)),
        (opened_not, |blob| blob[2..258].fill(0xff)),
        (opened_not, |blob| blob.push(0)),
        // Row 43: an inner length of nothing, of more than there is, and of no modulus.
        (too_short, |blob| blob[..2].fill(0)),
        (too_short, |blob| blob[..2].fill(0xff)),
        (too_short, |blob| blob.truncate(1)),
        (too_short, |blob| blob.truncate(258 + 15)),
        (opened_not, |blob| blob[1] = 1),
    ];
    for (what, change) in rows {
        let mut sealed = parse(STRICT.as_bytes()).expect("well formed").remove(0);
        blob(&mut sealed, change);
        let failure = Failure::from(unseal(&sealed, &keys).expect_err(what));
        let class = match what == opened_not {
            true => Class::Undecryptable,
            false => Class::Corrupt,
        };
        assert_eq!((failure.what.as_str(), failure.class), (what, class));
    }
    let failure = open(STRICT, &keyring(&[NEW])).expect_err("another key");
    assert_eq!(
        failure.what,
        "sealed secret platform/app: no key opens `binary` (scope strict)"
    );
    let failure = open(WHOLE, &keyring(&[NEW])).expect_err("another key");
    assert_eq!(
        failure.what,
        "sealed secret platform/app: no key opens its `spec.data` (scope strict)"
    );
    let failure = open(STRICT, &Keyring::default()).expect_err("no key");
    assert_eq!(
        failure.hint.as_deref(),
        Some("no sealing key is at hand: name some under keys.sealed")
    );
}

#[test]
fn values_swapped_inside_one_object_cannot_be_seen() {
    // The format binds a value to its object, not to its key: documented, and this test notices if
    // that ever changes.
    let swapped = STRICT
        .replace("    username:", "    x:")
        .replace("    password:", "    username:")
        .replace("    x:", "    password:");
    let unsealed = open(&swapped, &keyring(&[OLD])).expect("it opens");
    assert_eq!(unsealed.secret.data["password"].expose(), b"admin");
}

#[test]
fn templates_make_keys_over_the_opened_ones() {
    let template = "  template:\n    data:\n      url: 'x://{{ .username }}:{{ .password | \
        urlquery }}@h'\n      username: '{{ upper .username }}'\n      again: '{{ .username }}'\n";
    let text = STRICT.replacen("  template:\n", template, 1);
    let unsealed = open(&text, &keyring(&[OLD])).expect("it opens");
    assert_eq!(
        unsealed.secret.data["url"].expose_str(),
        Some("x://admin:p+a%0A%C3%9F%24@h")
    );
    assert_eq!(unsealed.secret.data["username"].expose_str(), Some("ADMIN"));
    assert_eq!(unsealed.secret.data["again"].expose_str(), Some("admin"));
    let missing = text.replace("{{ upper .username }}", "{{ .nope }}");
    let failure = open(&missing, &keyring(&[OLD])).expect_err("a name that is not sealed");
    assert_eq!(
        failure.what,
        "sealed secret platform/app: template of `username`: line 1: there is no value `nope`"
    );
    assert_eq!(failure.class, Class::Missing);
}

#[test]
fn a_manifest_that_is_not_as_it_must_be_is_refused_by_its_place() {
    let head =
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a, namespace: b}\n";
    let spec = |spec: &str| format!("{head}spec: {spec}\n");
    let rows = [
        (
            "apiVersion: v1\nkind: Secret".to_owned(),
            Class::Refused,
            "a document of kind `v1 Secret` is no SealedSecret",
        ),
        (
            head.replace("v1alpha1", "v1alpha2"),
            Class::Refused,
            "a document of kind `bitnami.com/v1alpha2 SealedSecret` is no SealedSecret",
        ),
        (
            head.to_owned(),
            Class::Corrupt,
            "sealed secret b/a has no `spec`",
        ),
        (
            spec("{encryptedData: {a: '%%'}}"),
            Class::Corrupt,
            "sealed secret b/a: `spec.encryptedData.a` is no base64",
        ),
        (
            spec("{encryptedData: {a: 5}}"),
            Class::Corrupt,
            "sealed secret b/a: `spec.encryptedData.a` is no text",
        ),
        (
            spec("{encryptedData: {a: null}}"),
            Class::Corrupt,
            "sealed secret b/a: `spec.encryptedData.a` is no text",
        ),
        (
            spec("{encryptedData: [a]}"),
            Class::Corrupt,
            "sealed secret b/a: `spec.encryptedData` is no mapping",
        ),
        (
            spec("{encryptedData: {a/b: AQ==}}"),
            Class::Refused,
            "sealed secret b/a: these names cannot be keys of a Secret: `a/b`",
        ),
        (
            spec("{encryptedData: {a: AQ==}, data: AQ==}"),
            Class::Corrupt,
            "sealed secret b/a has both `encryptedData` and the deprecated `data`",
        ),
        (
            spec("{template: {type: 5}}"),
            Class::Corrupt,
            "sealed secret b/a: `spec.template.type` is no text",
        ),
        (
            spec("{template: {immutable: 'true'}}"),
            Class::Corrupt,
            "sealed secret b/a: `spec.template.immutable` is no `true` or `false`",
        ),
        (
            spec("{template: {metadata: {labels: {a: true}}}}"),
            Class::Corrupt,
            "sealed secret b/a: `spec.template.metadata.labels.a` is no text",
        ),
        (
            spec("{template: {data: {a: '{{ env \"A\" }}'}}}"),
            Class::Refused,
            "sealed secret b/a: template of `a`: line 1: the function `env` is not supported",
        ),
        (
            spec("{template: {data: {a: null}}}"),
            Class::Corrupt,
            "sealed secret b/a: `spec.template.data.a` is no text",
        ),
        (
            spec("{template: {data: {../a: ''}}}"),
            Class::Refused,
            "sealed secret b/a: these names cannot be keys of a Secret: `../a`",
        ),
        (
            spec("{template: {type: kubernetes.io/service-account-token}}"),
            Class::Refused,
            "sealed secret b/a: a Secret of type kubernetes.io/service-account-token is never \
             written",
        ),
        (
            spec("{}").replace("name: a", "name: A"),
            Class::Refused,
            "sealed secret b/A: `metadata.name` is no Kubernetes name",
        ),
        (
            spec("{}").replace("namespace: b", "namespace: b/c"),
            Class::Refused,
            "sealed secret b/c/a: `metadata.namespace` is no Kubernetes name",
        ),
        (
            spec("{}").replace(", namespace: b", ""),
            Class::Corrupt,
            "sealed secret a names no namespace, and its scope is strict",
        ),
        (
            spec("{data: AQ==}"),
            Class::Corrupt,
            "sealed secret b/a: its `spec.data` is too short, or its inner length is wrong",
        ),
    ];
    for (text, class, what) in rows {
        let failure = open(&text, &keyring(&[OLD])).expect_err(&text);
        assert_eq!(
            (failure.what.as_str(), failure.class),
            (what, class),
            "{text}"
        );
    }
}

#[test]
fn marks_of_owners_in_a_template_are_left_out() {
    let spec = "{template: {metadata: {labels: {app.kubernetes.io/instance: x, a: b}, annotations: {helm.sh/hook: x, sealedsecrets.bitnami.com/managed: 'true'}, \
                finalizers: [a/b], ownerReferences: [{kind: Pod}]}}}";
    let text = format!(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {{name: a, namespace: \
         b}}\nspec: {spec}\n"
    );
    let secret = open(&text, &Keyring::default())
        .expect("nothing to open")
        .secret;
    assert_eq!(
        secret.labels,
        BTreeMap::from([("a".to_owned(), "b".to_owned())])
    );
    assert!(secret.annotations.is_empty());
    assert_eq!(secret.kind, "Opaque");
}

#[test]
fn no_damage_gives_other_values_or_a_panic() {
    let keys = keyring(&[OLD]);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).expect("small")
    };
    let mut opened = 0;
    for round in 0..3_000 {
        let text = [STRICT, NAMESPACE, CLUSTER, WHOLE][round % 4];
        let mut bytes = text.as_bytes().to_vec();
        let at = random(bytes.len());
        match random(4) {
            0 => bytes[at] ^= 1 << random(8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, b" \n:{}-'\"&*x0"[random(12)]),
            _ => bytes.truncate(at),
        }
        let Ok(found) = parse(&bytes) else { continue };
        for sealed in found {
            let Ok(unsealed) = unseal(&sealed, &keys) else {
                continue;
            };
            for (key, value) in data(&unsealed) {
                let known = PLAIN.iter().any(|(_, plain)| *plain == value);
                assert!(
                    known,
                    "round {round}: `{key}` is something else than was sealed"
                );
            }
            opened += 1;
        }
    }
    assert!(
        opened > 200,
        "most of the file is not protected, so some must open: {opened}"
    );
}
