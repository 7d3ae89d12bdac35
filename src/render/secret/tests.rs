use std::collections::BTreeMap;

use super::*;
use crate::base::artifact::Conflict;
use crate::base::failure::Class;
use crate::config::{Registry, SecretRef};
use crate::render::testing::{at, fields, list, provenance, text};

fn target(kind: SecretKind) -> SecretTarget {
    SecretTarget {
        at: SecretRef {
            namespace: Some("ns".to_owned()),
            name: "s".to_owned(),
        },
        kind,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        conflict: Conflict::default(),
        service_accounts: Vec::new(),
        reflect: None,
        location: at(9),
    }
}

fn made(target: &SecretTarget, fields: &Fields<'_>) -> Result<Vec<Artifact>, Failure> {
    artifacts(
        target,
        fields,
        provenance(),
        &Ok("own".to_owned()),
        Timestamp::UNIX_EPOCH,
    )
}

fn only_secret(made: Result<Vec<Artifact>, Failure>) -> SecretArtifact {
    match made.expect("made").swap_remove(0) {
        Artifact::Secret(secret) => secret,
        Artifact::File(_)
        | Artifact::FileSet(_)
        | Artifact::PullSecret(_)
        | Artifact::Leftover(_) => panic!("no Secret"),
    }
}

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----";

#[test]
fn each_kind_has_its_type_and_keys() {
    let registries = vec![Registry {
        server: None,
        username: "username".to_owned(),
        password: "password".to_owned(),
    }];
    for (kind, type_name, keys) in [
        (
            SecretKind::from_type("Opaque"),
            "Opaque",
            "password ssh-privatekey username",
        ),
        (
            SecretKind::from_type("x.y/z"),
            "x.y/z",
            "password ssh-privatekey username",
        ),
        (
            SecretKind::from_type("kubernetes.io/basic-auth"),
            "kubernetes.io/basic-auth",
            "password ssh-privatekey username",
        ),
        (
            SecretKind::from_type("kubernetes.io/ssh-auth"),
            "kubernetes.io/ssh-auth",
            "password ssh-privatekey username",
        ),
        (
            SecretKind::DockerConfigJson { registries },
            "kubernetes.io/dockerconfigjson",
            ".dockerconfigjson",
        ),
    ] {
        let fields = fields([
            ("username", text("u")),
            ("password", text("p")),
            ("ssh-privatekey", text(KEY)),
        ]);
        let secret = only_secret(made(&target(kind), &fields));
        let names: Vec<&str> = secret.data.keys().map(String::as_str).collect();
        assert_eq!(
            (secret.kind.as_str(), names.join(" ").as_str()),
            (type_name, keys)
        );
    }
}

#[test]
fn an_ssh_key_ends_in_a_newline() {
    let secret = only_secret(made(
        &target(SecretKind::from_type("kubernetes.io/ssh-auth")),
        &fields([("ssh-privatekey", text(KEY))]),
    ));
    assert_eq!(
        secret.data["ssh-privatekey"].expose(),
        format!("{KEY}\n").as_bytes()
    );
}

#[test]
fn the_namespace_is_our_own_unless_said_and_accounts_are_beside_the_secret() {
    let mut elsewhere = target(SecretKind::from_type("Opaque"));
    elsewhere.at.namespace = None;
    elsewhere.service_accounts = vec!["default".to_owned()];
    let made = made(&elsewhere, &fields([("a", text("1"))])).expect("made");
    let [Artifact::Secret(secret), Artifact::PullSecret(link)] = made.as_slice() else {
        panic!("a Secret and a link");
    };
    assert_eq!(secret.at.to_string(), "own/s");
    assert_eq!(
        (link.account.to_string().as_str(), link.secret.as_str()),
        ("own/default", "s")
    );
    let unknown = Err(Failure::new(Class::Unavailable, "no cluster"));
    let fields = fields([("a", text("1"))]);
    let failed = artifacts(
        &elsewhere,
        &fields,
        provenance(),
        &unknown,
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(failed.expect_err("refused").class, Class::Unavailable);
    assert!(
        artifacts(
            &target(SecretKind::from_type("Opaque")),
            &fields,
            provenance(),
            &unknown,
            Timestamp::UNIX_EPOCH
        )
        .is_ok()
    );
}

#[test]
fn row_4_illegal_keys_are_listed() {
    let fields = fields([("a b", text("1")), ("ok", text("2")), ("..x", text("3"))]);
    let failure = made(&target(SecretKind::from_type("Opaque")), &fields).expect_err("refused");
    assert_eq!(
        (failure.class, failure.what.as_str()),
        (
            Class::Refused,
            "these names cannot be keys of a Secret: `..x`, `a b`"
        )
    );
}

#[test]
fn what_a_kind_needs_is_there() {
    for (kind, given, class) in [
        (
            SecretKind::from_type("kubernetes.io/basic-auth"),
            fields([("username", text("u"))]),
            Class::Missing,
        ),
        (
            SecretKind::from_type("kubernetes.io/ssh-auth"),
            fields([("a", text("u"))]),
            Class::Missing,
        ),
        (
            SecretKind::from_type("kubernetes.io/ssh-auth"),
            fields([("ssh-privatekey", text("CANARY"))]),
            Class::Corrupt,
        ),
        (SecretKind::from_type("Opaque"), fields([]), Class::Missing),
        (
            SecretKind::from_type("Opaque"),
            fields([("a", list([text("CANARY")]))]),
            Class::Refused,
        ),
        (SecretKind::Tls, fields([("a", text("u"))]), Class::Missing),
    ] {
        let failure = made(&target(kind), &given).expect_err("refused");
        assert_eq!(failure.class, class, "{failure}");
        assert!(failure.hint.is_some() && !format!("{failure:?}").contains("CANARY"));
    }
}
