//! A sidecar that ends with another process, as beside the main container of a Job.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::process::{eventually, name, program};
use crate::support::run::keyferry;
use crate::support::sidecar::{RunningSidecar, SOON, age, age_key};

/// A delivery of an age file, and these lines of `sidecar`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.env.age"), age("PASSWORD=x\n")).unwrap();
    folder
}

fn config(sidecar: &str) -> String {
    format!(
        "keys: {{age: [{{file: {}}}]}}\nsidecar: {{{sidecar}}}\ndeliveries:\n- \
         {{name: app, from: [{{age: app.env.age}}], to: [{{file: {{path: app.env}}}}]}}\n",
        age_key().display()
    )
}

#[test]
fn it_waits_for_the_process_and_ends_with_the_last_of_its_name() {
    let folder = folder();
    let main = name("main");
    let sidecar = RunningSidecar::start(
        folder.path(),
        &config(&format!("endWith: {{process: {main}}}")),
    );
    sidecar.ready();
    std::thread::sleep(Duration::from_secs(1));
    assert!(sidecar.is_ready(), "nothing to end with was seen yet");
    let mut first = program(folder.path(), &main);
    let mut second = program(folder.path(), &main);
    std::thread::sleep(Duration::from_secs(1));
    first.kill().unwrap();
    first.wait().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(sidecar.is_ready(), "one of them runs");
    second.kill().unwrap();
    let ended = Instant::now();
    // Not waited for yet: what nobody buried has ended all the same.
    let output = sidecar.finish().expect(0);
    assert!(
        ended.elapsed() < Duration::from_secs(5),
        "{}",
        output.stderr
    );
    second.wait().unwrap();
    assert!(output.stderr.contains("the process to end with is gone"));
    assert!(
        folder.path().join("app.env").exists(),
        "what was delivered stays"
    );
}

#[test]
fn it_ends_with_the_process_of_a_pid_file_also_after_another_configuration() {
    let folder = folder();
    let config = config("endWith: {pidFile: main.pid}");
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    let mut main = program(folder.path(), &name("other"));
    let pid = folder.path().join("main.pid");
    fs::write(&pid, format!("{}\n", main.id())).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    // A file that is being written does not say that the process is gone.
    fs::write(&pid, "").unwrap();
    sidecar.signal(Signal::HUP);
    eventually("it is taken again", SOON, || {
        sidecar.metric("keyferry_config_loads_total") == Some(2.0)
    });
    std::thread::sleep(Duration::from_millis(500));
    assert!(sidecar.is_ready());
    fs::write(&pid, format!("{}\n", main.id())).unwrap();
    // It ends while the configuration is taken again: that it was seen is not forgotten.
    sidecar.signal(Signal::HUP);
    main.kill().unwrap();
    main.wait().unwrap();
    sidecar.finish().expect(0);
}

#[test]
fn what_it_ends_with_is_exactly_one_thing() {
    for (wrong, words) in [
        ("endWith: {}", "`endWith` needs exactly one of"),
        (
            "endWith: {process: a, pidFile: b}",
            "`endWith` needs exactly one of",
        ),
        ("endWith: a", "endWith"),
    ] {
        let folder = folder();
        fs::write(folder.path().join("keyferry.yaml"), config(wrong)).unwrap();
        let output = keyferry()
            .dir(folder.path())
            .args(["check"])
            .run()
            .expect(2);
        assert!(output.stderr.contains(words), "{wrong}: {}", output.stderr);
        assert!(
            output.stderr.contains("keyferry.yaml:2:"),
            "{}",
            output.stderr
        );
    }
}
