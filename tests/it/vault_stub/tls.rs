//! Row 6: whom TLS trusts, and what it says when it does not.

use std::time::Duration;

use keyferry::config::VaultServer;

use super::{SECRETS, SOON, credentials, fails, in_turn, kv2, with_token};
use crate::support::process::{Scratch, eventually};
use crate::support::run::keyferry;
use crate::support::session::{path, read_once, secret_file, session, watched};
use crate::support::stub::{Reply, Stub};
use crate::support::tls::Authority;

const BRIEF: Duration = Duration::from_millis(900);

fn trusting(url: &str, folder: &Scratch, ca: &str) -> VaultServer {
    VaultServer {
        ca_file: Some(secret_file(folder.path(), "ca.crt", ca)),
        ..with_token(url, folder)
    }
}

#[test]
fn row_06_a_certificate_that_does_not_fit_gets_nothing() {
    let (ours, other) = (Authority::new(), Authority::new());
    let rows = [
        (
            ours.issue(&["127.0.0.1"]),
            other.pem(),
            "is signed by none of",
        ),
        (ours.issue(&["vault.example"]), ours.pem(), "it names"),
        (
            ours.issue_expired(&["127.0.0.1"]),
            ours.pem(),
            "the server's certificate has expired",
        ),
    ];
    for (identity, ca, words) in rows {
        let folder = credentials();
        let stub = Stub::start_tls(&identity, in_turn(vec![kv2()]));
        let server = trusting(&stub.url(), &folder, ca);
        let result = read_once(SECRETS, &server, SOON, &path("kv/data/a"));
        let failure = fails(result, "unavailable", &["TLS with", words]);
        assert!(!failure.what.contains("gave up"), "waiting mends nothing");
        assert!(failure.hint.is_some());
        assert_eq!(stub.calls(), [""; 0], "{words}");
    }
}

#[test]
fn row_06_without_a_ca_file_the_system_decides() {
    let folder = credentials();
    let stub = Stub::start_tls(
        &Authority::new().issue(&["127.0.0.1"]),
        in_turn(vec![kv2()]),
    );
    let server = with_token(&stub.url(), &folder);
    let result = read_once(SECRETS, &server, BRIEF, &path("kv/data/a"));
    let failure = fails(result, "unavailable", &["TLS with"]);
    // With system roots it is signed by none of them; without any it is said so.
    assert!(
        failure.what.contains("signed by none of") || failure.what.contains("no CA certificates")
    );
    assert_eq!(stub.calls(), [""; 0]);
}

#[test]
fn row_06_a_missing_or_expired_ca_file_is_named() {
    let folder = credentials();
    let authority = Authority::new();
    let stub = Stub::start_tls(&authority.issue(&["127.0.0.1"]), in_turn(vec![kv2()]));
    let missing = VaultServer {
        ca_file: Some(folder.path().join("none.crt")),
        ..with_token(&stub.url(), &folder)
    };
    let result = read_once(SECRETS, &missing, SOON, &path("kv/data/a"));
    fails(
        result,
        "configuration",
        &["CA file", "none.crt does not exist"],
    );
    let empty = trusting(&stub.url(), &folder, "no certificate");
    let result = read_once(SECRETS, &empty, SOON, &path("kv/data/a"));
    fails(result, "configuration", &["holds no certificate in PEM"]);
    let expired = authority.issue_expired(&["any"]);
    let expired = trusting(&stub.url(), &folder, &expired.certificate);
    let result = read_once(SECRETS, &expired, SOON, &path("kv/data/a"));
    fails(
        result,
        "unavailable",
        &["every certificate in CA file", "has expired"],
    );
    assert_eq!(stub.connections(), 0);
}

#[test]
fn row_06_a_ca_file_that_is_renewed_is_read_again() {
    let folder = credentials();
    let (old, new) = (Authority::new(), Authority::new());
    let stub = Stub::start_tls(&new.issue(&["127.0.0.1"]), in_turn(vec![kv2()]));
    let server = trusting(&stub.url(), &folder, old.pem());
    let material = watched(SECRETS, async {
        let session = session(&server, SOON).waiting_for_files();
        let read = path("kv/data/a");
        let renewal = async {
            while stub.connections() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            secret_file(folder.path(), "ca.crt", new.pem());
        };
        let (material, ()) = tokio::join!(session.read(&read), renewal);
        session.close().await;
        material
    });
    material.expect("the new CA");
}

/// A configuration whose server and CA file are these.
fn configured(folder: &Scratch, address: &str, ca: &str) {
    folder.write("keyferry.yaml", format!(
        "vault:\n  address: {address}\n  caFile: {ca}\n  auth: {{token: {{file: token}}}}\n\
         deliveries: [{{name: app, from: [{{vault: kv/data/a}}], to: [{{file: {{path: out.env}}}}]}}]\n"
    ));
}

#[test]
fn row_154_a_ca_file_that_is_missing_or_no_pem_is_a_mistake_of_the_configuration() {
    let folder = credentials();
    folder.write("text.crt", "no certificate\n");
    let broken = Authority::new().pem().replace("MII", "!!!");
    folder.write("broken.crt", broken);
    let rows = [
        ("none.crt", "CA file", "does not exist"),
        ("text.crt", "holds no certificate in PEM", ""),
        ("broken.crt", "is no PEM", ""),
        (".", "CA file", ""),
    ];
    for (ca, words, more) in rows {
        // Whether somebody listens there does not matter: nobody is asked.
        configured(&folder, "https://127.0.0.1:1", ca);
        for command in ["check", "job", "init", "plan", "sidecar"] {
            let output = keyferry()
                .dir(folder.path())
                .args([command])
                .run()
                .expect(2);
            for word in ["keyferry.yaml:3:11: ", words, more, "hint: name the file"] {
                assert!(
                    output.stderr.contains(word),
                    "{command} {ca}: {}",
                    output.stderr
                );
            }
        }
    }
    // Roots do not matter to plain http.
    configured(&folder, "http://127.0.0.1:1", "none.crt");
    keyferry()
        .dir(folder.path())
        .args(["check"])
        .run()
        .expect(0);
}

#[test]
fn row_156_an_unknown_ca_ends_a_job_at_once_and_is_waited_for_before_a_pod_starts() {
    let folder = credentials();
    let (old, new) = (Authority::new(), Authority::new());
    let stub = Stub::start_tls(&new.issue(&["127.0.0.1"]), in_turn(vec![kv2()]));
    configured(&folder, &stub.url(), "ca.crt");
    folder.write("ca.crt", old.pem());
    let run = |command: &str| {
        let run = keyferry()
            .dir(folder.path())
            .args([command, "--deadline", "50s"]);
        run.limit(Duration::from_secs(60))
    };
    for command in ["job", "plan"] {
        let output = run(command).run().expect(7);
        assert!(
            output.stderr.contains("is signed by none of"),
            "{}",
            output.stderr
        );
        assert!(!output.stderr.contains("gave up"), "{}", output.stderr);
    }
    let before = stub.connections();
    let init = run("init").start();
    eventually("it tries on", SOON, || stub.connections() >= before + 3);
    secret_file(folder.path(), "ca.crt", new.pem());
    init.finish().expect(0).assert_no_canary(SECRETS);
}

#[test]
fn row_06_old_tls_and_plain_text_are_not_spoken() {
    let folder = credentials();
    let authority = Authority::new();
    // A server of TLS 1.1 alone answers our greeting with the alert `protocol_version`.
    let alert = vec![0x15, 0x03, 0x02, 0x00, 0x02, 0x02, 0x46];
    let rows = [
        (alert, "neither TLS 1.2 nor TLS 1.3"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            "does not speak TLS",
        ),
    ];
    for (bytes, words) in rows {
        let port = answering(bytes);
        let server = trusting(
            &format!("https://127.0.0.1:{port}"),
            &folder,
            authority.pem(),
        );
        let result = read_once(SECRETS, &server, BRIEF, &path("kv/data/a"));
        fails(result, "unavailable", &["TLS with", words]);
    }
}

/// A port where every connection gets these bytes, whatever it says.
fn answering(bytes: Vec<u8>) -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().map_while(Result::ok) {
            let _ = tcp.read(&mut [0; 4096]);
            let _ = tcp.write_all(&bytes);
        }
    });
    port
}

#[test]
fn a_server_name_stands_in_for_the_host() {
    let folder = credentials();
    let authority = Authority::new();
    let stub = Stub::start_tls(&authority.issue(&["vault.example"]), in_turn(vec![kv2()]));
    let named = |name: &str| VaultServer {
        server_name: Some(name.to_owned()),
        ..trusting(&stub.url(), &folder, authority.pem())
    };
    read_once(SECRETS, &named("vault.example"), SOON, &path("kv/data/a")).expect("its name");
    let result = read_once(SECRETS, &named("other.example"), BRIEF, &path("kv/data/a"));
    fails(
        result,
        "unavailable",
        &["the certificate is not for other.example"],
    );
    fails(
        read_once(SECRETS, &named("not a name"), BRIEF, &path("kv/data/a")),
        "configuration",
        &["`serverName` is no host name"],
    );
}

#[test]
fn a_missing_ca_bundle_does_not_matter_to_plain_http() {
    let folder = credentials();
    let stub = Stub::start(in_turn(vec![Reply::text(500, "text/html", ""), kv2()]));
    let server = VaultServer {
        ca_file: Some(folder.path().join("none.crt")),
        ..with_token(&stub.url(), &folder)
    };
    read_once(SECRETS, &server, SOON, &path("kv/data/a")).expect("no root is loaded");
}
