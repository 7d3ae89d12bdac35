//! As the first process of a container: orphans are buried, and signals that the kernel gives no
//! default to are answered.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::process::eventually;
use crate::support::run::{children, keyferry_first};
use crate::support::sidecar::{RunningSidecar, SOON, age, age_key, replace};

/// Leaves three processes behind that outlive it, each in a session of its own; each then writes
/// whose child it is.
const ORPHANS: &str = "for i in 1 2 3; do (setsid sh -c 'sleep 0.5; grep PPid /proc/$$/status >> \
    orphans' >/dev/null 2>&1 &); done";

fn config(more: &str) -> String {
    format!(
        "keys: {{age: [{{file: {}}}]}}\ndeliveries:\n- name: app\n  from: \
         [{{age: app.env.age}}]\n  to: [{{file: {{path: app.env}}}}]\n{more}",
        age_key().display()
    )
}

fn put(folder: &Path, value: &str) {
    let file = age(&format!("PASSWORD={value}\n"));
    replace(&folder.join("app.env.age"), &file);
}

/// Waits until all three were adopted by process 1, ended, and are buried.
fn all_buried(folder: &Path, first: Pid, left: usize) {
    let adopted = || {
        let text = fs::read_to_string(folder.join("orphans")).unwrap_or_default();
        text.lines().filter(|line| *line == "PPid:\t1").count()
    };
    eventually("its orphans are ours", SOON, || adopted() == 3);
    let pid = first.as_raw_nonzero().get().unsigned_abs();
    let states = || {
        let all = children(pid).into_iter();
        let stats =
            all.map(|pid| fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())));
        stats.map(Result::unwrap_or_default).collect::<Vec<_>>()
    };
    eventually("all are buried", SOON, || states().len() == left);
    assert!(
        !states().iter().any(|stat| stat.contains(") Z ")),
        "{:?}",
        states()
    );
}

#[test]
fn row_63_a_sidecar_that_is_process_1_buries_orphans_and_ends_on_term() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "one");
    fs::write(folder.path().join("hook"), ORPHANS).unwrap();
    let more = "  onChange: [{run: {command: [sh, hook]}}]\n";
    let sidecar = RunningSidecar::start_first(folder.path(), &config(more));
    sidecar.ready();
    let first = sidecar.first();
    put(folder.path(), "two");
    all_buried(folder.path(), first, 0);
    let done = "keyferry_reactions_total{kind=\"run\",result=\"done\"}";
    assert_eq!(
        sidecar.metric(done),
        Some(1.0),
        "its end was not lost to the burial"
    );
    kill_process(first, Signal::HUP).unwrap();
    eventually("a signal is answered", SOON, || {
        sidecar.metric("keyferry_config_loads_total") == Some(2.0)
    });
    kill_process(first, Signal::TERM).unwrap();
    sidecar.finish().expect(0);
}

#[test]
fn row_63_exec_watch_as_process_1_buries_orphans_and_hands_signals_on() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "one");
    fs::write(folder.path().join("keyferry.yaml"), config("")).unwrap();
    let script = format!(
        "trap 'exit 9' USR1; {ORPHANS}; echo $PASSWORD > seen; while :; do sleep 0.05; done"
    );
    let going = keyferry_first()
        .dir(folder.path())
        .args(["exec", "--watch", "--", "sh", "-c", &script])
        .start();
    let seen = || fs::read_to_string(folder.path().join("seen")).unwrap_or_default();
    eventually("it runs", SOON, || seen() == "one\n");
    let first = going.first();
    all_buried(folder.path(), first, 1);
    // It is ended, and started with what is new.
    put(folder.path(), "two");
    eventually("it runs again", SOON, || seen() == "two\n");
    std::thread::sleep(Duration::from_millis(100));
    kill_process(first, Signal::USR1).unwrap();
    going.finish().expect(9);
}
