//! Manifests: one case per row.

use std::path::PathBuf;

use super::*;
use crate::base::artifact::ConfigurationName;
use crate::base::artifact::Conflict;
use crate::base::material::Material;
use crate::config::{Delivery, SecretKind, SecretRef, SecretTarget};
use crate::format::document;
use crate::render::testing;

/// A set of such files, allowed in these namespaces.
fn set(name: Option<&str>, namespaces: &[&str], files: &[&str]) -> ManifestSet {
    let file = |file: &&str| Source::SealedManifests {
        file: PathBuf::from("c").join(file),
    };
    ManifestSet {
        name: name.map(str::to_owned),
        files: files.iter().map(file).collect(),
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        prune: false,
        conflict: Conflict::default(),
        at: testing::at(7),
    }
}

/// The result for each file of a configuration: its Secrets, or its failure.
fn messages(config: &Config, files: &[(&str, &str)], own: Own<'_>) -> Vec<String> {
    let read = |(file, text): &(&str, &str)| {
        let source = Source::SealedManifests {
            file: PathBuf::from("c").join(file),
        };
        let material = document::objects(text.as_bytes()).map(|documents| Material {
            documents,
            ..Material::unversioned(crate::base::material::Node::Null)
        });
        (source, material.map_err(Failure::from))
    };
    let fetched = Fetched::from_parts(files.iter().map(read));
    let wanted = wanted(config, &fetched, own, Timestamp::UNIX_EPOCH);
    let told = wanted.iter().map(|wanted| match &wanted.artifacts {
        Ok(_) => objects(wanted)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        Err(failure) => format!("{}: {}", failure.class, failure.what),
    });
    told.collect()
}

fn of(set: ManifestSet) -> Config {
    Config {
        name: ConfigurationName::parse("test"),
        manifests: vec![set],
        ..Config::default()
    }
}

fn secret(namespace: &str, name: &str) -> String {
    let namespace = match namespace {
        "" => String::new(),
        namespace => format!(", namespace: {namespace}"),
    };
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}{namespace}}}\ndata: {{k: dg==}}\n"
    )
}

#[test]
fn a_namespace_comes_from_our_list_or_not_at_all() {
    let own = Ok("own".to_owned());
    for (allowed, written, want) in [
        (&[][..], "", "own/a"),
        (&[], "own", "own/a"),
        (
            &[],
            "kube-system",
            "refused: sealed file c/a.yaml: secret kube-system/a: manifests may not go to \
             namespace kube-system",
        ),
        (&["own", "team"], "", "own/a"),
        (&["own", "team"], "team", "team/a"),
        (&["team"], "team", "team/a"),
        (
            &["team"],
            "",
            "refused: sealed file c/a.yaml: secret own/a: manifests may not go to namespace own",
        ),
        (
            &["team"],
            "tea",
            "refused: sealed file c/a.yaml: secret tea/a: manifests may not go to namespace tea",
        ),
    ] {
        let config = of(set(None, allowed, &["a.yaml"]));
        let text = secret(written, "a");
        assert_eq!(messages(&config, &[("a.yaml", &text)], &own), [want]);
    }
}

#[test]
fn our_own_namespace_is_asked_for_only_where_it_matters() {
    let unknown = Err(Failure::new(Class::Configuration, "no cluster"));
    for (allowed, written, want) in [
        (&["team"][..], "team", "team/a"),
        (&["team"], "", "configuration: no cluster"),
        (&[], "team", "configuration: no cluster"),
    ] {
        let config = of(set(None, allowed, &["a.yaml"]));
        let text = secret(written, "a");
        assert_eq!(messages(&config, &[("a.yaml", &text)], &unknown), [want]);
    }
}

#[test]
fn a_file_goes_whole_or_not_at_all_and_stops_no_other() {
    let own = Ok("own".to_owned());
    let both = format!("{}---\n{}", secret("", "a"), secret("", "b"));
    let half = format!("{}---\n{}", secret("", "c"), secret("else", "d"));
    let list = "apiVersion: v1\nkind: List\nitems: []\n";
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let files = [
        ("1.yaml", both.as_str()),
        ("2.yaml", half.as_str()),
        ("3.yaml", list),
        ("4.yaml", map),
        ("5.yaml", "{"),
    ];
    let config = of(set(None, &[], &files.map(|(file, _)| file)));
    let told = messages(&config, &files, &own);
    let want = [
        "own/a own/b",
        "refused: sealed file c/2.yaml: secret else/d: manifests may not go to namespace else",
        "missing: sealed file c/3.yaml: it describes no Secret",
        "refused: sealed file c/4.yaml: a document of kind `v1 ConfigMap` is no Secret",
    ];
    assert_eq!(told[..4], want);
    assert!(
        told[4].starts_with("corrupt: JSON is malformed at line 1"),
        "{}",
        told[4]
    );
}

#[test]
fn a_manifest_fits_its_type_as_a_target_does() {
    let config = of(set(None, &[], &["a.yaml"]));
    let own = Ok("own".to_owned());
    for (kind, data, want) in [
        (
            "kubernetes.io/tls",
            "tls.crt: c, tls.key: k",
            "corrupt: sealed file c/a.yaml: secret own/a: `tls.crt` holds no certificate in PEM",
        ),
        (
            "kubernetes.io/dockerconfigjson",
            ".dockerconfigjson: '{}'",
            "corrupt: sealed file c/a.yaml: secret own/a: `.dockerconfigjson` is no docker \
             configuration (line 1, column 2)",
        ),
        (
            "kubernetes.io/basic-auth",
            "username: u",
            "missing: sealed file c/a.yaml: secret own/a: there is no `password`, which a Secret \
             of this type holds",
        ),
        (
            "kubernetes.io/ssh-auth",
            "ssh-privatekey: k",
            "corrupt: sealed file c/a.yaml: secret own/a: `ssh-privatekey` holds no private key \
             in PEM",
        ),
        ("example.org/t", "username: u", "own/a"),
    ] {
        let text = secret("", "a") + &format!("type: {kind}\nstringData: {{{data}}}\n");
        assert_eq!(messages(&config, &[("a.yaml", &text)], &own), [want]);
    }
}

#[test]
fn one_secret_is_described_once() {
    let own = Ok("own".to_owned());
    let a = secret("", "a");
    let twice = format!("{a}---\n{a}");
    let b = secret("", "b");
    let files = [
        ("1.yaml", a.as_str()),
        ("2.yaml", a.as_str()),
        ("3.yaml", b.as_str()),
    ];
    let config = of(set(Some("web"), &[], &files.map(|(file, _)| file)));
    assert_eq!(
        messages(&config, &files, &own),
        [
            "refused: secret own/a is described twice, also by manifests web: 2.yaml",
            "refused: secret own/a is described twice, also by manifests web: 1.yaml",
            "own/b",
        ]
    );
    let config = of(set(None, &[], &["1.yaml"]));
    assert_eq!(
        messages(&config, &[("1.yaml", &twice)], &own),
        ["refused: secret own/a is described twice in this file"]
    );
    let config = Config {
        deliveries: vec![delivery("b")],
        ..of(set(None, &[], &["3.yaml"]))
    };
    assert_eq!(
        messages(&config, &[("3.yaml", &b)], &own),
        ["refused: secret own/b is described twice, also by delivery `d`"]
    );
}

/// A delivery that writes a Secret in our own namespace.
fn delivery(name: &str) -> Delivery {
    let target = SecretTarget {
        at: SecretRef {
            namespace: None,
            name: name.to_owned(),
        },
        kind: SecretKind::from_type("Opaque"),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        conflict: Conflict::default(),
        service_accounts: Vec::new(),
        reflect: None,
        location: testing::at(9),
    };
    Delivery {
        to: vec![Target::Secret(target)],
        ..testing::delivery([])
    }
}

#[test]
fn a_secret_carries_the_name_of_its_set_and_nobody_elses_marks() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  labels: {app: x, app.kubernetes.io/instance: argo, keyferry.io/manifests: other}\n  annotations: {reflector.v1.k8s.emberstack.com/reflection-allowed: 'true', meta.helm.sh/release-name: x}\ntype: example.org/t\nimmutable: true\nstringData: {k: v}\n";
    for (name, marks) in [
        (None, &[("app", "x")][..]),
        (
            Some("web"),
            &[("app", "x"), ("keyferry.io/manifests", "web")],
        ),
    ] {
        let set = set(name, &[], &["a.yaml"]);
        let documents = document::objects(text.as_bytes()).expect("YAML");
        let mut found = from_secret_document(documents[0].duplicate()).expect("a Secret");
        let own = Ok("own".to_owned());
        let made = super::secret(
            &set,
            &set.files[0],
            found.remove(0),
            testing::provenance(),
            &own,
            Timestamp::UNIX_EPOCH,
        )
        .expect("allowed");
        let labels: Vec<(&str, &str)> = made
            .labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(labels, marks);
        assert_eq!(
            made.annotations.keys().collect::<Vec<_>>(),
            ["reflector.v1.k8s.emberstack.com/reflection-allowed"]
        );
        assert_eq!(
            (made.kind.as_str(), made.immutable),
            ("example.org/t", true)
        );
        assert_eq!(made.data["k"].expose(), b"v");
    }
}
