//! The result of documents, and the words in which others are refused.

use super::{Manifest, from_secret_document};
use crate::base::failure::{Class, Failure, Fault as _};
use crate::base::material::Node;
use crate::format::{SyntaxError, document};

const CANARY: &str = "CANARY-value-7f3a";

fn read(text: &str) -> Result<Vec<Manifest>, Failure> {
    let mut found = Vec::new();
    for node in document::objects(text.as_bytes())? {
        found.extend(from_secret_document(node)?);
    }
    Ok(found)
}

fn one(text: &str) -> Manifest {
    let mut found = read(text).expect("a good manifest");
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn shown(manifest: &Manifest) -> Vec<(String, String)> {
    let text =
        |bytes: &crate::base::material::SecretBytes| bytes.expose_str().expect("text").to_owned();
    manifest
        .data
        .iter()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_secret_is_read_whole() {
    let manifest = one("
apiVersion: v1
kind: Secret
metadata: {name: app, namespace: platform, labels: {team: a}, annotations: {why: because}, ownerReferences: [{}], finalizers: [x/y]}
type: kubernetes.io/basic-auth
immutable: true
data: {username: YWRtaW4=, both: Zmlyc3Q=}
stringData: {both: second, password: 'p w'}
");
    assert_eq!(manifest.namespace.as_deref(), Some("platform"));
    assert_eq!(
        (manifest.name.as_str(), manifest.kind.as_str()),
        ("app", "kubernetes.io/basic-auth")
    );
    assert!(manifest.immutable);
    assert_eq!(
        shown(&manifest),
        pairs(&[
            ("both", "second"),
            ("password", "p w"),
            ("username", "admin")
        ])
    );
    assert_eq!(manifest.labels.get("team").map(String::as_str), Some("a"));
    assert_eq!(
        manifest.annotations.get("why").map(String::as_str),
        Some("because")
    );
}

#[test]
fn a_manifest_survives_the_way_through_its_document() {
    let text = "{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: b, labels: {x: z}, annotations: {p: q}}, \
                immutable: true, type: t, stringData: {a: '', b: \"\\x01\\u00ff\"}}";
    let again = from_secret_document(one(text).into_document()).expect("our own document");
    assert_eq!(again, vec![one(text)]);
}

#[test]
fn lists_files_and_json_hold_several() {
    let secret = |name: &str| {
        format!(
            "{{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{{\"name\":\"{name}\"}}}}"
        )
    };
    let (a, b) = (secret("a"), secret("b"));
    for text in [
        format!("{a}\n---\n---\n{b}\n...\n"),
        format!("{a}\n{b}\n"),
        format!("\u{feff}{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{a},{b}]}}"),
        format!("kind: List\r\napiVersion: v1\r\nitems:\r\n- {a}\r\n- {b}\r\n"),
        format!(
            "kind: List\nitems:\n- kind: SecretList\n  items: [{a}]\n- {b}\n- {{kind: List}}\n"
        ),
    ] {
        let names: Vec<String> = read(&text)
            .expect(&text)
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(names, ["a", "b"], "{text}");
    }
}

#[test]
fn marks_of_other_owners_are_left_out() {
    let rows = [
        ("argocd.argoproj.io/tracking-id", false),
        ("argocd.argoproj.io/instance", false),
        ("argocd.argoproj.io/secret-type", true),
        ("argocd.argoproj.io/sync-wave", true),
        ("app.kubernetes.io/instance", false),
        ("app.kubernetes.io/managed-by", false),
        ("app.kubernetes.io/name", true),
        ("kubectl.kubernetes.io/last-applied-configuration", false),
        ("kubecfg.ksonnet.io/last-applied-configuration", false),
        ("applyset.kubernetes.io/part-of", false),
        ("meta.helm.sh/release-name", false),
        ("helm.sh/resource-policy", false),
        ("kustomize.toolkit.fluxcd.io/name", false),
        ("helm.toolkit.fluxcd.io/namespace", false),
        ("reflector.v1.k8s.emberstack.com/reflection-allowed", true),
        ("reloader.stakater.com/match", true),
        ("sealedsecrets.bitnami.com/managed", false),
        ("sealedsecrets.bitnami.com/patch", false),
        ("sealedsecrets.bitnami.com/cluster-wide", true),
        ("jenkins.io/credentials-type", true),
    ];
    for (name, kept) in rows {
        for place in ["labels", "annotations"] {
            let manifest = one(&format!(
                "{{apiVersion: v1, kind: Secret, metadata: {{name: a, {place}: \
                 {{{name}: 'true'}}}}}}"
            ));
            let found =
                manifest.labels.contains_key(name) || manifest.annotations.contains_key(name);
            assert_eq!(found, kept, "{place} {name}");
        }
    }
}

#[test]
fn what_is_no_secret_of_ours_is_refused_by_its_place() {
    let secret = |rest: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: app, namespace: platform}}\n{rest}"
        )
    };
    let rows = [
        (
            format!("kind: ConfigMap\napiVersion: v1\ndata: {{a: {CANARY}}}"),
            Class::Refused,
            "a document of kind `v1 ConfigMap` is no Secret",
        ),
        (
            "kind: Secret".to_owned(),
            Class::Refused,
            "a document of kind `Secret` is no Secret",
        ),
        (
            "apiVersion: v2\nkind: Secret".to_owned(),
            Class::Refused,
            "a document of kind `v2 Secret` is no Secret",
        ),
        (
            "kind: AllowList\napiVersion: x/v1".to_owned(),
            Class::Refused,
            "a document of kind `x/v1 AllowList` is no Secret",
        ),
        (
            format!("password: {CANARY}"),
            Class::Refused,
            "a document without `kind` is no Secret",
        ),
        (
            CANARY.to_owned(),
            Class::Corrupt,
            "document: it is no mapping",
        ),
        (
            format!("- {CANARY}"),
            Class::Corrupt,
            "document: it is no mapping",
        ),
        (
            secret(&format!("data: {{a: {CANARY}}}")),
            Class::Corrupt,
            "secret platform/app: `data.a` is no base64",
        ),
        (
            secret("data: {a: 1234}"),
            Class::Corrupt,
            "secret platform/app: `data.a` is no text",
        ),
        (
            secret("stringData: {PORT: 3000}"),
            Class::Corrupt,
            "secret platform/app: `stringData.PORT` is no text",
        ),
        (
            secret("stringData: {on: true}"),
            Class::Corrupt,
            "secret platform/app: `stringData.on` is no text",
        ),
        (
            secret("stringData: {a: null}"),
            Class::Corrupt,
            "secret platform/app: `stringData.a` is no text",
        ),
        (
            secret(&format!("stringData: [{CANARY}]")),
            Class::Corrupt,
            "secret platform/app: `stringData` is no mapping",
        ),
        (
            secret("immutable: 'true'"),
            Class::Corrupt,
            "secret platform/app: `immutable` is no `true` or `false`",
        ),
        (
            secret("type: 7"),
            Class::Corrupt,
            "secret platform/app: `type` is no text",
        ),
        (
            secret("type: kubernetes.io/service-account-token"),
            Class::Refused,
            "secret platform/app: a Secret of type kubernetes.io/service-account-token is never \
             written",
        ),
        (
            secret("type: bootstrap.kubernetes.io/token"),
            Class::Refused,
            "secret platform/app: a Secret of type bootstrap.kubernetes.io/token is never written",
        ),
        (
            secret("type: helm.sh/release.v1"),
            Class::Refused,
            "secret platform/app: a Secret of type helm.sh/release.v1 is never written",
        ),
        (
            secret(&format!("stringData: {{a b: {CANARY}}}")),
            Class::Refused,
            "secret platform/app: these names cannot be keys of a Secret: `a b`",
        ),
        (
            secret("stringData: {../x: z}"),
            Class::Refused,
            "secret platform/app: these names cannot be keys of a Secret: `../x`",
        ),
        (
            secret("stringData: {..x: z}"),
            Class::Refused,
            "secret platform/app: these names cannot be keys of a Secret: `..x`",
        ),
        (
            "{apiVersion: v1, kind: Secret}".to_owned(),
            Class::Refused,
            "secret without a name: `metadata.name` is no Kubernetes name",
        ),
        (
            "{apiVersion: v1, kind: Secret, metadata: {name: ../x}}".to_owned(),
            Class::Refused,
            "secret ../x: `metadata.name` is no Kubernetes name",
        ),
        (
            "{apiVersion: v1, kind: Secret, metadata: {name: x, namespace: a/b}}".to_owned(),
            Class::Refused,
            "secret a/b/x: `metadata.namespace` is no Kubernetes name",
        ),
        (
            "{apiVersion: v1, kind: Secret, metadata: {name: x, namespace: a.b}}".to_owned(),
            Class::Refused,
            "secret a.b/x: `metadata.namespace` is no Kubernetes name",
        ),
        (
            "{apiVersion: v1, kind: Secret, metadata: {name: x, labels: {a: yes}}}".to_owned(),
            Class::Corrupt,
            "secret x: `metadata.labels.a` is no text",
        ),
        (
            "{apiVersion: v1, kind: List, items: {}}".to_owned(),
            Class::Corrupt,
            "document: `items` is no list",
        ),
    ];
    for (text, class, what) in rows {
        let failure = read(&text).expect_err(&text);
        assert_eq!(
            (failure.class, failure.what.as_str()),
            (class, what),
            "{text}"
        );
        let told = format!("{failure} {:?} {failure:?}", failure.hint);
        assert!(!told.contains(CANARY), "{told}");
    }
}

#[test]
fn bad_files_are_refused_without_a_word_of_them() {
    let deep = format!("{}{CANARY}", "[".repeat(100_000));
    let mut bomb = format!("a: &a [{CANARY}]\n");
    for level in 1..12_u8 {
        let (now, before) = (char::from(b'a' + level), char::from(b'a' + level - 1));
        bomb.push_str(&format!(
            "{now}: &{now} [{}]\n",
            vec![format!("*{before}"); 10].join(",")
        ));
    }
    let wide = format!("[{}]", "x,".repeat(200_000));
    let echoes = format!(
        "big: &big '{}'\nl: [{}]\n",
        "x".repeat(1_000_000),
        ["*big"; 90].join(",")
    );
    let wide_json = format!("{{\"a\":[{}1]}}", "1,".repeat(1_000_000));
    let rows: Vec<(Vec<u8>, Class)> = vec![
        (echoes.into(), Class::Refused),
        (wide_json.into(), Class::Refused),
        (vec![0xff, 0xfe, 0x00], Class::Corrupt),
        (format!("a: {CANARY}\na: {CANARY}").into(), Class::Corrupt),
        (
            format!("{{\"a\": \"{CANARY}\", \"a\": 1}}").into(),
            Class::Corrupt,
        ),
        (format!("{{\"a\": \"{CANARY}").into(), Class::Corrupt),
        (format!("a: [{CANARY}").into(), Class::Corrupt),
        (format!("a:\n\t- {CANARY}").into(), Class::Corrupt),
        (deep.into(), Class::Refused),
        (
            format!("{}1", "{\"a\":".repeat(100_000)).into(),
            Class::Refused,
        ),
        (bomb.into(), Class::Refused),
        (wide.into(), Class::Refused),
        (format!("a: *{CANARY}").into(), Class::Corrupt),
    ];
    for (bytes, class) in rows {
        let start = std::time::Instant::now();
        let error = document::objects(&bytes).expect_err("a bad file");
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert_eq!(error.class(), class, "{head}: {error}");
        assert!(
            start.elapsed().as_secs() < 20,
            "{head}: {:?}",
            start.elapsed()
        );
        assert!(
            !format!("{error} {error:?} {:?}", error.hint()).contains(CANARY),
            "{error}"
        );
    }
}

#[test]
fn errors_of_documents_name_the_key() {
    let error = document::objects(b"a: 1\nb: 2\na: 3\n").expect_err("a duplicate");
    let key = "a".to_owned();
    assert_eq!(error, SyntaxError::Duplicate { key });
}

#[test]
fn yaml_types_stay_apart() {
    let documents = document::objects(b"a: yes\nb: '1'\nc: 1\nd: ~\ne: 2026-01-01\nf: !!str 1\n")
        .expect("yaml");
    let expected = Node::Map(vec![
        ("a".to_owned(), Node::Bool(true)),
        ("b".to_owned(), Node::text("1")),
        ("c".to_owned(), Node::Number("1".into())),
        ("d".to_owned(), Node::Null),
        ("e".to_owned(), Node::text("2026-01-01")),
        ("f".to_owned(), Node::text("1")),
    ]);
    assert_eq!(documents, [expected]);
}
