//! `exec --github-env`, read back as GitHub's runner reads the files of a step.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::run::{Run, keyferry};
use crate::support::sidecar::{age, age_key, replace};

const KEY: &str = "-----BEGIN KEY-----\nc4nary-l1ne\n50%\n-----END KEY-----\n";
const PASSWORD: &str = "c4nary-p4ss";

/// A folder with one delivery of two fields, and the files of a step.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = serde_json::json!({"PASSWORD": PASSWORD, "KEY": KEY}).to_string();
    replace(&folder.path().join("app.json.age"), &age(&source));
    configure(folder.path(), "");
    for file in ["env", "output"] {
        fs::write(folder.path().join(file), "").unwrap();
    }
    folder
}

fn configure(folder: &Path, more: &str) {
    let config = format!(
        "keys: {{age: [{{file: {}}}]}}\ndeliveries: [{{name: ci, from: [{{age: app.json.age{more}}}]}}]\n",
        age_key().display()
    );
    fs::write(folder.join("keyferry.yaml"), config).unwrap();
}

/// As a step of the runner, or as somebody who has set only the name of the file.
fn exec(folder: &Path, of_the_runner: bool) -> Run {
    let run = keyferry()
        .dir(folder)
        .args(["exec", "--github-env"])
        .env("GITHUB_ENV", folder.join("env"))
        .env("GITHUB_OUTPUT", folder.join("output"));
    match of_the_runner {
        true => run.env("GITHUB_ACTIONS", "true"),
        false => run,
    }
}

/// What the runner makes of such a file: `NAME=VALUE`, or `NAME<<END`, lines, `END`.
fn read(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.split('\n');
    let mut variables = BTreeMap::new();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            (equals, Some(at)) if equals.is_none_or(|equals| at < equals) => {
                let (name, end) = (&line[..at], &line[at + 2..]);
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
                variables.insert(name.to_owned(), value.join("\n"));
            }
            (Some(at), _) => {
                variables.insert(line[..at].to_owned(), line[at + 1..].to_owned());
            }
            (None, _) => panic!("the runner refuses `{line}`"),
        }
    }
    variables
}

#[test]
fn the_next_steps_have_each_value_and_the_log_hides_each_line() {
    let folder = folder();
    let env = folder.path().join("env");
    fs::write(&env, "EARLIER=step").unwrap();
    let output = exec(folder.path(), true)
        .args(["--github-output"])
        .run()
        .expect(0);
    assert_eq!(
        output.stdout,
        format!(
            "::add-mask::{PASSWORD}\n::add-mask::-----BEGIN KEY-----\n::add-mask::c4nary-l1ne\n\
             ::add-mask::50%25\n::add-mask::-----END KEY-----\n"
        )
    );
    assert!(!output.stderr.contains("c4nary"), "{}", output.stderr);
    assert!(output.stderr.contains("PASSWORD"), "{}", output.stderr);
    let want = [("KEY", KEY), ("PASSWORD", PASSWORD)];
    let mut want: BTreeMap<String, String> = want
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    assert_eq!(read(&folder.path().join("output")), want);
    want.insert("EARLIER".to_owned(), "step".to_owned());
    assert_eq!(read(&env), want);
    // Another step writes other delimiters.
    let first = fs::read_to_string(folder.path().join("output")).unwrap();
    fs::write(folder.path().join("output"), "").unwrap();
    let again = exec(folder.path(), true).args(["--github-output"]);
    again.run().expect(0);
    let second = fs::read_to_string(folder.path().join("output")).unwrap();
    assert_ne!(first, second);
}

#[test]
fn outside_of_the_runner_nothing_of_a_value_is_printed() {
    let folder = folder();
    let output = exec(folder.path(), false).run().expect(0);
    assert_eq!(output.stdout, "");
    output.assert_no_canary(&[PASSWORD, "c4nary-l1ne"]);
    assert_eq!(read(&folder.path().join("env"))["PASSWORD"], PASSWORD);
    assert_eq!(fs::read(folder.path().join("output")).unwrap(), b"");
}

#[test]
fn what_is_no_step_or_not_for_the_runner_is_refused_and_nothing_is_written() {
    let folder = folder();
    let bare = || {
        keyferry()
            .dir(folder.path())
            .args(["exec", "--github-env"])
            .env("GITHUB_ACTIONS", "true")
    };
    let rows = [
        (bare(), 2, "GITHUB_ENV is not set"),
        (
            bare()
                .env("GITHUB_ENV", folder.path().join("env"))
                .args(["--github-output"]),
            2,
            "GITHUB_OUTPUT is not set",
        ),
        (
            bare().env("GITHUB_ENV", folder.path().join("absent")),
            2,
            "absent",
        ),
        (
            bare().env("GITHUB_ENV", "/dev/stdout"),
            2,
            "which is no file",
        ),
        (
            exec(folder.path(), true).args(["--", "true"]),
            2,
            "cannot be used with",
        ),
    ];
    for (run, code, words) in rows {
        let output = run.run().expect(code);
        assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
        assert_eq!(output.stdout, "", "{words}");
    }
    configure(folder.path(), ", prefix: GITHUB_");
    let output = exec(folder.path(), true).run().expect(2);
    assert!(
        output.stderr.contains("GITHUB_PASSWORD") || output.stderr.contains("GITHUB_KEY"),
        "{}",
        output.stderr
    );
    assert_eq!(output.stdout, "");
    assert_eq!(fs::read(folder.path().join("env")).unwrap(), b"");
    assert!(!folder.path().join("absent").exists());
}

#[test]
fn a_file_that_we_print_into_is_no_file_of_a_step() {
    let folder = folder();
    // By a shell, which opens the file for us as a step's log.
    let printed = |stream: &str, to: &str| {
        let script = format!("exec \"$0\" exec --github-env {stream}>>log");
        let run = Run::of("sh")
            .dir(folder.path())
            .args(["-c", &script, env!("CARGO_BIN_EXE_keyferry")])
            .env("GITHUB_ENV", to);
        run.run().expect(2);
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(!log.contains("c4nary"), "{stream} {to}: {log}");
    };
    printed("", "/dev/stdout");
    printed("2", "/dev/stderr");
    printed("", "log");
    exec(folder.path(), true).run().expect(0);
}
