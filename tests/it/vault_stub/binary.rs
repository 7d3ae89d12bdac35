//! The same faults met by the program: exit code, last line, memory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{GRANTED, JWT, SECRETS, SOON, TOKEN, VALUE, granted, in_turn, kv2};
use crate::support::process::{Scratch, eventually, free_ports};
use crate::support::run::keyferry;
use crate::support::session::secret_file;
use crate::support::stub::{Reply, Stub};

/// A delivery of `kv/data/a` into `out.env`, and the rest of a `vault` section.
fn configure(folder: &Scratch, address: &str, auth: &str) {
    let text = format!(
        "vault:\n  address: {address}\n  auth: {auth}\n\
         deliveries:\n  - name: app\n    from: [{{vault: /v1/kv/data/a}}]\n    to: [{{file: {{path: out.env}}}}]\n"
    );
    folder.write("keyferry.yaml", text);
}

#[test]
fn a_github_job_delivers_with_the_identity_of_its_runner() {
    let folder = Scratch::new("vault-binary");
    let runner = Stub::start(|_| Reply::json(200, &json!({"value": JWT})));
    let vault = Stub::start(|request| match request.path.as_str() {
        path if path.ends_with("/login") => granted(GRANTED, 600),
        _ => kv2(),
    });
    configure(
        &folder,
        &vault.url(),
        "{jwt: {role: ci, githubActions: {audience: vault}}}",
    );
    let job = || {
        keyferry()
            .dir(folder.path())
            .args(["job", "--deadline", "20s"])
    };
    let without = job().run().expect(3);
    without.assert_no_canary(SECRETS);
    assert!(
        without.stderr.contains("id-token: write"),
        "{}",
        without.stderr
    );
    let token = "c4naryRunnerToken4711";
    let with = job()
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", runner.url())
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token)
        .run()
        .expect(0);
    with.assert_no_canary(&[SECRETS, &[token]].concat());
    let written = fs::read_to_string(folder.path().join("out.env")).expect("out.env");
    assert!(written.contains(VALUE), "{written}");
}

#[test]
fn a_proxy_of_the_environment_is_not_used_and_a_failure_says_so() {
    let folder = Scratch::new("vault-binary");
    secret_file(folder.path(), "jwt", JWT);
    let auth = "{jwt: {role: ci, tokenFile: jwt}}";
    let vault = Stub::start(|request| match request.path.as_str() {
        path if path.ends_with("/login") => granted(GRANTED, 600),
        _ => kv2(),
    });
    let [proxy, nobody] = free_ports();
    let job = || {
        let run = keyferry()
            .dir(folder.path())
            .args(["job", "--deadline", "3s"]);
        ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]
            .into_iter()
            .fold(run, |run, name| {
                run.env(name, format!("http://127.0.0.1:{proxy}"))
            })
    };
    configure(&folder, &vault.url(), auth);
    job().run().expect(0).assert_no_canary(SECRETS);
    configure(&folder, &format!("http://127.0.0.1:{nobody}"), auth);
    let failed = job().run().expect(7);
    let words = "HTTPS_PROXY is set, but keyferry uses no proxy";
    let told = failed
        .stderr
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(told.contains(words), "{}", failed.stderr);
}

#[test]
fn the_trace_tells_each_request_and_no_secret() {
    let folder = Scratch::new("vault-binary");
    secret_file(folder.path(), "jwt", JWT);
    let vault = Stub::start(|request| match request.path.as_str() {
        path if path.ends_with("/login") => granted(GRANTED, 600),
        path if path.contains("/mounts/") => Reply::json(
            200,
            &json!({"request_id": "r", "data": {"path": "kv/", "type": "kv", "options": {"version": "2"}}}),
        ),
        _ => kv2(),
    });
    let auth = "{jwt: {role: ci, tokenFile: jwt}}";
    folder.write(
        "keyferry.yaml",
        format!(
            "vault: {{address: '{}', auth: {auth}}}\ndeliveries: \
            [{{name: app, from: [{{vault: kv/a}}], to: [{{file: {{path: \
            out.env}}}}]}}]\n",
            vault.url()
        ),
    );
    let output = keyferry()
        .dir(folder.path())
        .args(["job", "--log", "trace"])
        .run()
        .expect(0);
    output.assert_no_canary(SECRETS);
    for words in [
        "vault answered method=POST path=\"/v1/auth/jwt/login\" status=200 took_ms=",
        "vault mount found mount=\"kv/\" engine=\"KV v2\"",
        "vault answered method=GET path=\"/v1/kv/data/a\" status=200 took_ms=",
        "read as KV v2 version=\"3\"",
    ] {
        assert!(output.stderr.contains(words), "{words}:\n{}", output.stderr);
    }
}

#[test]
fn row_159_in_a_job_too_a_server_that_hangs_holds_up_no_delivery_of_another() {
    let folder = Scratch::new("vault-binary");
    secret_file(folder.path(), "token", TOKEN);
    let (hanging, well) = (Stub::start(|_| Reply::Hang), Stub::start(|_| kv2()));
    let auth = "auth: {token: {file: token}}";
    // More of them than may be under way at one time, and the healthy one last.
    let slow = (0..100).map(|number| {
        format!(
            "- {{name: slow{number}, from: [{{vault: kv/data/{number}, server: slow}}], to: \
            [{{file: {{path: slow{number}.env}}}}]}}\n"
        )
    });
    let text = format!(
        "vault: {{address: '{}', {auth}}}\nvaults: {{slow: {{address: '{}', {auth}}}}}\ndeliveries:\n{}\
         - {{name: well, from: [{{vault: kv/data/a}}], to: [{{file: {{path: out.env}}}}]}}\n",
        well.url(),
        hanging.url(),
        slow.collect::<String>()
    );
    folder.write("keyferry.yaml", text);
    let job = keyferry()
        .dir(folder.path())
        .args(["job", "--deadline", "55s"]);
    let going = job.start();
    eventually("delivered", SOON, || folder.path().join("out.env").exists());
    drop(going);
}

#[test]
fn row_25_a_flood_is_refused_in_little_memory() {
    let many = format!(
        r#"{{"request_id":"r","data":[{}"{VALUE}"]}}"#,
        "0,".repeat(2_000_000)
    );
    let deep = format!(r#"{{"request_id":"r","data":{}"#, "[".repeat(4_000_000));
    let rows = [
        (Reply::Endless, 6, "larger than 4 MiB"),
        (
            Reply::text(200, "application/json", &many),
            6,
            "more than 100000 values",
        ),
        (
            Reply::text(200, "application/json", &deep),
            7,
            "not a Vault answer",
        ),
    ];
    for (reply, code, words) in rows {
        let folder = Scratch::new("vault-binary");
        secret_file(folder.path(), "token", TOKEN);
        let stub = Stub::start(in_turn(vec![reply]));
        configure(&folder, &stub.url(), "{token: {file: token}}");
        let going = keyferry()
            .dir(folder.path())
            .args(["job", "--deadline", "2s"])
            .start();
        let status = format!("/proc/{}/status", going.pid());
        let watch = std::thread::spawn(move || peak_kib(Path::new(&status)));
        let output = going.finish().expect(code);
        output.assert_no_canary(SECRETS);
        assert!(output.stderr.contains(words), "{}", output.stderr);
        let peak = watch.join().expect("the watch ends with the process");
        assert!(peak > 0 && peak < 64 << 10, "{words}: {peak} KiB");
        assert!(!folder.path().join("out.env").exists());
    }
}

/// The highest resident size of a process that was seen until it ended.
fn peak_kib(status: &Path) -> usize {
    let mut peak = 0;
    while let Ok(text) = fs::read_to_string(status) {
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(line) = line else {
            break;
        };
        let kib = line.trim().trim_end_matches(" kB").parse();
        peak = kib.expect("a number of kB");
        std::thread::sleep(Duration::from_millis(1));
    }
    peak
}
