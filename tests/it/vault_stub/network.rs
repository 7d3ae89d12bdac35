//! Rows 5, 11 to 13 and 27: the way to the server.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use keyferry::config::VaultServer;
use serde_json::json;

use super::{SECRETS, SOON, credentials, errors, fails, in_turn, kv2, with_token};
use crate::support::session::{path, read_once, session, watched};
use crate::support::stub::{Reply, Stub};
use crate::support::tls::Authority;

const BRIEF: Duration = Duration::from_millis(900);

#[test]
fn row_05_plain_http_never_leaves_this_machine() {
    let folder = credentials();
    let stub = Stub::start(in_turn(vec![kv2()]));
    // The unspecified address is no loopback address, yet reaches the stub: so a leak would be
    // seen.
    let outside = format!("http://0.0.0.0:{}", stub.port());
    let refused = with_token(&outside, &folder);
    let failure = fails(
        read_once(SECRETS, &refused, SOON, &path("kv/data/a")),
        "refused",
        &["plain http", "nothing was sent"],
    );
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("allowPlaintext"))
    );
    assert_eq!(stub.connections(), 0);
    let allowed = VaultServer {
        allow_plaintext: true,
        ..refused
    };
    read_once(SECRETS, &allowed, SOON, &path("kv/data/a")).expect("explicitly allowed");
    let localhost = with_token(&format!("http://localhost:{}", stub.port()), &folder);
    read_once(SECRETS, &localhost, SOON, &path("kv/data/a")).expect("this machine");
}

#[test]
fn an_address_that_is_none_is_refused() {
    let folder = credentials();
    for address in [
        "",
        "vault:8200",
        "ftp://vault",
        "https://user:c4nary-v4lue-/+x@vault",
        "https://vault:8200/v1",
        "https://vault:82000",
        "http://",
    ] {
        let server = with_token(address, &folder);
        let result = read_once(SECRETS, &server, SOON, &path("kv/data/a"));
        fails(result, "configuration", &["address"]);
    }
}

#[test]
fn row_11_a_server_that_is_not_there_is_waited_for() {
    let folder = credentials();
    // The authorities of this machine are read within it too.
    let brief = BRIEF * 4;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = free.local_addr().expect("its address").port();
    drop(free);
    let rows = [
        (format!("http://127.0.0.1:{port}"), "connection refused"),
        (
            "https://no-such-host.invalid:8200".to_owned(),
            "cannot connect to https://no-such-host.invalid:8200",
        ),
    ];
    for (address, words) in rows {
        let begun = Instant::now();
        let server = with_token(&address, &folder);
        let result = read_once(SECRETS, &server, brief, &path("kv/data/a"));
        fails(result, "unavailable", &["gave up after", words]);
        assert!(begun.elapsed() < brief + Duration::from_secs(5));
    }
}

#[test]
fn row_11_a_server_that_comes_late_is_found() {
    let folder = credentials();
    let stub = Stub::start(in_turn(vec![
        Reply::Raw(Vec::new()),
        Reply::Raw(Vec::new()),
        kv2(),
    ]));
    read_once(
        SECRETS,
        &with_token(&stub.url(), &folder),
        SOON,
        &path("kv/data/a"),
    )
    .expect("at last");
    assert_eq!(stub.calls().len(), 3);
}

#[test]
fn row_12_a_hanging_or_dripping_answer_ends_with_the_deadline() {
    let folder = credentials();
    let drip = Reply::Drip {
        body: vec![b' '; 1000],
        every: Duration::from_millis(50),
    };
    for reply in [Reply::Hang, drip] {
        let stub = Stub::start(in_turn(vec![reply]));
        let begun = Instant::now();
        let server = with_token(&stub.url(), &folder);
        let result = read_once(SECRETS, &server, BRIEF, &path("kv/data/a"));
        fails(result, "unavailable", &["no whole answer"]);
        assert!(begun.elapsed() < BRIEF + Duration::from_secs(5));
    }
}

#[test]
fn row_12_a_hung_request_is_given_up_after_thirty_seconds_and_made_again() {
    let folder = credentials();
    let stub = Stub::start(in_turn(vec![Reply::Hang, kv2()]));
    let begun = Instant::now();
    let server = with_token(&stub.url(), &folder);
    read_once(
        SECRETS,
        &server,
        Duration::from_secs(90),
        &path("kv/data/a"),
    )
    .expect("the second try");
    let took = begun.elapsed().as_secs();
    assert!((30..40).contains(&took), "{took} s");
}

#[test]
fn row_13_a_sealed_or_leaderless_server_is_waited_for_and_named() {
    let folder = credentials();
    let rows = [
        (503, "Vault is sealed", "vault is sealed"),
        (
            500,
            "local node not active but active cluster node not found",
            "no active node",
        ),
        (502, "upstream failed", "vault answered 502"),
        (
            412,
            "required index state not present",
            "vault answered 412",
        ),
    ];
    for (status, text, words) in rows {
        let stub = Stub::start(in_turn(vec![
            errors(status, &[text]),
            errors(status, &[text]),
            kv2(),
        ]));
        let server = with_token(&stub.url(), &folder);
        read_once(SECRETS, &server, SOON, &path("kv/data/a")).expect("it passed");
        assert_eq!(stub.calls().len(), 3);
        let stub = Stub::start(in_turn(vec![errors(status, &[text])]));
        let server = with_token(&stub.url(), &folder);
        let result = read_once(SECRETS, &server, BRIEF, &path("kv/data/a"));
        fails(result, "unavailable", &["gave up after", words]);
    }
}

#[test]
fn row_27_no_redirect_leaves_the_address() {
    let folder = credentials();
    let authority = Authority::new();
    let ca_file = Some(folder.write("ca.crt", authority.pem()));
    let elsewhere = Stub::start(in_turn(vec![kv2()]));
    let elsewhere_tls = Stub::start_tls(&authority.issue(&["127.0.0.1"]), in_turn(vec![kv2()]));
    let to = |location: String, status: u16| {
        Stub::start_tls(&authority.issue(&["127.0.0.1"]), move |request| {
            Reply::json(status, &json!({})).with(
                "Location",
                &location.replace("SAME", request.header("host").unwrap_or_default()),
            )
        })
    };
    let rows = [
        (format!("{}/v1/elsewhere", elsewhere.url()), 307),
        (format!("{}/v1/elsewhere", elsewhere_tls.url()), 307),
        ("http://SAME/v1/elsewhere".to_owned(), 307),
        ("https://SAME/v1/elsewhere".to_owned(), 302),
        ("https://SAME@evil.invalid/v1/elsewhere".to_owned(), 307),
        ("//evil.invalid/v1/elsewhere".to_owned(), 307),
        ("/v1/elsewhere".to_owned(), 307),
        (String::new(), 307),
    ];
    for (location, status) in rows {
        let stub = to(location.clone(), status);
        let server = VaultServer {
            ca_file: ca_file.clone(),
            ..with_token(&stub.url(), &folder)
        };
        let result = read_once(SECRETS, &server, BRIEF, &path("kv/data/a"));
        fails(result, "unavailable", &["redirect refused"]);
        let calls = stub.calls();
        let asked = |call: &String| call == "GET /v1/kv/data/a";
        assert!(
            !calls.is_empty() && calls.iter().all(asked),
            "{location}: {calls:?}"
        );
    }
    assert_eq!(
        (elsewhere.connections(), elsewhere_tls.connections()),
        (0, 0)
    );
}

#[test]
fn row_27_one_hop_within_the_address_is_made() {
    let folder = credentials();
    let authority = Authority::new();
    let ca_file = Some(folder.write("ca.crt", authority.pem()));
    let hops = |hops: usize| {
        let count = std::sync::atomic::AtomicUsize::new(0);
        Stub::start_tls(&authority.issue(&["127.0.0.1"]), move |request| {
            if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < hops {
                let host = request.header("host").unwrap_or_default();
                return Reply::json(307, &json!({}))
                    .with("Location", &format!("https://{host}/v1/kv/data/b"));
            }
            kv2()
        })
    };
    let stub = hops(1);
    let server = VaultServer {
        ca_file: ca_file.clone(),
        ..with_token(&stub.url(), &folder)
    };
    read_once(SECRETS, &server, SOON, &path("kv/data/a")).expect("one hop");
    assert_eq!(stub.calls(), ["GET /v1/kv/data/a", "GET /v1/kv/data/b"]);
    let stub = hops(usize::MAX);
    let server = VaultServer {
        ca_file,
        ..with_token(&stub.url(), &folder)
    };
    let result = read_once(SECRETS, &server, BRIEF, &path("kv/data/a"));
    fails(result, "unavailable", &["redirect refused"]);
}

#[test]
fn many_reads_share_connections() {
    let folder = credentials();
    let stub = Stub::start(in_turn(vec![kv2()]));
    let server = with_token(&stub.url(), &folder);
    let paths: Vec<_> = (0..100)
        .map(|number| path(&format!("kv/data/{number}")))
        .collect();
    watched(SECRETS, async {
        let session = session(&server, SOON);
        for result in
            futures_util::future::join_all(paths.iter().map(|path| session.read(path))).await
        {
            result.expect("an answer");
        }
        session.close().await;
    });
    assert_eq!(stub.calls().len(), 100);
    assert!(stub.connections() <= 32, "{}", stub.connections());
}
