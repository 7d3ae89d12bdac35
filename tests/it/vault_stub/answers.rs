//! Rows 23 to 28: what comes back is no good, or good in an unusual way.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    GRANTED, SECRETS, SOON, TOKEN, VALUE, copy, credentials, envelope, errors, fails, in_turn, kv2,
    with_token,
};
use crate::support::session::{fields, path, read_once, secret_file, version};
use crate::support::sidecar::RunningSidecar;
use crate::support::stub::{Reply, Stub};

const BRIEF: Duration = Duration::from_millis(600);

#[test]
fn row_152_a_duration_that_no_clock_counts_ends_no_process() {
    let folder = credentials();
    let leased = |duration: &str| {
        let body = format!(
            r#"{{"request_id":"r","lease_id":"db/creds/x/1","renewable":true,"lease_duration":{duration},"data":{{"password":"{VALUE}"}}}}"#
        );
        Reply::text(200, "application/json", &body)
    };
    for duration in [
        "9223372036854775808",
        "18446744073709551616",
        "-1",
        "1e300",
        "null",
    ] {
        let login = format!(
            r#"{{"request_id":"r","auth":{{"client_token":"{GRANTED}","lease_duration":{duration},"renewable":true}}}}"#
        );
        let answer = leased(duration);
        let stub = Stub::start(move |request| match request.path.as_str() {
            path if path.ends_with("/login") => Reply::text(200, "application/json", &login),
            path if path.ends_with("/creds/x") => copy(&answer),
            _ => Reply::text(204, "application/json", ""),
        });
        let config = format!(
            "vault: {{address: '{}', auth: {{kubernetes: {{role: r, tokenFile: jwt}}}}}}\nsidecar: {{refresh: 1s}}\n\
             deliveries: [{{name: app, from: [{{vault: /v1/db/creds/x}}], to: [{{file: {{path: out.env}}}}]}}]\n",
            stub.url()
        );
        let sidecar = RunningSidecar::start(folder.path(), &config);
        sidecar.ready();
        sidecar.end().expect(0).assert_no_canary(SECRETS);
    }
}

#[test]
fn row_24_scalars_keep_their_spelling() {
    let body = format!(
        r#"{{"request_id":"r","lease_id":"","lease_duration":0,"data":{{"data":{{
            "big":9007199254740993,"float":1.10,"huge":1e400,"yes":true,"no":false,"none":null,"empty":"",
            "nul":"a\u0000b","emoji":"\ud83d\ude00","list":[1],"map":{{"a":1}},"text":"{VALUE}"}},
            "metadata":{{"created_time":"t","deletion_time":"","destroyed":false,"version":3}}}}}}"#
    );
    let stub = Stub::start(move |_| Reply::text(200, "application/json", &body));
    let folder = credentials();
    let material = read_once(
        SECRETS,
        &with_token(&stub.url(), &folder),
        SOON,
        &path("kv/data/a"),
    )
    .expect("an answer");
    let rows = [
        ("big", "9007199254740993"),
        ("float", "1.10"),
        ("huge", "1e400"),
        ("yes", "true"),
        ("no", "false"),
        ("none", "<null>"),
        ("empty", ""),
        ("nul", "a\0b"),
        ("emoji", "😀"),
        ("list", "<nested>"),
        ("map", "<nested>"),
        ("text", VALUE),
    ];
    let fields = fields(&material);
    for (name, want) in rows {
        assert_eq!(fields[name], want, "{name}");
    }
    assert_eq!((fields.len(), material.version.as_deref()), (12, Some("3")));
}

#[test]
fn row_25_what_is_too_large_or_too_deep_is_refused_at_once() {
    let deep = format!(
        r#"{{"request_id":"r","data":{}"{VALUE}"{}}}"#,
        "{\"a\":".repeat(100),
        "}".repeat(100)
    );
    let many = format!(
        r#"{{"request_id":"r","data":[{}"{VALUE}"]}}"#,
        "0,".repeat(2_000_000)
    );
    let rows = [
        ("endless", Reply::Endless, "larger than 4 MiB"),
        (
            "a large promise",
            Reply::Cut {
                length: 1 << 40,
                body: VALUE.into(),
            },
            "larger than 4 MiB",
        ),
        (
            "many",
            Reply::text(200, "application/json", &many),
            "more than 100000 values",
        ),
        (
            "many errors",
            Reply::text(400, "application/json", &many.replace("data", "errors")),
            "more than 100000 values",
        ),
        (
            "deep",
            Reply::text(200, "application/json", &deep),
            "deeper than 64 levels",
        ),
    ];
    let folder = credentials();
    for (name, reply, words) in rows {
        let stub = Stub::start(in_turn(vec![reply]));
        let server = with_token(&stub.url(), &folder);
        let result = read_once(SECRETS, &server, SOON, &path("kv/data/a"));
        fails(result, "refused", &["cannot read `kv/data/a`", words]);
        assert_eq!(stub.calls(), ["GET /v1/kv/data/a"], "{name}");
    }
}

#[test]
fn row_26_a_busy_server_is_given_the_time_it_asks_for() {
    let busy = |value: &str| errors(429, &["rate limit quota exceeded"]).with("Retry-After", value);
    let folder = credentials();
    for value in ["1", "0", "Wed, 21 Oct 2015 07:28:00 GMT"] {
        let stub = Stub::start(in_turn(vec![busy(value), kv2()]));
        let begun = Instant::now();
        read_once(
            SECRETS,
            &with_token(&stub.url(), &folder),
            SOON,
            &path("kv/data/a"),
        )
        .expect(value);
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_secs(1) && took < Duration::from_secs(5),
            "{value}: {took:?}"
        );
    }
    for value in ["1000000000", "Wed, 21 Oct 2095 07:28:00 GMT"] {
        let stub = Stub::start(in_turn(vec![busy(value), kv2()]));
        let begun = Instant::now();
        let time_limit = Duration::from_secs(30);
        let server = with_token(&stub.url(), &folder);
        let result = read_once(SECRETS, &server, time_limit, &path("kv/data/a"));
        fails(
            result,
            "unavailable",
            &["gave up after 1 tries", "vault is busy (429)"],
        );
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "waiting would be in vain"
        );
    }
    let stub = Stub::start(in_turn(vec![errors(429, &[]), errors(429, &[]), kv2()]));
    read_once(
        SECRETS,
        &with_token(&stub.url(), &folder),
        SOON,
        &path("kv/data/a"),
    )
    .expect("soon");
}

#[test]
fn row_28_what_is_not_from_vault_is_never_an_absence() {
    let html = format!("<html>{VALUE}</html>");
    let rows = [
        ("html", Reply::text(200, "text/html", &html)),
        ("empty", Reply::text(200, "application/json", "")),
        ("no envelope", Reply::json(200, &json!({"password": VALUE}))),
        ("an empty object", Reply::json(200, &json!({}))),
        ("a list", Reply::json(200, &json!([VALUE]))),
        (
            "text for a number",
            Reply::json(200, &json!({"request_id": "r", "lease_duration": VALUE})),
        ),
        ("a 404 of a proxy", Reply::text(404, "text/html", &html)),
        (
            "a 404 of something else",
            Reply::json(404, &json!({"message": VALUE})),
        ),
        ("a 403 of a proxy", Reply::text(403, "text/html", &html)),
        (
            "truncated",
            Reply::Cut {
                length: 500,
                body: format!(r#"{{"data":{{"a":"{VALUE}"#).into(),
            },
        ),
        (
            "no http",
            Reply::Raw(format!("220 {VALUE} ready\r\n").into()),
        ),
        ("nothing", Reply::Raw(Vec::new())),
        (
            "latin-1",
            Reply::Answer {
                status: 200,
                headers: Vec::new(),
                body: b"{\"request_id\":\"r\",\"data\":{\"a\":\"\xe9\"}}".to_vec(),
            },
        ),
        (
            "a name twice",
            Reply::text(
                200,
                "application/json",
                r#"{"request_id":"r","data":{"a":1,"a":2}}"#,
            ),
        ),
        (
            "half a pair",
            Reply::text(
                200,
                "application/json",
                r#"{"request_id":"r","data":{"a":"\ud800"}}"#,
            ),
        ),
    ];
    let folder = credentials();
    for (name, reply) in rows {
        let stub = Stub::start(in_turn(vec![reply]));
        let server = with_token(&stub.url(), &folder);
        let result = read_once(SECRETS, &server, BRIEF, &path("other/creds/a"));
        let failure = fails(result, "unavailable", &["gave up after"]);
        assert!(!failure.absent, "{name}");
        assert!(
            stub.calls().len() > 1,
            "{name}: it may pass, so it is asked for again"
        );
    }
}

#[test]
fn row_28_kv_v2_without_data_is_never_empty_data() {
    let meta = json!({"created_time": "t", "deletion_time": "", "destroyed": false, "version": 3});
    let mount = |options| envelope(&json!({"path": "kv/", "type": "kv", "options": options}));
    let rows = [
        json!({"data": null, "metadata": meta}),
        json!({"data": VALUE, "metadata": meta}),
        json!({"data": {"a": VALUE}}),
        json!({"data": {"a": VALUE}, "metadata": meta, "more": 1}),
    ];
    let folder = credentials();
    for data in rows {
        let (answer, mount) = (envelope(&data), mount(json!({"version": "2"})));
        let stub = Stub::start(move |request| {
            Reply::json(
                200,
                if request.path.contains("internal") {
                    &mount
                } else {
                    &answer
                },
            )
        });
        let server = with_token(&stub.url(), &folder);
        let result = read_once(SECRETS, &server, BRIEF, &path("kv/data/a"));
        fails(result, "unavailable", &["not a Vault answer"]);
    }
    // The same in an engine that has no versions is somebody's data, and is delivered.
    let (answer, mount) = (
        envelope(&json!({"data": {"a": VALUE}, "b": "x"})),
        mount(json!(null)),
    );
    let stub = Stub::start(move |request| {
        Reply::json(
            200,
            if request.path.contains("internal") {
                &mount
            } else {
                &answer
            },
        )
    });
    let material = read_once(
        SECRETS,
        &with_token(&stub.url(), &folder),
        SOON,
        &path("kv/data/a"),
    )
    .expect("data");
    assert_eq!(fields(&material)["b"], "x");
}

#[test]
fn a_version_that_was_not_asked_for_is_refused() {
    let stub = Stub::start(in_turn(vec![kv2()]));
    let folder = credentials();
    let server = with_token(&stub.url(), &folder);
    fails(
        read_once(SECRETS, &server, BRIEF, &version("kv/data/a", 2)),
        "unavailable",
        &["another version"],
    );
    assert_eq!(stub.calls(), ["GET /v1/kv/data/a?version=2"]);
}

#[test]
fn a_server_that_echoes_our_token_does_not_make_us_show_it() {
    let texts = [format!("bad token {TOKEN}, x"), format!("id=\"{TOKEN}\"")];
    let folder = credentials();
    for text in texts {
        for status in [400, 500, 404] {
            let stub = Stub::start(in_turn(vec![errors(status, &[&text])]));
            let server = with_token(&stub.url(), &folder);
            let failure =
                read_once(SECRETS, &server, BRIEF, &path("other/a")).expect_err("refused");
            assert!(failure.what.contains("<redacted>"), "{failure}");
        }
    }
}

#[test]
fn a_token_that_looks_like_a_word_is_not_shown_either() {
    let folder = credentials();
    let token = "c4naryword";
    secret_file(folder.path(), "token", token);
    let stub = Stub::start(in_turn(vec![errors(400, &["c4naryword is no good"])]));
    let server = with_token(&stub.url(), &folder);
    let result = read_once(&[token], &server, SOON, &path("sys/a"));
    fails(
        result,
        "refused",
        &["vault answered 400: <redacted> is no good"],
    );
}

#[test]
fn a_path_that_is_no_path_is_refused_before_anything_is_sent() {
    let stub = Stub::start(in_turn(vec![kv2()]));
    let folder = credentials();
    for bad in [
        "kv/../sys/raw",
        "kv/a\r\nX: y",
        "kv/..%2fsys",
        "kv/a?list=true",
        "kv//a",
        "",
    ] {
        let server = with_token(&stub.url(), &folder);
        let failure = fails(
            read_once(SECRETS, &server, SOON, &path(bad)),
            "configuration",
            &["the path is refused"],
        );
        assert!(!failure.what.contains(char::is_control), "{failure:?}");
    }
    assert_eq!(stub.connections(), 0);
}
