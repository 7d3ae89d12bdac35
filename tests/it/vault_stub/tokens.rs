//! Rows 17, 18, 20 and 29: the life of a token.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    GRANTED, SECRETS, SOON, TOKEN, VALUE, credentials, envelope, errors, fails, granted, kv2,
    with_token,
};
use crate::support::session::{
    kubernetes, overheard, path, read_once, secret_file, server, session, watched,
};
use crate::support::stub::{Reply, Request, Stub};

/// A Vault that grants tokens by number and refuses those that are in no list of good ones.
struct Tokens {
    granted: usize,
    good: Vec<String>,
}

/// `lookup` tells whether our policies allow `lookup-self`.
fn vault(seconds: u64, lookup: bool, denied: &'static str) -> (Stub, Arc<Mutex<Tokens>>) {
    let tokens = Arc::new(Mutex::new(Tokens {
        granted: 0,
        good: Vec::new(),
    }));
    let known = Arc::clone(&tokens);
    let stub = Stub::start(move |request: &Request| {
        let mut known = known.lock().expect("no test panics in here");
        if request.path.ends_with("/login") {
            known.granted += 1;
            let token = format!("{GRANTED}{}", known.granted);
            known.good.push(token.clone());
            return granted(&token, seconds);
        }
        let token = request.header("x-vault-token").unwrap_or_default();
        let good = known.good.iter().any(|good| good == token);
        let is_lookup = request.path.ends_with("/lookup-self");
        if !good || (is_lookup && !lookup) || request.path.ends_with(denied) {
            return errors(403, &["permission denied"]);
        }
        if is_lookup {
            return Reply::json(200, &envelope(&json!({"id": token, "ttl": seconds})));
        }
        kv2()
    });
    (stub, tokens)
}

fn count(stub: &Stub, end: &str) -> usize {
    stub.calls()
        .iter()
        .filter(|call| call.ends_with(end))
        .count()
}

#[test]
fn row_17_a_lost_token_costs_one_login_for_all_reads() {
    let folder = credentials();
    let (stub, tokens) = vault(600, true, "/none");
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    watched(SECRETS, async {
        let session = session(&server, SOON);
        session.read(&path("kv/data/a")).await.expect("before");
        tokens.lock().expect("alive").good.clear();
        let paths: Vec<_> = (0..12)
            .map(|number| path(&format!("kv/data/{number}")))
            .collect();
        for result in
            futures_util::future::join_all(paths.iter().map(|path| session.read(path))).await
        {
            result.expect("after");
        }
        session.close().await;
    });
    assert_eq!(
        (count(&stub, "/login"), count(&stub, "/lookup-self")),
        (2, 1)
    );
    assert_eq!(count(&stub, "/revoke-self"), 1);
}

#[test]
fn row_18_a_policy_that_denies_is_not_mistaken_for_a_lost_token() {
    let folder = credentials();
    let (stub, _) = vault(600, true, "/denied");
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    let result = read_once(SECRETS, &server, SOON, &path("kv/data/denied"));
    let failure = fails(
        result,
        "denied",
        &["role `platform` at mount `kubernetes` may not read `kv/data/denied`"],
    );
    let hint = failure.hint.expect("a hint");
    assert!(
        hint.contains("path \"kv/data/denied\" { capabilities = [\"read\"] }"),
        "{hint}"
    );
    assert_eq!(count(&stub, "/login"), 1);
}

#[test]
fn row_18_a_denied_path_may_lie_in_no_mount_at_all() {
    let folder = credentials();
    let stub = Stub::start(|request| {
        let path = request.path.as_str();
        if path.contains("lookup-self") {
            Reply::json(200, &json!({"request_id": "r", "data": {}}))
        } else if path.contains("/mounts/known/") {
            let mount = json!({"path": "known/", "type": "kv", "options": {"version": "2"}});
            Reply::json(200, &json!({"request_id": "r", "data": mount}))
        } else {
            errors(403, &["permission denied"])
        }
    });
    let server = with_token(&stub.url(), &folder);
    for (at, mount) in [
        ("known/a", None),
        ("knwon/a", Some("there is no mount `knwon/`")),
    ] {
        let result = read_once(SECRETS, &server, SOON, &path(at));
        let hint = fails(result, "denied", &["may not read"])
            .hint
            .expect("a hint");
        assert_eq!(hint.contains("no mount"), mount.is_some(), "{hint}");
        assert!(mount.is_none_or(|words| hint.contains(words)), "{hint}");
    }
}

#[test]
fn row_18_denied_reads_share_the_look_at_their_token() {
    let folder = credentials();
    let (stub, _) = vault(600, true, "/denied");
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    watched(SECRETS, async {
        let session = session(&server, SOON);
        let paths: Vec<_> = (0..12)
            .map(|number| path(&format!("sys/{number}/denied")))
            .collect();
        let reads = paths.iter().map(|path| session.read(path));
        for result in futures_util::future::join_all(reads).await {
            fails(result, "denied", &["may not read"]);
        }
        session.close().await;
    });
    assert_eq!(count(&stub, "/login"), 1);
    let lookups = count(&stub, "/lookup-self");
    assert!((1..12).contains(&lookups), "{lookups}");
}

#[test]
fn row_18_without_lookup_self_a_denied_path_costs_one_login_in_all() {
    let folder = credentials();
    let (stub, _) = vault(600, false, "/denied");
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    watched(SECRETS, async {
        let session = session(&server, SOON);
        for _ in 0..5 {
            fails(
                session.read(&path("kv/data/denied")).await,
                "denied",
                &["may not read"],
            );
        }
        session
            .read(&path("kv/data/a"))
            .await
            .expect("an allowed one");
        session.close().await;
    });
    assert_eq!(count(&stub, "/login"), 2);
    assert_eq!(
        count(&stub, "/revoke-self"),
        2,
        "both tokens are ours to end"
    );
}

#[test]
fn row_20_a_token_that_ended_by_the_clock_is_replaced_unasked() {
    let folder = credentials();
    let (stub, tokens) = vault(1, true, "/none");
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    watched(SECRETS, async {
        let session = session(&server, SOON);
        for _ in 0..3 {
            session.read(&path("kv/data/a")).await.expect("before");
        }
        tokio::time::sleep(Duration::from_millis(1100)).await;
        tokens.lock().expect("alive").good.clear();
        for _ in 0..3 {
            session.read(&path("kv/data/a")).await.expect("after");
        }
        session.close().await;
    });
    assert_eq!(
        (count(&stub, "/login"), count(&stub, "/lookup-self")),
        (2, 0)
    );
}

#[test]
fn a_failed_login_is_shared_by_all_who_wait_for_it() {
    let folder = credentials();
    let stub = Stub::start(|_| errors(403, &["audience not authorized"]));
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    watched(SECRETS, async {
        let session = session(&server, SOON);
        let paths: Vec<_> = (0..10)
            .map(|number| path(&format!("kv/data/{number}")))
            .collect();
        for result in
            futures_util::future::join_all(paths.iter().map(|path| session.read(path))).await
        {
            fails(
                result,
                "denied",
                &["login refused: audience not authorized"],
            );
        }
        session.close().await;
    });
    assert_eq!(stub.calls().len(), 3);
}

#[test]
fn a_borrowed_token_is_read_again_when_refused_and_never_revoked() {
    let folder = credentials();
    let valid = Arc::new(AtomicBool::new(false));
    let fresh = "s.c4naryFreshTokenInTheFile";
    let stub = Stub::start(move |request| match request.header("x-vault-token") {
        Some(token) if token == fresh => kv2(),
        _ => errors(403, &["permission denied"]),
    });
    let server = with_token(&stub.url(), &folder);
    let result = read_once(SECRETS, &server, SOON, &path("kv/data/a"));
    fails(
        result,
        "denied",
        &[
            "cannot log in with token file",
            "refused: it is wrong or expired",
        ],
    );
    let secrets = [SECRETS, &[fresh]].concat();
    watched(&secrets, async {
        let session = session(&server, SOON);
        fails(
            session.read(&path("kv/data/a")).await,
            "denied",
            &["refused: it is wrong or expired"],
        );
        secret_file(folder.path(), "token", fresh);
        session
            .read(&path("kv/data/a"))
            .await
            .expect("the agent has renewed it");
        session.close().await;
    });
    valid.store(true, Ordering::SeqCst);
    assert_eq!(count(&stub, "/revoke-self"), 0);
    assert!(stub.calls().iter().all(|call| !call.contains(TOKEN)));
}

fn leased() -> Reply {
    let mut answer = envelope(&json!({"username": "u", "password": VALUE}));
    answer["lease_id"] = json!("database/creds/ro/abc");
    answer["lease_duration"] = json!(3600);
    Reply::json(200, &answer)
}

#[test]
fn row_29_a_token_is_revoked_unless_a_lease_depends_on_it() {
    let folder = credentials();
    let rows = [("kv/data/a", 1), ("database/creds/ro", 0)];
    for (wanted, revoked) in rows {
        let stub = Stub::start(|request| {
            if request.path.ends_with("/login") {
                granted(GRANTED, 600)
            } else if request.path.contains("internal") {
                let mount = json!({"path": "database/", "type": "database", "options": null});
                Reply::json(200, &envelope(&mount))
            } else if request.path.contains("creds") {
                leased()
            } else {
                kv2()
            }
        });
        let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
        let material = read_once(SECRETS, &server, SOON, &path(wanted)).expect("data");
        assert_eq!(material.lease.is_some(), revoked == 0);
        assert_eq!(count(&stub, "/revoke-self"), revoked, "{wanted}");
    }
}

#[test]
fn row_29_a_lease_is_told_with_its_time_and_without_its_value() {
    let folder = credentials();
    let stub = Stub::start(|request| match request.path.as_str() {
        path if path.ends_with("/login") => granted(GRANTED, 600),
        path if path.contains("internal") => {
            let mount = json!({"path": "database/", "type": "database", "options": null});
            Reply::json(200, &envelope(&mount))
        }
        _ => leased(),
    });
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    let (_, log) = overheard(SECRETS, async {
        let session = session(&server, SOON);
        let material = session.read(&path("database/creds/ro")).await;
        session.outlive();
        session.close().await;
        material.expect("data")
    });
    for words in [
        "leased data read path=\"database/creds/ro\" lease_s=3600",
        "left to live",
        "ttl_s=600",
    ] {
        assert!(log.contains(words), "no {words:?} in:\n{log}");
    }
}

#[test]
fn warnings_of_the_server_are_told_without_our_token() {
    let folder = credentials();
    let stub = Stub::start(|_| {
        let mut answer = envelope(&json!({"data": {"a": VALUE}, "metadata": {
            "created_time": "t", "deletion_time": "", "destroyed": false, "version": 3,
        }}));
        answer["warnings"] = json!([format!("{TOKEN} is old"), "careful\nnow"]);
        Reply::json(200, &answer)
    });
    let server = with_token(&stub.url(), &folder);
    let (_, log) = overheard(SECRETS, async {
        session(&server, SOON)
            .read(&path("kv/data/a"))
            .await
            .expect("data")
    });
    for words in [
        "vault warned: <redacted> is old",
        "vault warned: careful now",
    ] {
        assert!(log.contains(words), "no {words:?} in:\n{log}");
    }
}

#[test]
fn row_08_a_token_file_that_others_may_read_is_told() {
    let stub = Stub::start(|_| kv2());
    for (mode, told) in [
        (0o600, false),
        (0o400, false),
        (0o440, false),
        (0o640, false),
        (0o604, true),
        (0o644, true),
    ] {
        let folder = credentials();
        let server = with_token(&stub.url(), &folder);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.path().join("token"), permissions).expect("its mode");
        let (_, log) = overheard(SECRETS, async {
            session(&server, SOON)
                .read(&path("kv/data/a"))
                .await
                .expect("data")
        });
        let file = folder.path().join("token").display().to_string();
        assert_eq!(
            log.contains(&format!("token file {file} is readable by others")),
            told,
            "{mode:o}"
        );
        let fix = format!("`chmod 600 {file}`");
        assert_eq!(log.contains(&fix), told, "{log}");
    }
}

#[test]
fn row_29_a_revocation_that_hangs_or_fails_ends_within_two_seconds() {
    let folder = credentials();
    for hang in [true, false] {
        let stub = Stub::start(move |request| {
            if request.path.ends_with("/login") {
                granted(GRANTED, 600)
            } else if !request.path.ends_with("/revoke-self") {
                kv2()
            } else if hang {
                Reply::Hang
            } else {
                errors(500, &["internal error"])
            }
        });
        let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
        let begun = Instant::now();
        read_once(SECRETS, &server, SOON, &path("kv/data/a")).expect("data");
        assert!(begun.elapsed() < Duration::from_secs(4));
        assert_eq!(count(&stub, "/revoke-self"), 1);
    }
}

#[test]
fn a_batch_token_is_not_revoked() {
    let folder = credentials();
    let stub = Stub::start(|request| {
        if request.path.ends_with("/login") {
            let auth = json!({"client_token": GRANTED, "lease_duration": 600, "renewable": false, "token_type": "batch"});
            Reply::json(200, &json!({"request_id": "r", "data": null, "auth": auth}))
        } else {
            kv2()
        }
    });
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    read_once(SECRETS, &server, SOON, &path("kv/data/a")).expect("data");
    assert_eq!(count(&stub, "/revoke-self"), 0);
}

#[test]
fn a_session_that_read_nothing_asks_nothing() {
    let stub = Stub::start(|_| kv2());
    let folder = credentials();
    let server = server(&stub.url(), kubernetes(&folder.path().join("jwt")));
    watched(SECRETS, async { session(&server, SOON).close().await });
    assert_eq!(stub.connections(), 0);
}
