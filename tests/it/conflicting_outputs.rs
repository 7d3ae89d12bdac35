//! Two outputs in one place, as the program meets them: refused, and nothing is written, in this
//! pass or the next.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::run::{Output, keyferry};

fn run(dir: &Path, command: &str) -> Output {
    keyferry().dir(dir).args([command]).run()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Two deliveries of one field each.
fn configure(dir: &Path, [first, second]: [(&str, &str); 2]) {
    let delivery = |name: &str, (fields, target): (&str, &str)| {
        format!("  - {{name: {name}, fields: {{{fields}}}, to: [{target}]}}\n")
    };
    let text = format!(
        "deliveries:\n{}{}",
        delivery("one", first),
        delivery("two", second)
    );
    fs::write(dir.join("keyferry.yaml"), text).expect("written");
}

#[test]
fn row_54_targets_that_are_one_only_through_a_link_are_refused() {
    for (first, second, what) in [
        (
            "{file: {path: real/x.env}}",
            "{file: {path: link/x.env}}",
            "file link/x.env is the target of two outputs",
        ),
        (
            "{file: {path: real/new/x.env}}",
            "{file: {path: link/new/x.env}}",
            "file link/new/x.env is the target of two outputs",
        ),
        (
            "{file: {path: real/x.env, edit: true}}",
            "{file: {path: link/x.env, edit: true}}",
            "variable `A` of file link/x.env is the target of two outputs",
        ),
        (
            "{files: {dir: real/set}}",
            "{file: {path: link/set/x.env}}",
            "file link/set/x.env is the target of two outputs",
        ),
    ] {
        let dir = folder();
        fs::create_dir(dir.path().join("real")).expect("made");
        symlink("real", dir.path().join("link")).expect("linked");
        configure(dir.path(), [("A: '1'", first), ("A: '2'", second)]);
        run(dir.path(), "check").expect(0);
        let plan = run(dir.path(), "plan").expect(2);
        assert!(plan.stderr.contains(what), "{}", plan.stderr);
        for _ in 0..2 {
            let output = run(dir.path(), "job").expect(2);
            assert!(output.stderr.contains(what), "{}", output.stderr);
            let left = fs::read_dir(dir.path().join("real")).expect("listed");
            assert_eq!(left.count(), 0, "{first} and {second}: nothing is written");
        }
    }
}

#[test]
fn row_03_two_editors_of_one_variable_and_nested_folders_are_refused_by_check() {
    for (first, second, what) in [
        (
            "{file: {path: x.env, edit: true}}",
            "{file: {path: x.env, edit: true}}",
            "variable `A` of `x.env` is the target of two outputs",
        ),
        (
            "{files: {dir: set}}",
            "{files: {dir: set/y}}",
            "`set/y` is the target of two outputs",
        ),
    ] {
        let dir = folder();
        configure(dir.path(), [("A: '1'", first), ("A: '2'", second)]);
        let output = run(dir.path(), "check").expect(2);
        assert!(output.stderr.contains(what), "{}", output.stderr);
    }
}

#[test]
fn editors_with_variables_of_their_own_share_a_file_and_settle() {
    let dir = folder();
    let target = "{file: {path: x.env, edit: true}}";
    configure(dir.path(), [("A: '1'", target), ("B: '2'", target)]);
    run(dir.path(), "job").expect(0);
    let text = fs::read_to_string(dir.path().join("x.env")).expect("written");
    assert_eq!(text, "A=1\nB=2\n");
    let again = run(dir.path(), "job").expect(0);
    assert!(
        again.stderr.contains("nothing changed (2 targets)"),
        "{}",
        again.stderr
    );
}
