//! The tests' own instruments: a canary is found in every form, the stub misbehaves as told, a call
//! ends in time.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use rustix::process::Signal;
use serde_json::json;

use crate::support::canary::form_in;
use crate::support::http::Client;
use crate::support::run::Run;
use crate::support::stub::{Reply, Stub};
use crate::support::tls::Authority;

const CANARY: &str = "c4n\"ry/Ω?>~x9";

#[test]
fn a_canary_is_found_in_every_form() {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let rows = [
        CANARY.to_owned(),
        json!({ "key": CANARY }).to_string(),
        format!("{CANARY:?}"),
        format!("{:?}", format!("a{CANARY}b").as_bytes()),
        hex(CANARY.as_bytes()),
        hex(CANARY.as_bytes()).to_uppercase(),
        "c4n%22ry%2F%CE%A9%3F%3E~x9".to_owned(),
    ];
    let coded = ["", "1", "12", "123"].into_iter().flat_map(|before| {
        let whole = format!("{before}{CANARY}-tail");
        [STANDARD.encode(&whole), URL_SAFE.encode(&whole)]
    });
    for row in rows.into_iter().chain(coded) {
        assert!(
            form_in(format!("before {row} after").as_bytes(), CANARY).is_some(),
            "not found in {row}"
        );
    }
    assert_eq!(form_in(b"c4n\"ry is not whole here", CANARY), None);
}

#[test]
fn the_stub_answers_and_remembers() {
    let stub = Stub::start(|request| match request.path.as_str() {
        "/busy" => Reply::json(429, &json!({"errors": []})).with("Retry-After", "3"),
        _ => Reply::text(200, "text/html", "<html>"),
    });
    let mut connection = Client::plain(stub.port())
        .with("X-Vault-Token", "t")
        .connect()
        .expect("connects");
    let busy = connection
        .send("POST", "/busy", "application/json", b"{}")
        .expect("an answer");
    assert_eq!(busy.status, 429);
    assert!(
        busy.headers
            .contains(&("retry-after".to_owned(), "3".to_owned()))
    );
    assert_eq!(
        connection
            .send("GET", "/", "", b"")
            .expect("an answer")
            .body,
        b"<html>"
    );
    assert_eq!(stub.calls(), ["POST /busy", "GET /"]);
    assert_eq!(stub.seen()[0].header("x-vault-token"), Some("t"));
    assert_eq!(stub.connections(), 1);
}

#[test]
fn the_stub_speaks_tls() {
    let authority = Authority::new();
    let stub = Stub::start_tls(&authority.issue(&["127.0.0.1"]), |_| {
        Reply::json(200, &json!(1))
    });
    let ask = |ca: &str| Client::tls(stub.port(), ca).call("GET", "/", "", b"");
    assert_eq!(ask(authority.pem()).expect("an answer").json(), json!(1));
    assert!(
        ask(Authority::new().pem()).is_err(),
        "another authority is not trusted"
    );
}

#[test]
fn the_stub_breaks_bodies() {
    let stub = Stub::start(|request| match request.path.as_str() {
        "/cut" => Reply::Cut {
            length: 100,
            body: b"{".to_vec(),
        },
        "/drip" => Reply::Drip {
            body: b"abc".to_vec(),
            every: Duration::from_millis(1),
        },
        "/raw" => Reply::Raw(b"SSH-2.0-x\r\n".to_vec()),
        "/endless" => Reply::Endless,
        _ => Reply::Hang,
    });
    let client = Client::plain(stub.port());
    assert!(client.call("GET", "/cut", "", b"").is_err());
    assert!(client.call("GET", "/raw", "", b"").is_err());
    assert_eq!(
        client
            .call("GET", "/drip", "", b"")
            .expect("an answer")
            .body,
        b"abc"
    );
    assert!(
        received(&stub, "/endless", 1 << 20) >= 1 << 20,
        "it does not end"
    );
    assert_eq!(received(&stub, "/hang", 1), 0);
}

/// How many bytes come before `enough` are there or nothing has come for a moment.
fn received(stub: &Stub, path: &str, enough: usize) -> usize {
    use std::io::Write as _;
    let mut tcp = TcpStream::connect(("127.0.0.1", stub.port())).expect("connects");
    tcp.set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a timeout");
    write!(tcp, "GET {path} HTTP/1.1\r\n\r\n").expect("writes");
    let (mut total, mut buffer) = (0, [0; 65536]);
    while total < enough {
        match tcp.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => total += count,
        }
    }
    total
}

#[test]
fn a_call_has_an_empty_environment_and_its_output_is_kept() {
    let output = Run::of("sh")
        .args(["-c", "cat; env | grep -v ^PATH=; echo err >&2; exit 3"])
        .env("A", "b")
        .stdin("in\n")
        .run();
    let text = output.stdout.replace("PWD=", "\nPWD=");
    assert!(text.starts_with("in\n") && text.contains("A=b"), "{text}");
    assert!(!text.contains("CARGO"), "{text}");
    assert_eq!((output.code, output.stderr.as_str()), (3, "err\n"));
}

#[test]
fn a_call_can_be_ended_by_a_signal() {
    let going = Run::of("sleep").args(["60"]).start();
    going.signal(Signal::TERM);
    assert_eq!(going.finish().code, -15);
}

#[test]
#[should_panic(expected = "still running after")]
fn a_call_that_hangs_fails_in_time() {
    drop(
        Run::of("sleep")
            .args(["60"])
            .limit(Duration::from_millis(100))
            .run(),
    );
}

#[test]
#[should_panic(expected = "stdout holds")]
fn a_leak_is_a_failure() {
    Run::of("echo")
        .args([CANARY])
        .run()
        .assert_no_canary(&[CANARY]);
}
