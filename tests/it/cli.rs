//! The command line as a person or a Job meets it: help, exit codes, the last line, the termination
//! log.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::run::{Output, keyferry};

fn run(dir: &Path, args: &[&str]) -> Output {
    keyferry().dir(dir).args(args).run()
}

fn last_line(output: &Output) -> String {
    output.last_line()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A configuration that needs no source.
const STATIC: &str = "deliveries:\n  - {name: app, fields: {PORT: '3000', HOST: db}, to: \
    [{file: {path: app.env}}]}\n";

#[test]
fn help_lists_commands_that_exist_and_exit_codes() {
    let dir = folder();
    let help = run(dir.path(), &["--help"]);
    assert_eq!(help.code, 0);
    for word in [
        "job",
        "init",
        "plan",
        "exec",
        "check",
        "install",
        "explain",
        "new",
        "schema",
        "completions",
        "man",
        "Exit codes:",
        "deadline spent: retry",
    ] {
        assert!(
            help.stdout.contains(word),
            "{word} is missing in\n{}",
            help.stdout
        );
    }
    for command in [
        "job",
        "init",
        "plan",
        "exec",
        "check",
        "install",
        "schema",
        "completions",
        "man",
    ] {
        let help = run(dir.path(), &[command, "--help"]);
        assert_eq!(help.code, 0, "{command}");
        let reads = !["install", "schema", "completions", "man"].contains(&command);
        assert_eq!(help.stdout.contains("--config"), reads, "{command}");
    }
}

#[test]
fn usage_errors_exit_with_2() {
    let dir = folder();
    for args in [
        &["nonsense"][..],
        &["job", "--nonsense"],
        &["job", "--deadline", "soon"],
        &["exec"],
        &["job", "--log", "a=b=c", "--config", "x.yaml"],
        &[],
    ] {
        let output = run(dir.path(), args);
        assert_eq!(output.code, 2, "{args:?}: {}", output.stderr);
    }
    let output = run(dir.path(), &["job"]);
    assert_eq!(output.code, 2);
    assert!(
        last_line(&output)
            .starts_with("error: configuration: keyferry.yaml: there is no such file or folder"),
        "{}",
        output.stderr
    );
    assert!(last_line(&output).contains("--config"), "{}", output.stderr);
}

#[test]
fn a_refused_command_line_keeps_the_contract_of_the_last_line() {
    let dir = folder();
    let log = dir.path().join("termination-log");
    for (args, reason, next) in [
        (
            &["job", "--nonsense"][..],
            "usage: unexpected argument '--nonsense' found",
            "see `keyferry job --help`",
        ),
        (
            &["job", "--deadline", "soon"],
            "usage: invalid value 'soon' for '--deadline <DURATION>'",
            "see `keyferry job --help`",
        ),
        (
            &["nonsense"],
            "usage: unrecognized subcommand",
            "`keyferry job` delivers once",
        ),
        (
            &["exec"],
            "usage: the following required",
            "`keyferry exec -- CMD`",
        ),
        (&[], "usage: no command was given", "keyferry check"),
        (
            &["job", "--log", "loud"],
            "usage: `loud` is no log level",
            "see `keyferry --help`",
        ),
        (
            &["job", "--token=hvs.CAESIJlSnE0qfTr0mZ8aVQcanary"],
            "usage: a secret was given as an argument",
            "replace it",
        ),
    ] {
        fs::write(&log, "").expect("written");
        let call = |format: &str| {
            let call = keyferry().dir(dir.path()).args(args);
            let call = call.env("KEYFERRY_LOG_FORMAT", format);
            call.env("KEYFERRY_TERMINATION_LOG", &log).run().expect(2)
        };
        let output = call("text");
        let last = last_line(&output);
        assert!(
            last.starts_with(&format!("error: {reason}")) && last.contains(next),
            "{args:?}: {}",
            output.stderr
        );
        let remembered = fs::read_to_string(&log).expect("there");
        assert_eq!(format!("error: {}", remembered.trim_end()), last);
        let output = call("json");
        assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
        let line: serde_json::Value = serde_json::from_str(&last_line(&output)).expect("JSON");
        assert_eq!(
            (&line["class"], &line["exit"]),
            (&"usage".into(), &2.into()),
            "{line}"
        );
        assert!(line["hint"].is_string(), "{line}");
    }
}

#[test]
fn row_07_secrets_in_arguments_are_refused_without_repeating_them() {
    let dir = folder();
    let token = "hvs.CAESIJlSnE0qfTr0mZ8aVQcanary";
    for args in [["job", token], ["job", &format!("--token={token}")]] {
        let output = run(dir.path(), &args);
        assert_eq!(output.code, 2);
        assert!(
            !output.stderr.contains("canary") && !output.stdout.contains("canary"),
            "{}",
            output.stderr
        );
        assert!(
            last_line(&output).contains("a secret was given as an argument"),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn row_07_secrets_in_the_environment_are_ignored_and_not_inherited() {
    let dir = folder();
    fs::write(dir.path().join("keyferry.yaml"), STATIC).expect("written");
    let output = keyferry()
        .dir(dir.path())
        .env("VAULT_TOKEN", "hvs.canary")
        .env("SOPS_AGE_KEY", "AGE-SECRET-KEY-canary")
        .env("HARMLESS", "1")
        .args(["exec", "--", "env"])
        .run();
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(
        output.stdout.contains("PORT=3000") && output.stdout.contains("HARMLESS=1"),
        "{}",
        output.stdout
    );
    assert!(
        !output.stdout.contains("canary") && !output.stderr.contains("canary"),
        "{}\n{}",
        output.stdout,
        output.stderr
    );
    assert!(
        output.stderr.contains("VAULT_TOKEN is set and ignored"),
        "{}",
        output.stderr
    );
}

#[test]
fn row_07_a_credential_program_of_a_kubeconfig_inherits_no_secret() {
    for user in [
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, interactiveMode: Never, env: [{name: KEYFERRY_TOKEN, value: set-by-kubeconfig}]}",
        "auth-provider: {name: gcp, config: {cmd-path: ./login}}",
    ] {
        let dir = folder();
        let program = dir.path().join("login");
        fs::write(&program, "#!/bin/sh\nenv > seen\nexit 3\n").expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
        let kubeconfig = format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: \
             u}}}}]\nclusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\nusers: \
             [{{name: u, user: {{{user}}}}}]\n"
        );
        fs::write(dir.path().join("config"), kubeconfig).expect("written");
        fs::write(
            dir.path().join("keyferry.yaml"),
            "name: app\ndeliveries: [{name: app, fields: {A: b}, to: [{secret: {name: s}}]}]\n",
        )
        .expect("written");
        let names = [
            "VAULT_TOKEN",
            "BAO_TOKEN",
            "SOPS_AGE_KEY",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "KEYFERRY_TOKEN",
        ];
        let call = keyferry().dir(dir.path()).env("KUBECONFIG", "config");
        let call = names
            .iter()
            .fold(call, |call, name| call.env(name, "canary"));
        let output = call
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", "https://127.0.0.1:1")
            .env("HARMLESS", "1")
            .args(["job", "--deadline", "5s"])
            .run();
        assert_eq!(output.code, 3, "{}", output.stderr);
        let seen = fs::read_to_string(dir.path().join("seen")).expect("it ran");
        assert!(
            seen.contains("HARMLESS=1") && !seen.contains("canary"),
            "{seen}"
        );
        let own = user.contains("KEYFERRY_TOKEN");
        assert_eq!(seen.contains("set-by-kubeconfig"), own, "{seen}");
    }
}

#[test]
fn a_pass_writes_once_and_says_so() {
    let dir = folder();
    fs::write(dir.path().join("keyferry.yaml"), STATIC).expect("written");
    let plan = run(dir.path(), &["plan"]);
    assert_eq!(plan.code, 10, "{}", plan.stderr);
    assert!(
        plan.stdout.contains("create   file app.env"),
        "{}",
        plan.stdout
    );
    let dry = run(dir.path(), &["job", "--dry-run"]);
    assert_eq!(
        (dry.code, &dry.stdout),
        (10, &plan.stdout),
        "--dry-run is plan"
    );
    assert!(!dir.path().join("app.env").exists());

    let first = run(dir.path(), &["job"]);
    assert_eq!(
        (first.code, last_line(&first).as_str()),
        (0, "in sync: 1 created, 0 updated, 0 unchanged"),
        "{}",
        first.stderr
    );
    let text = fs::read_to_string(dir.path().join("app.env")).expect("written");
    assert_eq!(text, "PORT=3000\nHOST=db\n");
    let second = run(dir.path(), &["job"]);
    assert_eq!(
        (second.code, last_line(&second).as_str()),
        (0, "in sync: nothing changed (1 target)"),
        "{}",
        second.stderr
    );
    assert_eq!(run(dir.path(), &["plan"]).code, 0);
}

#[test]
fn the_last_line_is_for_people_machines_and_kubernetes() {
    let dir = folder();
    let log = dir.path().join("termination-log");
    fs::write(&log, "").expect("written");
    let text = "keys: {age: [{file: none.key}]}\ndeliveries:\n  - {name: app, from: \
        [{age: none.env.age}], to: [{file: {path: app.env}}]}\n";
    fs::write(dir.path().join("keyferry.yaml"), text).expect("written");
    let log_name = log.to_string_lossy().into_owned();
    let output = keyferry()
        .dir(dir.path())
        .env("KEYFERRY_TERMINATION_LOG", &log_name)
        .args(["job"])
        .run();
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(
        last_line(&output).starts_with("error: missing: app: "),
        "{}",
        output.stderr
    );
    let remembered = fs::read_to_string(&log).expect("there");
    assert_eq!(
        format!("error: {}", remembered.trim_end()),
        last_line(&output)
    );

    let output = run(dir.path(), &["job", "--log-format", "json"]);
    for line in output.stderr.lines() {
        let value: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            value["level"].is_string() && value["message"].is_string(),
            "{line}"
        );
    }
    let last: serde_json::Value = serde_json::from_str(&last_line(&output)).expect("JSON");
    assert_eq!(
        (&last["class"], &last["exit"], &last["delivery"]),
        (&"missing".into(), &4.into(), &"app".into()),
        "{last}"
    );
}

#[test]
fn one_broken_delivery_stops_no_other() {
    let dir = folder();
    let broken =
        "  - {name: broken, from: [{age: none.env.age}], to: [{file: {path: broken.env}}]}\n";
    fs::write(
        dir.path().join("keyferry.yaml"),
        format!("keys: {{age: [{{file: none.key}}]}}\n{STATIC}{broken}"),
    )
    .expect("written");
    fs::write(dir.path().join("broken.env"), "KEEP=me\n").expect("written");
    let output = run(dir.path(), &["job"]);
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(
        dir.path().join("app.env").exists(),
        "the other delivery was made"
    );
    assert_eq!(
        fs::read_to_string(dir.path().join("broken.env")).expect("there"),
        "KEEP=me\n",
        "nothing was emptied"
    );
    assert!(
        output.stderr.contains("created")
            && last_line(&output).starts_with("error: missing: broken: "),
        "{}",
        output.stderr
    );
}

#[test]
fn exec_becomes_the_program() {
    let dir = folder();
    fs::write(dir.path().join("keyferry.yaml"), STATIC).expect("written");
    let output = run(
        dir.path(),
        &["exec", "--", "sh", "-c", "echo \"$HOST:$PORT\"; exit 7"],
    );
    assert_eq!(
        (output.code, output.stdout.trim()),
        (7, "db:3000"),
        "{}",
        output.stderr
    );
    let output = run(dir.path(), &["exec", "--", "no-such-program"]);
    assert_eq!(output.code, 2);
    assert!(
        last_line(&output).contains("cannot run no-such-program"),
        "{}",
        output.stderr
    );
    let output = run(dir.path(), &["exec", "--delivery", "ap", "--", "true"]);
    assert!(
        last_line(&output).contains("no delivery is called `ap`; there are: app"),
        "{}",
        output.stderr
    );
    let two = format!("{STATIC}  - {{name: other, fields: {{A: b}}}}\n");
    fs::write(dir.path().join("keyferry.yaml"), two).expect("written");
    let output = run(dir.path(), &["exec", "--", "true"]);
    assert!(
        last_line(&output).contains("name one with --delivery: app, other"),
        "{}",
        output.stderr
    );
}

#[test]
fn exec_runs_the_program_that_our_path_finds() {
    let dir = folder();
    let text =
        "deliveries: [{name: app, fields: {PATH: /nowhere}, to: [{file: {path: app.env}}]}]\n";
    fs::write(dir.path().join("keyferry.yaml"), text).expect("written");
    let output = run(dir.path(), &["exec", "--", "sh", "-c", "echo \"$0 $PATH\""]);
    assert_eq!(
        (output.code, output.stdout.trim()),
        (0, "sh /nowhere"),
        "{}",
        output.stderr
    );
}

#[test]
fn row_08_open_key_files_are_refused_when_strict() {
    let dir = folder();
    let text = "vault: {address: 'http://127.0.0.1:1', auth: {token: {file: token}}}\nkeys: \
        {age: [{file: key}]}\ndeliveries:\n  - {name: a, from: [{vault: kv/a}], to: \
        [{file: {path: a.env}}]}\n";
    fs::write(dir.path().join("keyferry.yaml"), text).expect("written");
    let token = dir.path().join("token");
    fs::write(&token, "hvs.canary").expect("written");
    // A token may be its group's: a pod gets it in no other way.
    for (mode, strict, code, words) in [
        (0o644, false, 7, "token file token is readable by others"),
        (
            0o644,
            true,
            6,
            "cannot log in: token file token is readable by others",
        ),
        (0o440, true, 7, "unavailable: a: "),
    ] {
        fs::set_permissions(&token, fs::Permissions::from_mode(mode)).expect("mode");
        let call = keyferry().dir(dir.path()).args(["job", "--deadline", "1s"]);
        let call = if strict {
            call.env("KEYFERRY_STRICT", "true")
        } else {
            call
        };
        let output = call.run().expect(code);
        assert!(output.stderr.contains(words), "{}", output.stderr);
        assert!(!output.stderr.contains("canary"), "{}", output.stderr);
        assert_eq!(
            last_line(&output).contains("chmod 600"),
            code == 6,
            "{}",
            output.stderr
        );
    }
    run(dir.path(), &["check", "--strict"]).expect(0);
}

#[test]
fn a_configuration_that_cannot_be_read_whole_is_refused_in_time() {
    let dir = folder();
    let config = dir.path().join("keyferry.yaml");
    let started = std::time::Instant::now();
    for (make, words) in [
        ("mkfifo keyferry.yaml", "it is a pipe that did not end"),
        ("truncate -s 5M keyferry.yaml", "it is larger than 4 MiB"),
        ("ln -s /dev/zero keyferry.yaml", "it is no regular file"),
        (
            "mkfifo t; echo 'deliveries: [{name: a, fields: {A: b}, to: [{file: \
             {path: a, template: t}}]}]' > keyferry.yaml",
            "template t cannot be read: it is a pipe that did not end",
        ),
    ] {
        drop(fs::remove_file(&config));
        let shell = crate::support::run::Run::of("sh").dir(dir.path());
        shell.args(["-c", make]).run().expect(0);
        let output = run(dir.path(), &["check"]).expect(2);
        assert!(last_line(&output).contains(words), "{}", output.stderr);
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(45));
    fs::write(dir.path().join("real.yaml"), STATIC).expect("written");
    let piped = "cat real.yaml | \"$1\" check --config /dev/stdin";
    let output = crate::support::run::Run::of("sh")
        .dir(dir.path())
        .args(["-c", piped, "sh", env!("CARGO_BIN_EXE_keyferry")])
        .run();
    assert_eq!(output.code, 0, "{}", output.stderr);
}

#[test]
fn completions_and_man_page_are_printed() {
    let dir = folder();
    for (args, word) in [
        (&["completions", "bash"][..], "_keyferry"),
        (&["completions", "fish"], "complete -c keyferry"),
        (&["completions", "zsh"], "#compdef keyferry"),
        (&["man"], ".TH keyferry"),
        (&["man"], "OPTIONS OF JOB"),
        (&["man"], "\\-\\-config"),
    ] {
        let output = run(dir.path(), args);
        assert_eq!(output.code, 0);
        assert!(output.stdout.contains(word), "{args:?}");
    }
}

#[test]
fn the_process_cannot_be_read_and_leaves_no_core() {
    let dir = folder();
    // A pass that waits: the age file is a pipe that nobody writes would block, so a server that
    // never answers is used.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
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
    let going = keyferry()
        .dir(dir.path())
        .args(["job", "--deadline", "20s"])
        .start();
    let (_connection, _) = listener.accept().expect("it connects");
    let pid = going.pid();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("limits are readable");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .expect("listed");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let owner = fs::metadata(format!("/proc/{pid}/environ")).expect("listed");
    assert_eq!(
        std::os::unix::fs::MetadataExt::uid(&owner),
        0,
        "an undumpable process belongs to root"
    );
    let seized = fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    assert!(seized.contains("State:"), "{seized}");
    going.signal(rustix::process::Signal::TERM);
    let output = going.finish();
    assert_eq!(output.code, 143, "{}", output.stderr);
    assert!(!output.stderr.contains("canary"));
}
