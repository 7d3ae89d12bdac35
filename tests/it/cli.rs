//! The command line as a person or a Job meets it: help, exit codes, the last line, the termination log.

use std::fs;
use std::path::Path;

use crate::support::run::{Output, keyferry};

fn run(dir: &Path, args: &[&str]) -> Output {
    keyferry().dir(dir).args(args).run()
}

fn last_line(output: &Output) -> &str {
    output.stderr.trim_end().lines().last().unwrap_or_default()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A configuration that needs no source.
const STATIC: &str = "deliveries:\n  - {name: app, fields: {PORT: '3000', HOST: db}, to: [{file: {path: app.env}}]}\n";

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
        "schema",
        "completions",
        "man",
    ] {
        let help = run(dir.path(), &[command, "--help"]);
        assert_eq!(help.code, 0, "{command}");
        let reads = !["schema", "completions", "man"].contains(&command);
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
            .starts_with("error: usage: keyferry.yaml: the configuration cannot be read"),
        "{}",
        output.stderr
    );
    assert!(last_line(&output).contains("--config"), "{}", output.stderr);
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
        (first.code, last_line(&first)),
        (0, "in sync: 1 created, 0 updated, 0 unchanged"),
        "{}",
        first.stderr
    );
    let text = fs::read_to_string(dir.path().join("app.env")).expect("written");
    assert_eq!(text, "PORT=3000\nHOST=db\n");
    let second = run(dir.path(), &["job"]);
    assert_eq!(
        (second.code, last_line(&second)),
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
    let text = "keys: {age: [{file: none.key}]}\ndeliveries:\n  - {name: app, from: [{age: none.env.age}], to: [{file: {path: app.env}}]}\n";
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
    let last: serde_json::Value = serde_json::from_str(last_line(&output)).expect("JSON");
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
    // A pass that waits: the age file is a pipe that nobody writes would block, so a server that never answers is used.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    fs::write(dir.path().join("token"), "hvs.canary").expect("written");
    fs::write(
        dir.path().join("keyferry.yaml"),
        format!("vault: {{address: 'http://127.0.0.1:{port}', auth: {{token: {{file: token}}}}}}\ndeliveries:\n  - {{name: a, from: [{{vault: kv/a}}], to: [{{file: {{path: a.env}}}}]}}\n"),
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
