//! Signals around `exec`, and the end that they ask for: obeyed whatever hangs, handed on, and left
//! as they were found.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use serde_json::json;

use crate::support::process::{Scratch, eventually};
use crate::support::run::{Run, keyferry, keyferry_first};
use crate::support::session::secret_file;
use crate::support::sidecar::{SOON, age, age_key};
use crate::support::stub::{Reply, Request, Stub};

const CLEAR: &str =
    "deliveries: [{name: app, fields: {PASSWORD: x}, to: [{file: {path: app.env}}]}]\n";

/// The blocked and the ignored signals of a program that is called so, without the two that the C
/// library has for itself.
fn dispositions(command: &[&str]) -> Vec<u64> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("keyferry.yaml"), CLEAR).unwrap();
    let changed = ["--ignore-signal=INT,USR2", "--block-signal=USR1,TTOU"];
    let look = ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"];
    let output = Run::of("env")
        .dir(dir.path())
        .args(changed)
        .args(command)
        .args(look)
        .run()
        .expect(0);
    let masks = output.stdout.lines().map(|line| {
        let (_, mask) = line.split_once(':').expect("a name and a mask");
        u64::from_str_radix(mask.trim(), 16).expect("a mask") & !(0b11 << 31)
    });
    masks.collect()
}

#[test]
fn row_131_a_program_gets_the_signals_that_keyferry_was_started_with() {
    let keyferry = env!("CARGO_BIN_EXE_keyferry");
    let bare = dispositions(&[]);
    assert_eq!(bare, [0x0020_0200, 0x0802], "the test sets them");
    assert_eq!(dispositions(&[keyferry, "exec", "--"]), bare);
    assert_eq!(dispositions(&[keyferry, "exec", "--watch", "--"]), bare);
}

#[test]
fn row_131_an_ignored_signal_does_not_end_exec_either() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("keyferry.yaml"), CLEAR).unwrap();
    let keyferry = env!("CARGO_BIN_EXE_keyferry");
    let script = "echo x > started; read -r _ < go; exit 9";
    assert!(
        std::process::Command::new("mkfifo")
            .arg(dir.path().join("go"))
            .status()
            .unwrap()
            .success()
    );
    let going = Run::of("env")
        .dir(dir.path())
        .args([
            "--ignore-signal=INT",
            keyferry,
            "exec",
            "--watch",
            "--",
            "sh",
            "-c",
            script,
        ])
        .start();
    eventually("it runs", SOON, || dir.path().join("started").exists());
    going.signal(Signal::INT);
    fs::write(dir.path().join("go"), "\n").unwrap();
    going.finish().expect(9);
}

/// A Vault that grants a token, answers one field, and hangs where it is told.
fn vault(hangs: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| {
        if hangs(request) {
            return Reply::Hang;
        }
        let body = match request.path.as_str() {
            path if path.ends_with("/login") => {
                json!({"request_id": "r", "auth": {"client_token": "hvs.granted", "accessor": "a", "lease_duration": 3600, "renewable": true, "token_type": "service"}})
            }
            path if path.contains("/ui/mounts/") => {
                json!({"request_id": "r", "data": {"path": "secret/", "type": "kv", "options": {"version": "1"}}})
            }
            _ => json!({"request_id": "r", "data": {"PASSWORD": "c4nary-v4lue"}}),
        };
        Reply::json(200, &body)
    })
}

fn site(vault: &Stub) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    secret_file(dir.path(), "jwt", "a.b.c");
    let config = format!(
        "vault: {{address: '{}', auth: {{kubernetes: {{role: r, tokenFile: jwt}}}}}}\nsidecar: \
         {{refresh: 1s}}\ndeliveries:\n- {{name: app, from: [{{vault: /v1/secret/app}}], to: \
         [{{file: {{path: app.env}}}}]}}\n",
        vault.url()
    );
    fs::write(dir.path().join("keyferry.yaml"), config).unwrap();
    dir
}

fn executed(dir: &Path, more: &[&str], script: &str) -> Run {
    keyferry()
        .dir(dir)
        .args(["exec"])
        .args(more)
        .args(["--", "sh", "-c", script])
}

#[test]
fn row_133_term_is_obeyed_while_the_token_is_given_back_and_before_there_is_a_program() {
    let cases: [(&str, &[&str], &str); 3] = [
        ("while the token is given back", &[], "revoke-self"),
        ("before there is a program", &[], "/secret/app"),
        (
            "before there is a program to watch",
            &["--watch"],
            "/secret/app",
        ),
    ];
    for (when, more, hung) in cases {
        let vault = vault(move |request| request.path.ends_with(hung));
        let dir = site(&vault);
        let going = executed(dir.path(), more, "echo x > started").start();
        eventually(when, SOON, || {
            vault.calls().iter().any(|call| call.ends_with(hung))
        });
        going.signal(Signal::TERM);
        let output = going.finish().expect(143);
        assert!(output.elapsed < SOON, "{when}: {output:?}");
        assert!(
            !dir.path().join("started").exists(),
            "{when}: it must not start"
        );
        if hung == "revoke-self" {
            let words = "waited for vault `default` to take its token back";
            assert!(output.stderr.contains(words), "{}", output.stderr);
        }
    }
}

#[test]
fn row_133_signals_are_handed_on_while_vault_hangs() {
    let hangs = Arc::new(AtomicBool::new(false));
    let (hung, seen) = (Arc::clone(&hangs), Arc::new(AtomicBool::new(false)));
    let asked = Arc::clone(&seen);
    let vault = vault(move |request| {
        let hang = hung.load(Ordering::SeqCst) && request.path.ends_with("/secret/app");
        asked.fetch_or(hang, Ordering::SeqCst);
        hang
    });
    let dir = site(&vault);
    let script = "trap 'echo hup >> seen' HUP; trap 'exit 5' TERM; echo run >> seen; while :; do \
        sleep 0.05; done";
    let going = executed(dir.path(), &["--watch"], script).start();
    let told = || fs::read_to_string(dir.path().join("seen")).unwrap_or_default();
    eventually("it runs", SOON, || told() == "run\n");
    hangs.store(true, Ordering::SeqCst);
    eventually("a look at Vault hangs", SOON, || {
        seen.load(Ordering::SeqCst)
    });
    going.signal(Signal::HUP);
    eventually(
        "it is handed on",
        std::time::Duration::from_secs(10),
        || told() == "run\nhup\n",
    );
    going.signal(Signal::TERM);
    going.finish().expect(5);
}

#[test]
fn row_132_restoring_ends_in_time_too_and_the_last_line_says_what_was_waited_for() {
    let old = json!({"apiVersion": "v1", "kind": "Secret", "type": "old", "data": {"content": "b2xk"},
        "metadata": {"name": "app", "namespace": "n", "uid": "u0", "resourceVersion": "7", "labels": {"app.kubernetes.io/managed-by": "keyferry"},
            "managedFields": [{"manager": "keyferry", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {"f:content": {}}, "f:type": {}, "f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}}}}]}});
    let deleted = AtomicBool::new(false);
    let api = Stub::start(move |request: &Request| match request.method.as_str() {
        "DELETE" => {
            deleted.store(true, Ordering::SeqCst);
            Reply::json(200, &old)
        }
        // Once it is deleted nothing is answered any more.
        _ if deleted.load(Ordering::SeqCst) => Reply::Hang,
        "GET" => Reply::json(200, &old),
        _ => Reply::json(201, &json!({"status": {"allowed": true}})),
    });
    let desk = Scratch::new("restoring");
    kubeconfig(desk.path(), &api, "{token: t}");
    desk.write(
        "keyferry.yaml",
        "name: app\ndeliveries:\n- {name: app, fields: \
        {content: new}, to: [{secret: {name: app, recreate: true}}]}\n",
    );
    let going = keyferry()
        .dir(desk.path())
        .env("KUBECONFIG", desk.path().join("kubeconfig"))
        .args(["job", "--deadline", "60s"])
        .start();
    eventually("it is gone", SOON, || {
        api.calls().iter().any(|call| call.starts_with("DELETE"))
    });
    going.signal(Signal::TERM);
    let output = going.finish().expect(143);
    let last = output.last_line();
    assert_eq!(
        last, "error: stopped by a signal; waited for secret n/app",
        "{}",
        output.stderr
    );
}

fn kubeconfig(folder: &Path, api: &Stub, user: &str) {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u, namespace: n}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{}'}}}}]\nusers: [{{name: u, user: {user}}}]\n",
        api.url()
    );
    fs::write(folder.join("kubeconfig"), text).unwrap();
}

#[test]
fn row_134_as_process_1_the_end_of_a_credential_program_is_left_to_who_waits_for_it() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let api = Stub::start(move |request: &Request| {
        let token = request
            .header("authorization")
            .unwrap_or_default()
            .to_owned();
        seen.lock().unwrap().push(token);
        Reply::json(
            403,
            &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"}),
        )
    });
    let desk = Scratch::new("credential");
    // It is dead while something that it started still holds its output: the one who reads that
    // waits for it afterwards.
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t0ken"}});
    desk.write("login", format!("sleep 1.5 &\necho '{credential}'\n"));
    let user = "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: [login]}}";
    kubeconfig(desk.path(), &api, user);
    desk.write(
        "keyferry.yaml",
        "name: app\nsidecar: {events: false}\ndeliveries:\n- \
        {name: app, fields: {a: b}, to: [{secret: {name: app}}]}\n",
    );
    let going = keyferry_first()
        .dir(desk.path())
        .env("KUBECONFIG", desk.path().join("kubeconfig"))
        .env("KEYFERRY_LISTEN", "127.0.0.1:0")
        .args(["sidecar", "--log", "debug"])
        .start();
    eventually("the API server is asked with that token", SOON, || {
        sent.lock()
            .unwrap()
            .iter()
            .any(|token| token == "Bearer t0ken")
    });
    let first = going.first();
    rustix::process::kill_process(first, Signal::TERM).unwrap();
    going.finish().expect(0);
}

#[test]
fn row_135_exec_watch_starts_the_program_that_a_delivered_path_finds() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, program) in [("ours", "both"), ("theirs", "both"), ("theirs", "only")] {
        let folder = dir.path().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(program);
        fs::write(&file, format!("#!/bin/sh\necho {}\n", file.display())).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let at = |of: &str| dir.path().join(of).display().to_string();
    let config = format!(
        "deliveries: [{{name: app, fields: {{PATH: '{}'}}, to: [{{file: {{path: app.env}}}}]}}]\n",
        at("theirs")
    );
    fs::write(dir.path().join("keyferry.yaml"), config).unwrap();
    let system = std::env::var_os("PATH").unwrap().into_string().unwrap();
    let path = format!("{}:{system}", at("ours"));
    let run = |arguments: &[&str]| {
        keyferry()
            .dir(dir.path())
            .env("PATH", &path)
            .args(arguments)
            .run()
    };
    for (program, found) in [("both", "theirs/both"), ("only", "theirs/only")] {
        let output = run(&["exec", "--watch", "--", program]).expect(0);
        assert_eq!(output.stdout.trim(), at(found), "{}", output.stderr);
    }
    // What it does not find, ours does; and what nobody finds is a mistake of the command line.
    run(&["exec", "--watch", "--", "true"]).expect(0);
    let output = run(&["exec", "--watch", "--", "nowhere"]).expect(2);
    assert!(
        output
            .stderr
            .contains("cannot run nowhere: there is no such program"),
        "{}",
        output.stderr
    );
}

#[test]
fn row_140_a_reaction_that_a_restart_may_lose_is_warned_of() {
    let secret = "secret: {name: app, namespace: n}";
    let rows = [
        ("", secret, "onChange: [{run: {command: ['true']}}]", true),
        (
            "sidecar: {state: state}\n",
            secret,
            "onChange: [{run: {command: ['true']}}]",
            false,
        ),
        (
            "",
            "file: {path: app.env}",
            "onChange: [{run: {command: ['true']}}]",
            false,
        ),
        ("", secret, "refresh: 1m", false),
    ];
    for (sidecar, target, more, warns) in rows {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("app.env.age"), age("PASSWORD=x\n")).unwrap();
        let config = format!(
            "name: app\nkeys: {{age: [{{file: {}}}]}}\n{sidecar}deliveries:\n- \
             {{name: app, from: [{{age: app.env.age}}], to: [{{{target}}}], {more}}}\n",
            age_key().display()
        );
        fs::write(dir.path().join("keyferry.yaml"), config).unwrap();
        let output = keyferry().dir(dir.path()).args(["check"]).run().expect(0);
        let words = "a restart between a change and its reactions loses these";
        assert_eq!(
            output.stderr.contains(words),
            warns,
            "{target} {more}: {}",
            output.stderr
        );
    }
}
