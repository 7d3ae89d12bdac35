//! What a stranger met with nothing but the README: errors are told once, with the next move, and
//! never with a secret.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::run::{Output, keyferry};

/// Runs with this configuration; gives what was printed.
fn said(text: &str, args: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("keyferry.yaml"), text).expect("written");
    keyferry().dir(dir.path()).args(args).run()
}

fn last_line(output: &Output) -> String {
    output.last_line()
}

const BY_FILE: &str = "a token is given by file, never in the configuration";

#[test]
fn row_07_a_secret_in_the_configuration_is_never_shown() {
    let server = "address: 'https://v:8200'";
    for (text, secret) in [
        (
            format!("vault: {{{server}, auth: {{token: hvs.CAESIJlSnE0canary}}}}"),
            "hvs.CAESIJlSnE0canary",
        ),
        (
            format!("vault: {{{server}, auth: {{token: {{file: hvs.CAESIJlSnE0canary}}}}}}"),
            "hvs.CAESIJlSnE0canary",
        ),
        (
            format!("vault: {{{server}, auth: {{token: {{hvs.CAESIJlSnE0canary}}}}}}"),
            "hvs.CAESIJlSnE0canary",
        ),
        (
            format!("vault: {{{server}, auth: {{token: hunter2canary}}}}"),
            "hunter2canary",
        ),
        (
            "keys: {age: [AGE-SECRET-KEY-1CANARY]}".to_owned(),
            "AGE-SECRET-KEY-1CANARY",
        ),
        (
            "keys:\n  sealed:\n    - file: |\n        -----BEGIN PRIVATE KEY-----\n        \
             canary\n        -----END PRIVATE KEY-----\n"
                .to_owned(),
            "canary",
        ),
    ] {
        for format in ["text", "json"] {
            let output = said(&text, &["check", "--log-format", format]);
            assert_eq!(output.code, 2, "{text}");
            let all = format!("{}{}", output.stdout, output.stderr);
            assert!(!all.contains(secret), "{all}");
            assert!(last_line(&output).contains(BY_FILE), "{all}");
        }
    }
    let beside = "deliveries: [{name: a, fields: {P: hunter2canary}, allowEmpty: 7}]\n";
    let output = said(beside, &["check"]);
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
    assert!(output.stderr.contains("P: ********"), "{}", output.stderr);
}

#[test]
fn each_error_is_told_once_and_the_last_line_is_the_worst() {
    let text = "keys: {age: [{file: none.key}]}
deliveries:
  - {name: one, fields: {A: ''}, to: [{file: {path: one.env}}]}
  - {name: two, from: [{age: none.age, pick: [B]}], to: [{file: {path: two.env}}]}
  - {name: three, fields: {A: x}, to: [{file: {path: none/three.env}}]}
";
    let output = said(text, &["job"]);
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert_eq!(
        last_line(&output),
        "error: missing: two: keyferry.yaml:4:24: age file none.age does not exist; \
         check the path: it starts at the configuration's folder; in a pod, check the volume"
    );
    for once in [
        "none.age does not exist",
        "field `A` of `fields`",
        "folder none does not exist",
    ] {
        assert_eq!(output.stderr.matches(once).count(), 1, "{}", output.stderr);
    }
    for never in ["target=\"\"", "delivery `", "two: two"] {
        assert!(!output.stderr.contains(never), "{}", output.stderr);
    }
    let plan = said(text, &["plan"]);
    let both = format!("{}{}", plan.stdout, plan.stderr);
    for once in ["folder none does not exist", "none.age does not exist"] {
        assert_eq!(both.matches(once).count(), 1, "{both}");
    }
    let json = said(text, &["job", "--log-format", "json"]);
    let last: serde_json::Value = serde_json::from_str(&last_line(&json)).expect("JSON");
    assert_eq!(
        (&last["delivery"], &last["more"]),
        (&"two".into(), &2.into())
    );
}

#[test]
fn a_mistake_in_the_configuration_is_told_once() {
    let one = said(
        "deliveries: [{name: a, fields: {B: c}, frm: []}]\n",
        &["job"],
    );
    assert_eq!(
        one.stderr,
        "error: configuration: keyferry.yaml:1:40: unknown key `frm`\n\
         1 | deliveries: [{name: a, fields: {B: ********}, frm: []}]\n  |   \
         \x20                                           ^^^\n\
         hint: did you mean `from`?\n"
    );
    let two = said(
        "deliveries:\n  - {name: a}\n  - {name: a, fields: {B: c}}\n",
        &["job"],
    );
    assert_eq!(two.stderr.matches("error: ").count(), 2, "{}", two.stderr);
    for once in ["has no source", "declared twice"] {
        assert_eq!(two.stderr.matches(once).count(), 1, "{}", two.stderr);
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_one_form() {
    let text = "\
deliveries:
  - name: a
    frm: [{age: a.age}]
    to: [{file: {path: a.env, frmat: dotenv, mode: [1]}}]
  - name: b
    from: [{zzz: 1}]
    to: [{file: {path: b.env}}, {file: {path: c.env, edit: maybe}}]
";
    let output = said(text, &["check"]);
    for error in [
        "3:5: unknown key `frm`",
        "4:31: unknown key `frmat`",
        "4:52: one text is expected here",
        "6:13: unknown key `zzz`",
        "7:60: true or false is expected here",
    ] {
        let error = format!("error: configuration: keyferry.yaml:{error}\n");
        assert!(output.stderr.contains(&error), "{error}{}", output.stderr);
    }
    assert_eq!(
        output.stderr.matches("error: ").count(),
        5,
        "{}",
        output.stderr
    );
    assert_eq!(
        output.stderr.matches("hint: ").count(),
        5,
        "{}",
        output.stderr
    );
    // Names that were meant to be others hide no mistake of meaning.
    let text = "\
deliveris:
  - {name: a, fields: {A: b}, to: [{file: {path: x, mode: '99', format: raw}}]}
  - {name: a, fields: {A: b}, too: [{file: {path: y, format: json}}]}
";
    let output = said(text, &["check"]);
    for once in [
        "unknown key `deliveris`",
        "unknown key `too`",
        "2:59: ",
        "declared twice",
    ] {
        assert_eq!(
            output.stderr.matches(once).count(),
            1,
            "{once}: {}",
            output.stderr
        );
    }
}

#[test]
fn both_bad_sources_of_a_delivery_are_told_and_each_target_has_its_row() {
    let text = "\
keys: {age: [{file: none.key}]}
deliveries:
  - name: a
    from: [{age: one.age}, {age: two.age}]
    to: [{file: {path: a.env}}, {file: {path: a.json}}]
";
    for command in ["job", "plan", "check --keys"] {
        let args: Vec<&str> = command.split(' ').collect();
        let output = said(text, &args);
        assert_eq!(output.code, 4, "{}", output.stderr);
        let all = format!("{}{}", output.stdout, output.stderr);
        for once in ["one.age does not exist", "two.age does not exist"] {
            assert_eq!(all.matches(once).count(), 1, "{command}: {all}");
        }
    }
    let shown = on_a_terminal(text, "job --color never");
    for row in [
        "file a.env   failed  missing",
        "file a.json  failed  missing",
    ] {
        assert!(shown.contains(row), "{shown}");
    }
}

#[test]
fn no_line_of_an_error_is_wide() {
    let long = "x".repeat(150);
    let text = format!(
        "deliveries: [{{name: a, fields: {{A: b}}, allowEmpty: false, onChange: [], deliver: [A], \
         require: [A], to: [{{file: {{path: {long}, formt: json}}}}]}}]\n"
    );
    let output = said(&text, &["check"]);
    for line in output.folded.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(output.folded.contains(" formt: "), "{}", output.folded);
    let marks = output
        .folded
        .lines()
        .find(|line| line.contains('^'))
        .expect("marks");
    let lines: Vec<&str> = output.folded.lines().collect();
    let at = marks.chars().position(|c| c == '^').expect("there");
    let shown: String = lines[1].chars().skip(at).take(5).collect();
    assert_eq!(shown, "formt", "{}", output.folded);
}

#[test]
fn colour_and_quiet_are_as_asked() {
    let text = "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: a.env}}]}]\n";
    let red = "\u{1b}[1;31merror:\u{1b}[0m ";
    let wrong = "deliveries: [{name: a, frm: []}]\n";
    assert!(!said(wrong, &["check"]).stderr.contains('\u{1b}'));
    assert!(
        said(wrong, &["check", "--color", "always"])
            .folded
            .starts_with(red)
    );
    assert!(on_a_terminal(wrong, "check").contains(red));
    assert!(!on_a_terminal(wrong, "check --color=never").contains('\u{1b}'));
    let green = "\u{1b}[32mcreate   \u{1b}[0m";
    assert!(on_a_terminal(text, "plan").contains(green));
    assert!(!said(text, &["plan"]).stdout.contains('\u{1b}'));
    let quiet = said(text, &["job", "-q"]).expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let more = said(text, &["job", "-v"]).expect(0);
    assert!(more.stderr.contains("DEBUG") || more.stderr.contains("created"));
    // The table says what the log would.
    let shown = on_a_terminal(text, "job");
    assert_eq!(shown.matches("a.env").count(), 1, "{shown}");
}

/// The same on a terminal: `script` gives one to what it runs.
fn on_a_terminal(text: &str, args: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("keyferry.yaml"), text).expect("written");
    let typed = format!("{} {args}", env!("CARGO_BIN_EXE_keyferry"));
    let script = crate::support::run::Run::of("script");
    let script = script.dir(dir.path()).env("TERM", "xterm");
    let output = script.args(["-qec", &typed, "/dev/null"]).run();
    output.stdout.replace('\r', "")
}

#[test]
fn numbers_agree_with_their_nouns() {
    let one = "deliveries: [{name: a, fields: {B: c}}]\n";
    let two = "deliveries: [{name: a, fields: {B: c}}, {name: b, fields: {B: c}}]\n";
    for (text, words) in [
        (one, "configuration: 1 delivery, 0 Vault servers"),
        (two, "configuration: 2 deliveries, 0 Vault servers"),
    ] {
        let output = said(text, &["check"]);
        assert_eq!(output.stdout.trim(), words, "{}", output.stderr);
    }
}

#[test]
fn on_a_terminal_a_plan_is_not_repeated() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let text = "deliveries: [{name: a, fields: {B: c}, to: [{file: {path: a.env}}]}]\n";
    fs::write(dir.path().join("keyferry.yaml"), text).expect("written");
    let shown = || {
        // `script` gives a terminal to what it runs.
        let plan = format!("{} plan", env!("CARGO_BIN_EXE_keyferry"));
        let script = crate::support::run::Run::of("script");
        script
            .dir(dir.path())
            .args(["-qec", &plan, "/dev/null"])
            .run()
    };
    let before = shown();
    assert_eq!(before.code, 10, "{}", before.stdout);
    assert!(
        before.stdout.trim_end().ends_with("1 to change"),
        "{}",
        before.stdout
    );
    assert_eq!(keyferry().dir(dir.path()).args(["job"]).run().code, 0);
    let after = shown();
    assert_eq!(
        after.stdout.matches("nothing to do").count(),
        1,
        "{}",
        after.stdout
    );
}

#[test]
fn an_empty_configuration_is_none() {
    for text in ["", "{}\n", "# nothing\n", "keys: {}\n", "deliveries: []\n"] {
        let output = said(text, &["check"]);
        assert_eq!(output.code, 2, "{text:?}");
        assert!(
            last_line(&output).starts_with(
                "error: configuration: keyferry.yaml: no delivery is declared; add `deliveries:"
            ),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn a_log_level_is_one_of_those_that_exist() {
    let text = "deliveries: [{name: a, fields: {B: c}}]\n";
    for (level, code) in [
        ("loud", 2),
        ("keyferry=loud", 2),
        ("", 2),
        ("TRACE", 0),
        ("warn,keyferry=debug", 0),
        ("off", 0),
    ] {
        let output = said(text, &["check", "--log", level]);
        assert_eq!(output.code, code, "{level}: {}", output.stderr);
        let list = "write error, warn, info, debug, trace, off";
        assert_eq!(output.stderr.contains(list), code == 2, "{}", output.stderr);
    }
}

const NO_TOKEN: &str = "vault: {address: 'http://127.0.0.1:1', auth: {token: {file: tok}}}
deliveries: [{name: a, from: [{vault: kv/a}], to: [{file: {path: a.env}}]}]
";

#[test]
fn row_16_only_init_waits_for_a_token_file() {
    for args in [
        &["job"][..],
        &["plan"],
        &["exec", "--", "true"],
        &["init", "--deadline", "2s"],
    ] {
        let begun = Instant::now();
        let output = said(NO_TOKEN, args);
        let waits = args[0] == "init";
        assert_eq!(output.code, 3, "{args:?}: {}", output.stderr);
        assert_eq!(begun.elapsed() > Duration::from_secs(1), waits, "{args:?}");
        assert_eq!(
            output.stderr.contains("waiting for token file tok"),
            waits,
            "{}",
            output.stderr
        );
        assert!(
            last_line(&output).contains(
                "cannot log in: token file tok does not exist; put the credential there, or check the volume \
                 (`keyferry init` alone waits for it, until its deadline)"
            ),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn exec_looks_for_its_program_before_it_logs_in() {
    for program in ["no-such-program", "./keyferry.yaml", "/"] {
        let output = said(NO_TOKEN, &["exec", "--", program]);
        assert_eq!(output.code, 2, "{}", output.stderr);
        assert_eq!(
            last_line(&output),
            format!(
                "error: usage: cannot run {program}: there is no such program; give the path of a \
                 program, or one that PATH finds"
            )
        );
    }
}

#[test]
fn templates_are_looked_at_before_anything_is_read() {
    let delivery = |fields: &str| {
        format!(
            "deliveries:\n  - name: a\n    from: [{{age: none.age, pick: [B]}}]\n    fields: \
             {{{fields}}}\n"
        )
    };
    for (fields, code, words) in [
        (
            "C: '{{ B | nope }}'",
            2,
            "keyferry.yaml:4:25: template of field `C`: there is no filter `nope`",
        ),
        (
            "C: '{{ X }}'",
            4,
            "keyferry.yaml:4:21: template of field `C`: `X` is not defined; the fields are `B`",
        ),
    ] {
        for command in ["check", "job"] {
            let output = said(&delivery(fields), &[command]);
            assert_eq!(output.code, code, "{}", output.stderr);
            assert!(last_line(&output).contains(words), "{}", output.stderr);
            assert!(output.stderr.contains("^"), "{}", output.stderr);
        }
    }
}

#[test]
fn durations_say_their_form() {
    let help = keyferry().args(["job", "--help"]).run();
    assert!(help.stdout.contains("90s, 2m, 1h30m"), "{}", help.stdout);
    let output = keyferry().args(["job", "--deadline", "5w"]).run();
    assert_eq!(output.code, 2);
    assert!(
        output.stderr.contains("there is no unit `w`"),
        "{}",
        output.stderr
    );
}

#[test]
fn check_with_keys_finds_names_that_no_file_holds() {
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
    let text = format!(
        "keys: {{age: [{{file: {0}/keys/age.key}}]}}
deliveries:
  - name: a
    from: [{{age: {0}/secrets/app.env.age}}]
    fields: {{X: '{{{{ NOWHERE }}}}'}}
    to: [{{file: {{path: a.env}}}}]
",
        example.display()
    );
    assert_eq!(
        said(&text, &["check"]).code,
        0,
        "the names are not known yet"
    );
    let output = said(&text, &["check", "--keys"]);
    assert_eq!(output.code, 4, "{}", output.stderr);
    let last = last_line(&output);
    assert!(
        last.contains("`NOWHERE` is not defined; the fields are "),
        "{last}"
    );
}

#[test]
fn row_08_an_open_key_is_told_once_with_the_fix() {
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let key = dir.path().join("age.key");
    fs::copy(example.join("keys/age.key"), &key).expect("copied");
    let text = format!(
        "keys: {{age: [{{file: age.key}}, {{file: age.key}}]}}
deliveries: [{{name: a, from: [{{age: {}/secrets/app.env.age}}]}}]
",
        example.display()
    );
    fs::write(dir.path().join("keyferry.yaml"), text).expect("written");
    for (mode, told) in [(0o644, 1), (0o640, 1), (0o600, 0)] {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&key, permissions).expect("its mode");
        let output = keyferry().dir(dir.path()).args(["check", "--keys"]).run();
        assert_eq!(output.code, 0, "{}", output.stderr);
        assert_eq!(
            output.stderr.matches("`chmod 600 age.key`").count(),
            told,
            "{mode:o}: {}",
            output.stderr
        );
    }
}

#[test]
fn an_api_server_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kubeconfig = "apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: canary}}]
current-context: c
";
    fs::write(dir.path().join("kubeconfig"), kubeconfig).expect("written");
    let text = "name: app\ndeliveries: [{name: a, fields: {A: x}, to: [{secret: \
        {name: s, namespace: n}}]}]\n";
    fs::write(dir.path().join("keyferry.yaml"), text).expect("written");
    let output = keyferry()
        .dir(dir.path())
        .env("KUBECONFIG", "kubeconfig")
        .args(["job", "--deadline", "1s"])
        .run();
    assert_eq!(output.code, 7, "{}", output.stderr);
    let last = last_line(&output);
    assert!(
        last.contains("the API server http://127.0.0.1:1 cannot be reached"),
        "{last}"
    );
}
