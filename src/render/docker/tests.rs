use super::*;
use crate::render::testing::{fields, list, map, number, text};

fn registry(server: Option<&str>, username: &str, password: &str) -> Registry {
    Registry {
        server: server.map(str::to_owned),
        username: username.to_owned(),
        password: password.to_owned(),
    }
}

fn built(fields: &Fields<'_>, registries: &[Registry]) -> Result<String, DockerError> {
    let document = build(fields, registries)?;
    Ok(document.expose_str().expect("text").to_owned())
}

#[test]
fn logins_become_a_document() {
    let one = fields([("username", text("ann")), ("password", text("p\"\\é\n"))]);
    assert_eq!(
        built(&one, &[]).as_deref(),
        Ok(
            "{\"auths\":{\"https://index.docker.io/v1/\":{\"username\":\"ann\",\
             \"password\":\"p\\\"\\\\é\\n\",\"auth\":\"YW5uOnAiXMOpCg==\"}}}"
        )
    );
    let full = fields([
        ("server", text("cr.example.com")),
        ("username", text("ann")),
        ("password", number("12")),
        ("email", text("a@b")),
        ("unused", list([])),
    ]);
    assert_eq!(
        built(&full, &[]).as_deref(),
        Ok(
            "{\"auths\":{\"cr.example.com\":{\"username\":\"ann\",\"password\":\"12\",\
             \"email\":\"a@b\",\"auth\":\"YW5uOjEy\"}}}"
        )
    );
    let two = fields([
        ("A_USER", text("a")),
        ("A_PASS", text("x")),
        ("B_USER", text("b")),
        ("B_PASS", text("y")),
    ]);
    assert_eq!(
        built(
            &two,
            &[
                registry(Some("one"), "A_USER", "A_PASS"),
                registry(Some("two:5000"), "B_USER", "B_PASS")
            ]
        )
        .as_deref(),
        Ok(
            "{\"auths\":{\"one\":{\"username\":\"a\",\"password\":\"x\",\"auth\":\"YTp4\"},\
             \"two:5000\":{\"username\":\"b\",\"password\":\"y\",\"auth\":\"Yjp5\"}}}"
        )
    );
}

#[test]
fn what_is_built_is_what_is_believed() {
    let login = fields([("username", text("ann")), ("password", text("\u{1}\"}:'"))]);
    let document = built(&login, &[]).expect("built");
    let again = fields([(".dockerconfigjson", text(&document))]);
    assert_eq!(built(&again, &[]), Ok(document));
}

#[test]
fn a_ready_document_goes_as_it_is() {
    let ready = "{ \"auths\": {\"r\": {\"auth\": \"YTpi\"}}, \"credsStore\": \"x\" }\n";
    for name in [
        ".dockerconfigjson",
        "dockerconfigjson",
        "config.json",
        "anything",
    ] {
        assert_eq!(
            built(&fields([(name, text(ready))]), &[]).as_deref(),
            Ok(ready)
        );
    }
    let auth = || map([("r", map([("auth", text("YTpi"))]))]);
    let compact = "{\"auths\":{\"r\":{\"auth\":\"YTpi\"}}}";
    assert_eq!(
        built(&fields([("auths", auth())]), &[]).as_deref(),
        Ok(compact)
    );
    let nested = fields([(".dockerconfigjson", map([("auths", auth())]))]);
    assert_eq!(built(&nested, &[]).as_deref(), Ok(compact));
    for login in [
        "{\"username\":\"a\",\"password\":\"b\"}",
        "{\"identitytoken\":\"t\",\"auth\":\"\"}",
        "{\"registrytoken\":\"t\",\"auth\":null}",
    ] {
        let ready = format!("{{\"auths\":{{\"r\":{login}}}}}");
        assert_eq!(built(&fields([("x", text(&ready))]), &[]), Ok(ready));
    }
}

#[test]
fn a_login_that_cannot_be_is_refused_by_field() {
    let ok = ("password", text("p"));
    for (fields, registries, class, expected) in [
        (
            fields([("username", text("u"))]),
            vec![],
            Class::Missing,
            "field `password` is in none of the sources",
        ),
        (
            fields([("a", text("u")), ("b", text("p"))]),
            vec![],
            Class::Missing,
            "field `username` is in none of the sources",
        ),
        (
            fields([]),
            vec![],
            Class::Missing,
            "field `username` is in none of the sources",
        ),
        (
            fields([("username", text("a:b")), ok]),
            vec![],
            Class::Refused,
            "field `username` holds `:`, which ends a user name in `auth`",
        ),
        (
            fields([
                ("username", Node::text(&b"\xff"[..])),
                ("password", text("p")),
            ]),
            vec![],
            Class::Refused,
            "field `username` is not UTF-8 text",
        ),
        (
            fields([
                ("username", text("u")),
                ("password", text("p")),
                ("server", text("a b")),
            ]),
            vec![],
            Class::Refused,
            "the registry's address is empty or holds white space",
        ),
        (
            fields([("u", text("u")), ("p", text("p"))]),
            vec![registry(None, "u", "p"), registry(None, "u", "p")],
            Class::Configuration,
            "registry `https://index.docker.io/v1/` is there twice",
        ),
    ] {
        let error = built(&fields, &registries).expect_err(expected);
        assert_eq!(
            (error.class(), error.to_string().as_str()),
            (class, expected)
        );
        assert!(error.hint().is_some());
    }
}

#[test]
fn row_205_no_field_of_another_registry_becomes_a_login_at_docker_hub() {
    let with = |more: &str| {
        let login = [("username", text("ann")), ("password", text("CANARY"))];
        let [username, password] = login;
        built(&fields([(more, text("CANARY")), username, password]), &[])
    };
    assert!(with("email").expect("a login").contains(HUB));
    let server = with("server").expect("a login");
    assert!(server.starts_with("{\"auths\":{\"CANARY\""), "{server}");
    for more in ["registry", "Server", "url", "auth", "token"] {
        let error = with(more).expect_err(more);
        assert_eq!(
            (error.class(), error.to_string()),
            (
                Class::Refused,
                format!(
                    "no field `server` names the registry, and Docker Hub takes none of the \
                     fields `{more}`"
                )
            )
        );
        let hint = error.hint().expect("a hint");
        assert!(hint.contains("`server`") && hint.contains("`registries:`"));
        assert!(!format!("{error} {error:?} {hint}").contains("CANARY"));
    }
}
