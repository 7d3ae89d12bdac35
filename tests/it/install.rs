//! `install`: the program in a shared volume, whole, executable by everyone, replaced in one step.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::support::run::{Run, keyferry};

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn the_program_is_copied_whole_and_starts_others_from_there() {
    let shared = tempfile::tempdir().unwrap();
    let target = shared.path().join("keyferry");
    let output = keyferry()
        .args(["install"])
        .args([shared.path()])
        .run()
        .expect(0);
    assert!(output.stderr.contains("installed "), "{}", output.stderr);
    let made = fs::metadata(&target).unwrap();
    assert_eq!(made.permissions().mode() & 0o7777, 0o755);
    let own = fs::read(env!("CARGO_BIN_EXE_keyferry")).unwrap();
    assert!(fs::read(&target).unwrap() == own, "byte for byte");
    assert_eq!(entries(shared.path()), ["keyferry"]);

    // The copy does what an app's container would have it do: its program gets the environment.
    let work = tempfile::tempdir().unwrap();
    let config = "deliveries: [{name: app, fields: {PORT: '3000'}, to: [{file: {path: a.env}}]}]\n";
    fs::write(work.path().join("keyferry.yaml"), config).unwrap();
    let run = Run::of(&target).dir(work.path());
    let run = run.args([
        "exec",
        "--config",
        "keyferry.yaml",
        "--",
        "/bin/sh",
        "-c",
        "echo $PORT",
    ]);
    assert_eq!(run.run().expect(0).stdout, "3000\n");

    // Once more, while the first is running: another file takes the name, nothing is written into
    // the one that runs.
    let mut running = Command::new(&target)
        .args(["exec", "--config", "keyferry.yaml", "--", "/bin/cat"])
        .current_dir(work.path())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    keyferry()
        .args(["install"])
        .args([shared.path()])
        .run()
        .expect(0);
    assert_ne!(fs::metadata(&target).unwrap().ino(), made.ino());
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success());
}

#[test]
fn a_folder_that_cannot_take_it_is_named_and_nothing_is_left() {
    let shared = tempfile::tempdir().unwrap();
    let absent = shared.path().join("absent");
    let output = keyferry().args(["install"]).args([&absent]).run().expect(8);
    let told = output.stderr;
    assert!(told.contains("absent/keyferry"), "{told}");
    assert!(
        told.contains("a volume that the containers share"),
        "{told}"
    );

    fs::create_dir(shared.path().join("keyferry")).unwrap();
    let output = keyferry().args(["install"]).args([shared.path()]).run();
    output.expect(8);
    assert_eq!(
        entries(shared.path()),
        ["keyferry"],
        "no part of it is left"
    );
}
