//! Rows 14 to 16 and the ways to log in that need no real server of identities.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyferry::base::material::SecretBytes;
use keyferry::config::{JwtSource, VaultAuth, VaultServer};
use keyferry::vault::Runner;
use serde_json::{Value, json};

use super::{GRANTED, JWT, SECRETS, SOON, credentials, errors, fails, granted, in_turn, kv2};
use crate::support::session::{
    kubernetes, overheard, path, read_once, secret_file, server, session, watched,
};
use crate::support::stub::{Reply, Request, Stub};

const BRIEF: Duration = Duration::from_millis(900);

/// Logins are answered by `login`, all else is data.
fn vault(login: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| {
        if request.path.ends_with("/login") && request.body == b"{}" {
            // Whether the method is mounted at all is asked with a login that names nobody.
            errors(400, &["missing role"])
        } else if request.path.ends_with("/login") {
            login(request)
        } else if request.path.ends_with("/revoke-self") {
            Reply::text(204, "application/json", "")
        } else {
            kv2()
        }
    })
}

fn logins(stub: &Stub) -> Vec<Value> {
    let logins = stub
        .seen()
        .into_iter()
        .filter(|request| request.path.ends_with("/login") && request.body != b"{}");
    logins
        .map(|request| serde_json::from_slice(&request.body).expect("JSON"))
        .collect()
}

#[test]
fn a_login_sends_role_and_jwt_and_its_token_is_used_and_revoked() {
    let folder = credentials();
    let stub = vault(|_| granted(GRANTED, 600));
    let server = VaultServer {
        namespace: Some("team/a".to_owned()),
        ..server(&stub.url(), kubernetes(&folder.path().join("jwt")))
    };
    read_once(SECRETS, &server, SOON, &path("kv/data/a")).expect("data");
    assert_eq!(
        stub.calls(),
        [
            "POST /v1/auth/kubernetes/login",
            "GET /v1/kv/data/a",
            "POST /v1/auth/token/revoke-self"
        ]
    );
    assert_eq!(logins(&stub), [json!({"role": "platform", "jwt": JWT})]);
    let header = |number: usize, name: &str| stub.seen()[number].header(name).map(str::to_owned);
    for number in 0..3 {
        let token = (number > 0).then(|| GRANTED.to_owned());
        assert_eq!(header(number, "x-vault-token"), token);
        assert_eq!(
            header(number, "x-vault-namespace").as_deref(),
            Some("team/a")
        );
        assert_eq!(header(number, "x-vault-request").as_deref(), Some("true"));
    }
    assert_eq!(stub.connections(), 1);
}

#[test]
fn row_14_a_refusal_with_a_reason_is_believed_after_three_tries_with_a_fresh_jwt() {
    let folder = credentials();
    let file = folder.path().join("jwt");
    let rewritten = file.clone();
    let count = AtomicUsize::new(1);
    let stub = vault(move |_| {
        let next = count.fetch_add(1, Ordering::SeqCst);
        secret_file(
            rewritten.parent().expect("a folder"),
            "jwt",
            &format!("{JWT}{next}"),
        );
        errors(
            403,
            &[&format!("service account name not authorized: {JWT}")],
        )
    });
    let server = server(&stub.url(), kubernetes(&file));
    let result = read_once(SECRETS, &server, SOON, &path("kv/data/a"));
    fails(
        result,
        "denied",
        &[
            "role `platform` at mount `kubernetes`: login refused: service account name not \
             authorized",
        ],
    );
    let sent: Vec<_> = logins(&stub)
        .iter()
        .map(|login| login["jwt"].clone())
        .collect();
    assert_eq!(sent, [JWT.to_owned(), format!("{JWT}1"), format!("{JWT}2")]);
}

#[test]
fn row_14_a_mistake_in_the_configuration_is_not_tried_again() {
    let folder = credentials();
    for text in [
        "invalid role name \"x\"",
        "missing role",
        "could not load configuration",
    ] {
        let stub = vault(move |_| errors(400, &[text]));
        let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
        fails(
            read_once(SECRETS, &server, SOON, &path("kv/data/a")),
            "denied",
            &["login refused", text],
        );
        assert_eq!(logins(&stub).len(), 1, "{text}");
    }
}

#[test]
fn a_mount_that_leads_elsewhere_is_refused_before_anything_is_sent() {
    let folder = credentials();
    let stub = vault(|_| granted(GRANTED, 600));
    for mount in ["../sys/wrapping", "a//b", "a?b", "", "a%2fb"] {
        let auth = VaultAuth::Kubernetes {
            mount: mount.to_owned(),
            role: "platform".to_owned(),
            token_file: folder.path().join("jwt"),
        };
        let server = server(&stub.url(), auth);
        let result = read_once(SECRETS, &server, SOON, &path("kv/data/a"));
        fails(
            result,
            "configuration",
            &["the mount of the auth method is refused"],
        );
    }
    assert_eq!(stub.connections(), 0);
}

#[test]
fn row_14_a_role_is_not_locked_by_the_same_wrong_secret_id() {
    let folder = credentials();
    let auth = VaultAuth::AppRole {
        mount: "approle".to_owned(),
        role_id_file: secret_file(folder.path(), "role-id", "c4nary-role-id\n"),
        secret_id_file: secret_file(folder.path(), "secret-id", "c4nary-secret-id\n"),
        wrapped: false,
    };
    let stub = vault(|_| errors(400, &["invalid role or secret ID c4nary-secret-id"]));
    let server = server(&stub.url(), auth);
    let secrets = ["c4nary-role-id", "c4nary-secret-id"];
    let result = read_once(&secrets, &server, SOON, &path("kv/data/a"));
    fails(
        result,
        "denied",
        &["role-id at mount `approle`", "invalid role or secret ID"],
    );
    let sent = json!({"role_id": "c4nary-role-id", "secret_id": "c4nary-secret-id"});
    assert_eq!(logins(&stub), [sent]);
}

#[test]
fn row_15_a_bare_refusal_may_pass() {
    let folder = credentials();
    let bare = || errors(403, &["permission denied"]);
    let answers = in_turn(vec![bare(), bare(), bare(), bare(), granted(GRANTED, 600)]);
    let stub = vault(answers);
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    read_once(SECRETS, &server, SOON, &path("kv/data/a")).expect("at last");
    assert_eq!(logins(&stub).len(), 5);
    let stub = vault(move |_| bare());
    let server = VaultServer {
        address: stub.url(),
        ..server
    };
    let result = read_once(SECRETS, &server, BRIEF, &path("kv/data/a"));
    fails(
        result,
        "denied",
        &["gave up after", "login refused: permission denied"],
    );
}

#[test]
fn a_login_that_answers_500_for_ever_is_a_refusal_and_503_is_not() {
    let folder = credentials();
    for (status, class) in [(500, "denied"), (503, "unavailable")] {
        let stub = vault(move |_| errors(status, &["not configured"]));
        let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
        fails(
            read_once(SECRETS, &server, BRIEF, &path("kv/data/a")),
            class,
            &["not configured"],
        );
        assert!(logins(&stub).len() > 1);
    }
}

#[test]
fn row_16_a_jwt_file_is_waited_for_and_trimmed() {
    let folder = credentials();
    let file = folder.path().join("late");
    let stub = vault(|_| granted(GRANTED, 600));
    let server = server(&stub.url(), kubernetes(&file));
    let result = watched(SECRETS, async {
        let session = session(&server, SOON).waiting_for_files();
        let read = path("kv/data/a");
        let late = async {
            for text in ["", " \n"] {
                tokio::time::sleep(Duration::from_millis(120)).await;
                secret_file(folder.path(), "late", text);
            }
            tokio::time::sleep(Duration::from_millis(120)).await;
            secret_file(folder.path(), "late", &format!(" {JWT}\r\n"));
        };
        let (result, ()) = tokio::join!(session.read(&read), late);
        session.close().await;
        result
    });
    result.expect("the file came");
    assert_eq!(logins(&stub), [json!({"role": "platform", "jwt": JWT})]);
}

#[test]
fn row_16_a_jwt_file_that_never_comes_is_a_refused_login() {
    let folder = credentials();
    let stub = vault(|_| granted(GRANTED, 600));
    let rows: [(PathBuf, &str, &str); 5] = [
        (folder.path().join("none"), "denied", "JWT file"),
        (
            secret_file(folder.path(), "blank", "\n \n"),
            "denied",
            "it is empty",
        ),
        (
            secret_file(folder.path(), "two", "a.b.c\nX-Evil: 1"),
            "denied",
            "a line break",
        ),
        (
            secret_file(folder.path(), "not", "s.c4naryTokenOfAFile24"),
            "denied",
            "three parts",
        ),
        (folder.path().to_owned(), "configuration", "is a folder"),
    ];
    for (file, class, words) in rows {
        let server = server(&stub.url(), kubernetes(&file));
        let failure = fails(
            read_once(SECRETS, &server, BRIEF, &path("kv/data/a")),
            class,
            &[words],
        );
        assert!(
            !failure.absent,
            "an optional secret is not one that nobody may read"
        );
    }
    assert_eq!(stub.connections(), 0);
}

#[test]
fn row_16_a_file_is_waited_for_only_where_that_was_asked_for() {
    let folder = credentials();
    let file = folder.path().join("none");
    let server = server("http://127.0.0.1:1", kubernetes(&file));
    for waits in [false, true] {
        let begun = Instant::now();
        let (result, log) = overheard(SECRETS, async {
            let session = session(&server, Duration::from_secs(2));
            let session = match waits {
                true => session.waiting_for_files(),
                false => session,
            };
            session.read(&path("kv/data/a")).await
        });
        let failure = fails(result, "denied", &["does not exist"]);
        let hint = failure.hint.expect("what to do");
        assert!(hint.contains("`keyferry init` alone waits"), "{hint}");
        let told = format!("waiting for JWT file {}", file.display());
        assert_eq!(log.matches(&told).count(), usize::from(waits), "{log}");
        assert_eq!(begun.elapsed() > Duration::from_secs(1), waits);
    }
}

const RUNNER_TOKEN: &str = "c4naryRunnerToken4711";

fn actions(
    vault: &Stub,
    runner: Option<Runner>,
) -> Result<keyferry::base::material::Material, keyferry::base::failure::Failure> {
    let auth = VaultAuth::Jwt {
        mount: "jwt".to_owned(),
        role: "ci".to_owned(),
        token: JwtSource::GithubActions {
            audience: "https://vault.example/?a&b".to_owned(),
        },
    };
    let server = server(&vault.url(), auth);
    let secrets = [SECRETS, &[RUNNER_TOKEN]].concat();
    watched(&secrets, async {
        let mut session = session(&server, SOON);
        if let Some(runner) = runner {
            session = session.with_runner(runner.into());
        }
        let result = session.read(&path("kv/data/a")).await;
        session.close().await;
        result
    })
}

#[test]
fn a_github_job_asks_its_runner_for_a_jwt() {
    let runner = Stub::start(in_turn(vec![
        Reply::text(503, "text/html", "<html>"),
        Reply::json(200, &json!({"count": 1, "value": JWT})),
    ]));
    let vault = vault(|_| granted(GRANTED, 600));
    let environment = Runner {
        url: format!("{}/token?api-version=2.0", runner.url()),
        token: SecretBytes::from(RUNNER_TOKEN),
    };
    actions(&vault, Some(environment)).expect("data");
    let asked = runner.seen();
    assert_eq!(
        asked[1].path,
        "/token?api-version=2.0&audience=https%3A%2F%2Fvault.example%2F%3Fa%26b"
    );
    assert_eq!(
        asked[1].header("authorization"),
        Some(format!("Bearer {RUNNER_TOKEN}").as_str())
    );
    assert_eq!(asked[1].header("x-vault-namespace"), None);
    assert_eq!(logins(&vault), [json!({"role": "ci", "jwt": JWT})]);
}

#[test]
fn a_job_without_the_right_to_a_token_is_told_so() {
    let vault = vault(|_| granted(GRANTED, 600));
    let refusing = Stub::start(|_| Reply::text(401, "text/html", "no"));
    let runner = |url: String| Runner {
        url,
        token: SecretBytes::from(RUNNER_TOKEN),
    };
    for (runner, class, words) in [
        (None, "denied", "no GitHub Actions job"),
        (
            Some(runner(refusing.url())),
            "denied",
            "no GitHub Actions job",
        ),
        (
            Some(runner("nonsense".to_owned())),
            "configuration",
            "ACTIONS_ID_TOKEN_REQUEST_URL",
        ),
        (
            Some(runner(format!("http://0.0.0.0:{}", refusing.port()))),
            "refused",
            "plain http",
        ),
    ] {
        fails(actions(&vault, runner), class, &[words]);
    }
    assert_eq!((vault.connections(), refusing.connections()), (0, 1));
}
