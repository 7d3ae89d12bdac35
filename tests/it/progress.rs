//! What a terminal shows while a provider does not answer, and that nothing else shows it.

use std::fs;
use std::net::TcpListener;

use crate::support::run::{Run, keyferry};

/// A server that takes connections and never answers.
fn silent() -> (tempfile::TempDir, TcpListener) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    fs::write(dir.path().join("token"), "hvs.canary").expect("written");
    fs::write(
        dir.path().join("keyferry.yaml"),
        format!(
            "vault: {{address: 'http://127.0.0.1:{port}', auth: {{token: {{file: \
            token}}}}}}\ndeliveries:\n  - {{name: a, from: [{{vault: kv/a}}], to: [{{file: \
            {{path: a.env}}}}]}}\n"
        ),
    )
    .expect("written");
    (dir, listener)
}

#[test]
fn a_terminal_shows_what_is_waited_for_and_erases_it_before_logs() {
    let (dir, _listener) = silent();
    let typed = format!(
        "{} job --deadline 4s --log debug",
        env!("CARGO_BIN_EXE_keyferry")
    );
    let output = Run::of("script")
        .dir(dir.path())
        .env("TERM", "xterm")
        .args(["--quiet", "--return", "--command", &typed, "/dev/null"])
        .run()
        .expect(7);
    let shown = &output.stdout;
    for words in [
        "\r\u{1b}[Kwaiting for vault `default` (1 s of 4 s)",
        "waiting for vault `default` (2 s of 4 s)",
    ] {
        assert!(shown.contains(words), "{words}: {shown:?}");
    }
    let error = "\u{1b}[1;31merror:\u{1b}[0m unavailable: a: ";
    assert_eq!(shown.matches(error).count(), 1, "{shown:?}");
    // Nothing is written behind the line but what erases it.
    for piece in shown.split("waiting for").skip(1) {
        let end = piece.find(['\r', '\n']).expect("an end");
        assert!(piece[..end].ends_with(')'), "{shown:?}");
        assert!(piece[end..].starts_with("\r\u{1b}[K"), "{shown:?}");
    }
}

#[test]
fn a_pipe_gets_no_progress() {
    let (dir, _listener) = silent();
    let output = keyferry()
        .dir(dir.path())
        .args(["job", "--deadline", "2s"])
        .run()
        .expect(7);
    assert!(
        !output.stderr.contains("waiting for vault") && !output.stderr.contains('\r'),
        "{}",
        output.stderr
    );
}
