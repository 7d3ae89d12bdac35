//! `.github/workflows` as GitHub would read them, by the real `actionlint`; what they call exists.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::run::Run;
use crate::support::tools;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn workflows() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join(".github/workflows")).expect("workflows");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files
}

fn lint(file: &Path) -> i32 {
    let run = Run::of(tools::actionlint()).args(["-shellcheck=", "-pyflakes=", "-no-color"]);
    run.args([file]).run().code
}

#[test]
fn the_workflows_are_what_github_reads() {
    let files = workflows();
    assert_eq!(files.len(), 2, "ci and release");
    for file in &files {
        assert_eq!(lint(file), 0, "{}", file.display());
    }
    let example = root().join("examples/softyt/.github/workflows/ci.yml");
    assert_eq!(lint(&example), 0, "{}", example.display());
    // One that is wrong is found, or the above would show nothing.
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("ci.yml");
    let text = fs::read_to_string(&files[0]).expect("a workflow");
    fs::write(&wrong, text.replace("github.ref }}", "github.reff }}")).expect("a file");
    assert_eq!(lint(&wrong), 1);
}

/// The steps of all jobs.
fn steps(workflow: &Value) -> Vec<&Value> {
    let jobs = workflow["jobs"].as_object().expect("jobs").values();
    jobs.flat_map(|job| job["steps"].as_array().expect("steps"))
        .collect()
}

#[test]
fn each_action_is_pinned_and_each_script_exists() {
    let (mut actions, mut scripts) = (0, 0);
    for file in workflows() {
        let text = fs::read_to_string(&file).expect("a workflow");
        let workflow: Value = serde_saphyr::from_str(&text).expect("YAML");
        let permissions = &workflow["permissions"];
        assert!(
            permissions.is_object(),
            "{}: nothing by default",
            file.display()
        );
        for step in steps(&workflow) {
            if let Some(action) = step["uses"].as_str() {
                let (_, commit) = action.split_once('@').expect("a version");
                let hex = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(commit.len() == 40 && hex, "{action} is pinned to a commit");
                actions += 1;
            }
            let run = step["run"].as_str().unwrap_or_default();
            let words = run.split(|c: char| c.is_whitespace() || "()\"'`;&|".contains(c));
            for word in words.filter(|word| word.starts_with("deploy/") || word.starts_with(".ci/"))
            {
                let path = root().join(word);
                let there = fs::metadata(&path).unwrap_or_else(|e| panic!("{word}: {e}"));
                let starts = there.is_dir() || there.permissions().mode() & 0o111 == 0o111;
                assert!(starts, "{word} can be started");
                scripts += 1;
            }
        }
    }
    assert!(
        actions > 6 && scripts > 5,
        "{actions} actions, {scripts} scripts"
    );
}

#[test]
fn the_action_calls_what_exists() {
    let text = fs::read_to_string(root().join("action.yml")).expect("an action");
    let action: Value = serde_saphyr::from_str(&text).expect("YAML");
    let inputs = action["inputs"].as_object().expect("inputs");
    for name in inputs.keys() {
        assert!(text.contains(&format!("inputs.{name}")), "{name} is used");
    }
    let steps = action["runs"]["steps"].as_array().expect("steps");
    let script = steps[1]["run"].as_str().expect("a script");
    // As the runner would start it, with the archive unpacked and nothing else.
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("keyferry")).expect("a folder");
    let program = env!("CARGO_BIN_EXE_keyferry");
    std::os::unix::fs::symlink(program, folder.path().join("keyferry/keyferry")).expect("a link");
    let config = "deliveries: [{name: a, fields: {A: b c}}, {name: other, fields: {B: d}}]\n";
    fs::write(folder.path().join("ci.yaml"), config).expect("a file");
    let env = folder.path().join("env");
    fs::write(&env, "").expect("a file");
    let output = Run::of("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
        .env("RUNNER_TEMP", folder.path())
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_ENV", &env)
        .env("KEYFERRY_CONFIG", folder.path().join("ci.yaml"))
        .env("DELIVERY", "a")
        .run()
        .expect(0);
    assert_eq!(output.stdout, "::add-mask::b c\n");
    let written = fs::read_to_string(env).expect("a file");
    assert!(written.starts_with("A<<"), "{written}");
}

#[test]
fn a_tag_that_is_not_the_version_is_refused() {
    let version = env!("CARGO_PKG_VERSION");
    for (tag, code) in [(format!("v{version}"), 0), ("v99.0.0".to_owned(), 1)] {
        let run = Run::of(root().join(".ci/tag")).env("PATH", "/usr/bin:/bin");
        run.args([tag]).run().expect(code);
    }
}
