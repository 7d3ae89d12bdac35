use super::*;

const PEM: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----";

fn fitted(kind: &str, data: &[(&str, &str)]) -> Result<Data, Unfit> {
    let at = ObjectName {
        namespace: "platform".into(),
        name: "app".into(),
    };
    let pairs = data.iter();
    let mut data = pairs
        .map(|(key, value)| ((*key).to_owned(), SecretBytes::from(*value)))
        .collect();
    fit(&at, kind, &mut data, Timestamp::UNIX_EPOCH).map(|()| data)
}

#[test]
fn rows_4_and_65_what_no_secret_can_be_is_refused() {
    let half = "v".repeat(1 << 19);
    let exact = [("a", half.as_str()), ("b", half.as_str())];
    let long = "k".repeat(254);
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let rows: [(&str, Pairs<'_>, &str); 10] = [
        (OPAQUE, &exact, ""),
        (
            OPAQUE,
            &[exact[0], exact[1], ("c", "v")],
            "the values are 1048577 bytes together, and a Secret holds at most 1048576",
        ),
        (
            OPAQUE,
            &[(PULL_KEY, ""), ("a_B-1.x", ""), ("1A", ""), ("...", "v")],
            "these names cannot be keys of a Secret: `...`",
        ),
        (
            OPAQUE,
            &[("a b", ""), ("..x", ""), (".", ""), ("", ""), ("ü", "")],
            "these names cannot be keys of a Secret: ``, `.`, `..x`, `a b`, `ü`",
        ),
        (
            OPAQUE,
            &[("a/b", ""), ("a\0b", "")],
            "these names cannot be keys of a Secret: `a\\0b`, `a/b`",
        ),
        (
            OPAQUE,
            &[(long.as_str(), "")],
            &format!(
                "these names cannot be keys of a Secret: `{}…`",
                &long[..120]
            ),
        ),
        ("example.com/any", &[], ""),
        (
            "kubernetes.io/service-account-token",
            &[],
            "a Secret of type kubernetes.io/service-account-token is never written",
        ),
        (
            "bootstrap.kubernetes.io/token",
            &[],
            "a Secret of type bootstrap.kubernetes.io/token is never written",
        ),
        (
            "helm.sh/release.v2",
            &[],
            "a Secret of type helm.sh/release.v2 is never written",
        ),
    ];
    for (kind, data, want) in rows {
        let refused = fitted(kind, data).err();
        let told = refused.as_ref().map(ToString::to_string);
        assert_eq!(told.unwrap_or_default(), want);
        assert!(
            refused.is_none_or(|error| error.class() == Class::Refused && error.hint().is_some()),
            "{want}"
        );
    }
}

#[test]
fn a_type_has_what_it_needs() {
    for (kind, data, class) in [
        ("basic-auth", &[("username", "u")][..], Class::Missing),
        ("ssh-auth", &[("a", "u")], Class::Missing),
        ("ssh-auth", &[(SSH_KEY, "CANARY")], Class::Corrupt),
        ("dockerconfigjson", &[("a", "u")], Class::Missing),
        ("dockerconfigjson", &[(PULL_KEY, "CANARY")], Class::Corrupt),
        ("tls", &[("tls.key", "u")], Class::Missing),
        ("tls", &[("tls.crt", "CANARY")], Class::Corrupt),
    ] {
        let kind = known_type(kind).expect("a short name");
        let error = fitted(kind, data).expect_err(kind);
        assert_eq!(error.class(), class, "{error}");
        assert!(error.hint().is_some() && !format!("{error:?}").contains("CANARY"));
    }
    let fits = fitted("kubernetes.io/ssh-auth", &[(SSH_KEY, PEM)]).expect("a key");
    assert_eq!(fits[SSH_KEY].expose(), format!("{PEM}\n").as_bytes());
}

#[test]
fn a_type_is_known_by_its_short_and_its_full_name() {
    for (text, name) in [
        ("tls", Some(TLS)),
        ("kubernetes.io/tls", Some(TLS)),
        ("Opaque", Some(OPAQUE)),
        ("opaque", None),
        ("example.com/tls", None),
    ] {
        assert_eq!(known_type(text), name, "{text}");
    }
}

#[test]
fn what_is_no_docker_configuration_is_refused() {
    for ready in [
        "CANARY",
        "\"CANARY\"",
        "[]",
        "{}",
        "{\"auths\":{}}",
        "{\"auths\":[]}",
        "{\"auths\":\"CANARY\"}",
        "{\"auths\":{\"\":{\"auth\":\"YTpi\"}}}",
        "{\"auths\":{\"r\":{}}}",
        "{\"auths\":{\"r\":\"CANARY\"}}",
        "{\"auths\":{\"r\":{\"auth\":\"CANARY\"}}}",
        "{\"auths\":{\"r\":{\"auth\":\"Y2FuYXJ5\"}}}",
        "{\"auths\":{\"r\":{\"username\":\"CANARY\"}}}",
        "{\"auths\":{\"r\":{\"auth\":\"YTpi\"}}} CANARY",
        "{\"auths\":{\"r\":{\"auth\":\"YTpi\"}},\"auths\":{}}",
    ] {
        let error = fitted(PULL, &[(PULL_KEY, ready)]).expect_err(ready);
        assert_eq!(error.class(), Class::Corrupt, "{ready}");
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("CANARY"));
    }
}
